"""Runs `portcall` as a user does: as a process, with an environment of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PORTS = ("--port", "0", "--temporal-port", "0", "--ui-port", "0")


def environment(home: Path, **more: str) -> dict[str, str]:
    """Give an environment without settings; what was built is found where it always is."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PORTCALL_", "TEMPORAL_")) or name == "PORTCALL_CACHE_DIR"
    }
    return {**kept, "PORTCALL_DATA_DIR": str(home / "data"), **more}


def portcall(
    *arguments: str, home: Path, timeout: float = 50, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "portcall.cli.main", *arguments],
        env=environment(home, **env),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@dataclass
class Up:
    """A running `portcall up` and what it has printed so far."""

    process: subprocess.Popen[str]
    home: Path
    said: list[str] = field(default_factory=list)

    def read_until(self, text: str) -> str:
        """Read what it prints until a line has `text`; give that line."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.said.append(line)
            if text in line:
                return line
        raise AssertionError("it ended with\n" + "".join(self.said))

    def place(self, name: str) -> str:
        """Give an address or path that it printed."""
        found = re.search(rf"{name} +(\S+)", "".join(self.said))
        assert found, self.said
        return found[1]

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal and wait for the end; give the exit code."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=40)
        self.said.append(rest)
        return self.process.returncode

    def parts(self) -> dict[str, int]:
        """Give the process ids of what runs on this data directory, by name."""
        return parts_of(self.home)


@contextmanager
def running_up(home: Path, *arguments: str, **env: str) -> Iterator[Up]:
    """Run `portcall up` on free ports until it says that it runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "portcall.cli.main", "up", *PORTS, *arguments],
        env=environment(home, **env),
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    up = Up(process, home)
    try:
        up.read_until("Ctrl-C stops")
        yield up
    finally:
        if process.poll() is None:
            up.stop(signal.SIGTERM)
        if process.stdout:
            process.stdout.close()


def parts_of(home: Path) -> dict[str, int]:
    """Find processes by the data directory in their environment or arguments."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text().split("\0")
            surroundings = (process / "environ").read_text(errors="replace")
        except (OSError, UnicodeDecodeError):
            continue
        if str(home) not in surroundings + " ".join(command):
            continue
        for name, sign in {"api": "api", "worker": "worker", "temporal": "start-dev"}.items():
            if sign in command:
                found[name] = int(process.name)
    return found
