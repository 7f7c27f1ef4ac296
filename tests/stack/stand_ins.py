"""Stand-ins under the official images' names, for an engine that can pull none.

A Debian root file system with python3 and postgresql; Temporal's own programs and start
scripts at the versions that docker-compose.yml names, built from their Go modules.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.stack.engine import Engine, say

RECIPE = Path(__file__).parents[2] / "deploy" / "test-stack"
SERVER = "go.temporal.io/server"
UI = "github.com/temporalio/ui-server/v2"
COMPOSE = "github.com/docker/compose/v2"
COMPOSE_VERSION = "v2.40.3"
DEBIAN = "bookworm"
PACKAGES = "ca-certificates,netcat-openbsd,postgresql,python3-venv"
TARGETS = {
    "postgres": "postgres",
    "python": "python",
    "temporalio/admin-tools": "admin-tools",
    "temporalio/server": "server",
    "temporalio/ui": "ui",
}


def build_compose(cache: Path) -> Path:
    """Build Compose v2: Debian has 1.29 alone, which its users have left."""
    program = cache / f"compose-{COMPOSE_VERSION}"
    if not program.exists():
        say(f"building Docker Compose {COMPOSE_VERSION} (the first time only, some minutes)")
        # Its go.mod excludes a version, so that `go install` refuses it.
        with tempfile.TemporaryDirectory() as module:
            _go("mod", "init", "compose", cwd=module)
            _go("get", f"{COMPOSE}/cmd@{COMPOSE_VERSION}", cwd=module)
            _go("build", "-o", "compose", f"{COMPOSE}/cmd", cwd=module)
            _keep(Path(module, "compose"), program)
    return program


def make_stand_ins(engine: Engine, images: Mapping[str, str], cache: Path) -> None:
    """Make a stand-in for every image, given as names and tags."""
    root = _debian(cache)
    say("making stand-ins for the images")
    engine.call("import", str(root), "stand-in")
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        shutil.copytree(RECIPE, context, dirs_exist_ok=True)
        _temporal(images, cache, context)
        for name, tag in images.items():
            target = TARGETS[name]
            build = ["build", "--network", "none", "--target", target]
            engine.call(*build, "--tag", f"{name}:{tag}", str(context))


def _temporal(images: Mapping[str, str], cache: Path, context: Path) -> None:
    server, ui = f"v{images['temporalio/server']}", f"v{images['temporalio/ui']}"
    programs = {
        "temporal-server": f"{SERVER}/cmd/server@{server}",
        "temporal-sql-tool": f"{SERVER}/cmd/tools/sql@v{images['temporalio/admin-tools']}",
        "ui-server": f"{UI}/cmd/server@{ui}",
    }
    for name, package in programs.items():
        program = cache / f"{name}-{package.rpartition('@')[2]}"
        if not program.exists():
            say(f"building {package} (the first time only, some minutes)")
            with tempfile.TemporaryDirectory() as folder:
                _go("install", package, GOBIN=folder)
                (built,) = Path(folder).iterdir()
                _keep(built, program)
        shutil.copy(program, context / name)
    for module, path, name in (
        (f"{SERVER}@{server}", "docker/scripts/sh/entrypoint.sh", "temporal-entrypoint.sh"),
        (f"{UI}@{ui}", "docker/start-ui-server.sh", "ui-entrypoint.sh"),
        (f"{UI}@{ui}", "config/docker.yaml", "ui-config.yaml"),
    ):
        source = Path(json.loads(_go("mod", "download", "-json", module))["Dir"], path)
        (context / name).write_bytes(source.read_bytes())


def _debian(cache: Path) -> Path:
    archive = cache / f"{DEBIAN}.tar"
    if not archive.exists():
        say(f"making a Debian {DEBIAN} root file system (the first time only, some minutes)")
        with tempfile.TemporaryDirectory() as root:
            _run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", DEBIAN, root])
            shutil.rmtree(Path(root, "var/cache/apt"))
            made = archive.with_suffix(".new")
            _run(["tar", "--create", "--file", str(made), "--directory", root, "."])
            made.replace(archive)
    return archive


def _go(*command: str, cwd: str | None = None, **env: str) -> str:
    if not shutil.which("go"):
        raise AssertionError("Stand-ins for Temporal's images are built with Go: install it.")
    return _run(["go", *command], cwd=cwd, **env)


def _run(command: list[str], cwd: str | None = None, **env: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **env}, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def _keep(built: Path, program: Path) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(built, program.with_suffix(".new"))
    program.with_suffix(".new").replace(program)
