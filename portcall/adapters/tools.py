"""Finds the external programs, or gets them into our cache: download, container image, Go.

What is found has been run once before it is trusted. What only some users need (an own
Temporal by `TEMPORAL_ADDRESS`) the callers decide.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from portcall.adapters.locks import try_lock
from portcall.adapters.processes import start_tool, stop_tool
from portcall.errors import ConfigurationError

Progress = Callable[[str], None]
"""Told about twice a second what is being done."""


@dataclass(frozen=True)
class Tool:
    """An external program. `proof` matches what it answers to `--version`, if new enough."""

    name: str
    title: str
    version: str
    package: str
    image: str
    proof: re.Pattern[str]
    ways: "tuple[Way, ...]"


@dataclass(frozen=True)
class Order:
    """One try to get a tool: into which directory, with whom to tell, and where the log is."""

    tool: Tool
    staging: Path
    log: Path
    progress: Progress


Way = Callable[[Order], None]
"""Puts the tool's program into the staging directory under its name, or raises _NoWayError."""


class _NoWayError(Exception):
    """This way does not work on this machine; the text says why."""


def find_temporal(cache_dir: Path, progress: Progress) -> Path:
    """Give a Temporal CLI that runs; raise ConfigurationError naming every way to one."""
    return _find(TEMPORAL, cache_dir, progress)


def find_registry(cache_dir: Path, progress: Progress) -> Path | None:
    """Give a CNCF distribution registry that runs, None where none is to be had."""
    try:
        return _find(REGISTRY, cache_dir, progress)
    except ConfigurationError as error:
        progress(error.message)
        return None


def _find(tool: Tool, cache_dir: Path, progress: Progress) -> Path:
    cached = cache_dir / "bin" / f"{tool.name}-{tool.version}"
    on_path = shutil.which(tool.name)
    for candidate in (Path(on_path) if on_path else cached, cached):
        if _runs(tool, candidate):
            return candidate
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with _turn(cached.with_name(cached.name + ".lock"), tool, progress):
            return cached if _runs(tool, cached) else _get(tool, cached, progress)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write to the cache directory {cache_dir} ({error.strerror});"
            " name another in PORTCALL_CACHE_DIR"
        ) from None


