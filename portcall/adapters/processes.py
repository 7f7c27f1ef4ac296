"""Child processes that never outlive us, and ports for them to listen on."""

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

from portcall.errors import ConfigurationError

_PR_SET_PDEATHSIG = 1
_MANY_FILES = 65_536


def _leash() -> Callable[[], None] | None:
    """Give what a child runs before its program, so that the kernel ends it with its parent.

    Only Linux can (prctl(2)). The signal comes when the starting *thread* ends, so children
    are started by the main thread.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return before_exec


def start_tool(
    command: Sequence[str | Path], *, env: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a program in a process group of its own, for `stop_tool` to end with its children."""
    return subprocess.Popen(  # noqa: S603 - the commands are ours
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=_leash(),  # noqa: PLW1509 - calls prctl and nothing else
    )


def stop_tool(process: subprocess.Popen[bytes]) -> None:
    """Kill what `start_tool` started, its children with it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


async def start_server(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    log: IO[bytes] | int,
    cwd: Path | None = None,
) -> Process:
    """Start a server in a session of its own: a Ctrl-C in the terminal reaches only us."""
    return await asyncio.create_subprocess_exec(
        *command,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=_leash(),
    )


async def stop_server(process: Process, grace: float) -> None:
    """Ask a server to end (SIGTERM), kill it where it has not after `grace` seconds.

    Without grace it is killed at once. One that has ended already is fine.
    """
    if grace:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    try:
        await asyncio.wait_for(process.wait(), grace)  # a grace of 0 times out at once
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def allow_many_files() -> None:
    """Let this process open as many files as it may, and so hold as many connections.

    It may ask for far more than it is given to begin with, often 1,024, which a worker whose
    receivers are slow needs for them alone.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, _MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):  # macOS has a lower limit beside this
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def free_port(host: str = "127.0.0.1") -> int:
    """Give a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def claim_port(host: str, port: int, option: str) -> int:
    """Give `port`, or a free one for 0; raise ConfigurationError where it cannot be had."""
    if port == 0:
        return free_port(host)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another port with {option}"
        ) from None
    return port


def leave(ended: SystemExit) -> NoReturn:
    """End this process with the code of `ended`, without taking the interpreter apart first.

    Threads of the Temporal SDK may still call into it, and then the process aborts (SIGABRT)
    although all went well. What is open must have been closed before.
    """
    code = ended.code
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
