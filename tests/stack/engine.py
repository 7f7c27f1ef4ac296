"""A Docker engine: the machine's own where it can have the images, else one of ours.

Ours needs root on Debian. It lives in a directory of its own, with its own socket, touches no
firewall rule and takes everything with it when it is stopped.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PACKAGES = {
    "dockerd": "docker.io",
    "docker-compose": "docker-compose",
    "debootstrap": "debootstrap",
    "iptables": "iptables",  # dockerd sets up name resolution inside a container with it
}
POLICY = Path("/usr/sbin/policy-rc.d")


def say(text: str) -> None:
    """Tell whoever waits what takes so long."""
    sys.stdout.write(f"  {text}\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Engine:
    """Where Docker answers; `own` where its images are stand-ins."""

    docker: str
    compose: Sequence[str]
    host: str | None = None

    @property
    def own(self) -> bool:
        return self.host is not None

    def call(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `docker ...`; what goes wrong is told with its output."""
        return self.execute([self.docker, *command], check=check)

    def execute(
        self,
        command: Sequence[str],
        *,
        check: bool = True,
        stdin: IO[bytes] | None = None,
        stdout: IO[bytes] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command that talks to this engine."""
        env = {**os.environ, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
        if self.host:
            env["DOCKER_HOST"] = self.host
        done = subprocess.run(
            command, env=env, check=False, text=True, stderr=subprocess.PIPE,
            stdin=stdin or subprocess.DEVNULL, stdout=stdout or subprocess.PIPE,
        )  # fmt: skip
        if check and done.returncode:
            output = (done.stdout or "")[-3000:] + done.stderr[-6000:]
            raise AssertionError(f"{' '.join(command)}\n{output}")
        return done


def machine_engine(images: Sequence[str]) -> Engine | None:
    """Give the engine that runs on this machine, None where it has not got the images."""
    docker = shutil.which("docker")
    if not docker:
        return None
    engine = Engine(docker, [docker, "compose"])
    if engine.call("info", check=False).returncode:
        return None
    if engine.call("compose", "version", check=False).returncode:
        engine = Engine(docker, ["docker-compose"])
    for image in images:
        if engine.call("image", "inspect", image, check=False).returncode:
            say(f"pulling {image}")
            if engine.call("pull", image, check=False).returncode:
                raise AssertionError(f"Docker runs here, but cannot pull {image}")
    return engine


@contextmanager
def own_engine(compose: Path) -> Iterator[Engine]:
    """Start an engine of our own; afterwards nothing of it is left."""
    install()
    home = Path(tempfile.mkdtemp(prefix="portcall-docker-"))
    host = f"unix://{home}/docker.sock"
    settings = home / "daemon.json"
    settings.write_text("{}")
    log = (home / "log").open("wb")
    process = subprocess.Popen(
        [
            "dockerd", "--host", host, "--data-root", home / "data", "--exec-root", home / "exec",
            "--pidfile", home / "pid", "--config-file", settings, "--bridge", "none",
            "--iptables=false", "--ip-forward=false", "--exec-opt", "native.cgroupdriver=cgroupfs",
        ],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip
    engine = Engine("/usr/bin/docker", [str(compose)], host)
    try:
        deadline = time.monotonic() + 60
        while engine.call("info", check=False).returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((home / "log").read_text()[-3000:])
            time.sleep(0.5)
        yield engine
    finally:
        process.terminate()
        process.wait(120)
        log.close()
        shutil.rmtree(home)


def install() -> None:
    """Install what is missing, without letting Debian start a service."""
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if not missing:
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise AssertionError(
            "This test needs a Docker engine that can pull images, or Debian and root to make"
            f" one with: {' '.join(missing)} are missing."
        )
    say(f"installing {' '.join(missing)}")
    with _no_service_starts():
        for command in (["update", "-qq"], ["install", "-qq", "--no-install-recommends", *missing]):
            subprocess.run(
                ["apt-get", "--yes", *command],
                check=True,
                capture_output=True,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )


@contextmanager
def _no_service_starts() -> Iterator[None]:
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
