"""Keeps child processes running: starts one again when it ends, ends it when we do."""

import asyncio
import logging
import re
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path

from portcall.adapters.processes import start_server, stop_server
from portcall.errors import PortcallError

Say = Callable[[str], None]
Start = Callable[[], Awaitable[Process]]

LONGEST_PAUSE = 30.0
LOG_BYTES = 10_000_000
_ALARMING = re.compile(
    r'"level": ?"(warning|error|critical)"|\[(warning|error|critical) *\]'
    r"|^(warning|error|critical)\b",
    re.IGNORECASE,
)


@dataclass
class Kept:
    """A child process that is started again, with growing pauses, whenever it ends."""

    name: str
    start: Start
    say: Say
    process: Process

    async def keep(self) -> None:
        """Watch over it, for ever."""
        pause = 1.0
        while True:
            began = time.monotonic()
            code = await self.process.wait()
            if time.monotonic() - began > 2 * LONGEST_PAUSE:
                pause = 1.0
            self.say(f"{self.name} ended ({code}); starting it again in {pause:.0f} s")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            try:
                self.process = await self.start()
            except PortcallError as error:
                self.say(error.message)


@asynccontextmanager
async def kept_running(name: str, start: Start, say: Say, grace: float) -> AsyncIterator[Kept]:
    """Start it, keep it running for the block, then end it; it has `grace` seconds for that."""
    kept = Kept(name, start, say, await start())
    keeping = asyncio.create_task(kept.keep())
    try:
        yield kept
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await stop_server(kept.process, grace)


@asynccontextmanager
async def kept_part(
    name: str, log: Path, env: Mapping[str, str], say: Say, grace: float
) -> AsyncIterator[Kept]:
    """Keep `python -m name` running; what it writes goes to `log`, what alarms also to `say`."""
    file = RotatingFileHandler(log, maxBytes=LOG_BYTES, backupCount=1, delay=True)
    readers: set[asyncio.Task[None]] = set()

    async def start() -> Process:
        process = await start_server([sys.executable, "-m", name], env=env, log=PIPE)
        readers.add(asyncio.create_task(_pass_on(process, file, lambda x: say(f"{name}: {x}"))))
        return process

    try:
        async with kept_running(name, start, say, grace) as kept:
            yield kept
        await asyncio.gather(*readers)
    finally:
        for reader in readers:
            reader.cancel()
        file.close()


async def _pass_on(process: Process, file: logging.Handler, say: Say) -> None:
    if process.stdout is None:
        return
    while line := await _line(process.stdout):
        text = line.decode(errors="replace").rstrip("\n")
        file.emit(logging.makeLogRecord({"msg": text}))
        if _ALARMING.search(text):
            say(text)


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readuntil()
    except asyncio.IncompleteReadError as end:
        return end.partial
    except asyncio.LimitOverrunError as long:
        return await stream.read(long.consumed)