def _runs(tool: Tool, program: Path) -> bool:
    if not os.access(program, os.X_OK):
        return False
    try:
        answer = subprocess.run(  # noqa: S603 - a tool of ours
            [program, "--version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return False
    return answer.returncode == 0 and tool.proof.search(answer.stdout) is not None


@contextlib.contextmanager
def _turn(lock: Path, tool: Tool, progress: Progress) -> Iterator[None]:
    """Wait until no other process is getting the same tool."""
    started = time.monotonic()
    while True:
        with try_lock(lock) as mine:
            if mine:
                yield
                return
        waited = time.monotonic() - started
        progress(f"Another process is getting {tool.title}; waiting for it, {waited:.0f} s")
        time.sleep(0.5)


def _get(tool: Tool, cached: Path, progress: Progress) -> Path:
    refusals = []
    for way in tool.ways:
        with TemporaryDirectory(dir=cached.parent, prefix=".new-") as directory:
            log = cached.with_name(f"{cached.name}-{way.__name__}.log")
            order = Order(tool, Path(directory), log, progress)
            try:
                way(order)
            except _NoWayError as refusal:
                refusals.append(str(refusal))
                continue
            made = order.staging / tool.name
            made.chmod(0o755)
            if _runs(tool, made):
                made.replace(cached)
                return cached
            refusals.append(f"what {way.__name__} gave does not run here")
    own = ["set TEMPORAL_ADDRESS to a server of your own"] if tool is TEMPORAL else []
    hints = [*own, f"put `{tool.name}` on PATH, or at {cached}", *refusals]
    raise ConfigurationError(
        f"{tool.title} is not to be had on this machine. Any one of these helps:"
        + "".join(f"\n  - {hint}" for hint in hints)
    )


def download(order: Order) -> None:
    """Let Temporal's Python SDK download the CLI."""
    module = "portcall.adapters.temporal_download"
    command = [sys.executable, "-m", module, order.tool.version, str(order.staging)]
    _watch(order, "Downloading", command, patience=20)
    found = [file for file in order.staging.iterdir() if file.is_file()]
    if len(found) != 1:
        raise _NoWayError("let the SDK download it: it left no program")
    found[0].rename(order.staging / order.tool.name)


def copy_from_image(order: Order) -> None:
    """Copy the program out of the official container image: no container is needed later."""
    docker = shutil.which("docker")
    if not docker:
        raise _NoWayError("install Docker: there is no `docker` on PATH")
    info = subprocess.run([docker, "info"], capture_output=True, check=False, timeout=60)  # noqa: S603
    if info.returncode:
        raise _NoWayError("start Docker: `docker info` fails")
    script = f'cat "$(command -v {order.tool.name})"'
    command = [docker, "run", "--rm", "--entrypoint", "sh", order.tool.image, "-c", script]
    _watch(order, "Copying from its image", command, output=order.staging / order.tool.name)


def build_with_go(order: Order) -> None:
    """Build the official program, pinned, with a Go toolchain."""
    go = shutil.which("go")
    if not go:
        raise _NoWayError("install Go, to build it: there is no `go` on PATH")
    package = f"{order.tool.package}@v{order.tool.version}"
    command = [go, "install", "-v", "-ldflags=-s -w", package]
    _watch(order, "Building", command, GOBIN=str(order.staging))


def _watch(
    order: Order,
    doing: str,
    command: Sequence[str],
    *,
    patience: float = 600,
    output: Path | None = None,
    **env: str,
) -> None:
    """Run a command, tell how it goes, and end it where nothing moves for `patience` seconds."""
    order.log.write_bytes(b"")
    with order.log.open("ab") as log, (output or order.log).open("ab") as stdout:
        process = start_tool(command, env={**os.environ, **env}, stdout=stdout, stderr=log)
        try:
            _wait(process, order, doing, patience)
        finally:
            stop_tool(process)
    if process.returncode:
        last = _last_line(order.log)
        raise _NoWayError(f"{doing.lower()} it failed: {last} (all of it in {order.log})")


def _wait(process: subprocess.Popen[bytes], order: Order, doing: str, patience: float) -> None:
    started = moved = time.monotonic()
    before = -1
    while True:
        now = time.monotonic()
        size = _written(order)
        if size != before:
            before, moved = size, now
        if now - moved > patience:
            raise _NoWayError(f"{doing.lower()} it stood still for {patience:.0f} s")
        what = (
            f"{doing} {order.tool.title} {order.tool.version} (the first time only, some minutes)"
        )
        order.progress(f"{what}: {now - started:.0f} s  {_last_line(order.log)}".rstrip())
        try:
            process.wait(0.5)
            return
        except subprocess.TimeoutExpired:
            continue


def _written(order: Order) -> int:
    total = 0
    for file in (order.log, *order.staging.iterdir()):
        with contextlib.suppress(FileNotFoundError):  # renamed under our eyes
            total += file.stat().st_size
    return total


def _last_line(log: Path) -> str:
    lines = log.read_bytes()[-2000:].decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:200] if lines else ""


TEMPORAL = Tool(
    name="temporal",
    title="Temporal",
    version="1.5.1",
    package="github.com/temporalio/cli/cmd/temporal",
    image="temporalio/temporal:1.5.1",
    # Dev servers before CLI 1.2 (server 1.26) drop --sqlite-pragma (temporalio/cli#681).
    proof=re.compile(r"temporal version .*Server (1\.(2[6-9]|[3-9]\d)|[2-9])\b"),
    ways=(download, copy_from_image, build_with_go),
)
"""Newest CLI that builds from published modules alone."""

REGISTRY = Tool(
    name="registry",
    title="the distribution registry",
    version="3.1.2",
    package="github.com/distribution/distribution/v3/cmd/registry",
    image="registry:3",
    proof=re.compile(r"distribution/v3 v3\.|docker/distribution v?2\.[89]"),
    ways=(copy_from_image, build_with_go),
)
