"""Sends events at a rate or in a burst and measures until the receiver has them all."""

import asyncio
import json
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
NUMBER = re.compile(rb'"imageId": ?"([0-9a-f]{64})"')


class CountingReceiver:
    """Answers 200 and notes when each event's number came."""

    def __init__(self) -> None:
        self.arrived: dict[int, float] = {}
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                found = NUMBER.search(body)
                if found:
                    self.arrived.setdefault(int(found[1], 16), time.monotonic())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


class Sender:
    """Posts notifications over `count` kept connections, as cheaply as a registry does."""

    def __init__(self, port: int, authorization: str) -> None:
        self.head = (
            f"POST /notifications/dist HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Authorization: {authorization}\r\nContent-Type: application/json\r\n"
        )
        self.port = port
        self.idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]

    async def open(self, count: int) -> None:
        self.idle = asyncio.Queue()
        for _ in range(count):
            self.idle.put_nowait(await asyncio.open_connection("127.0.0.1", self.port))

    async def post(self, document: object) -> float:
        """Give the seconds that the answer took, once there was a connection for it."""
        body = json.dumps(document).encode()
        reader, writer = await self.idle.get()
        if reader.at_eof():  # the server closes what was idle for long
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        began = time.monotonic()
        writer.write(f"{self.head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        answer = await reader.readexactly(length)
        self.idle.put_nowait((reader, writer))
        if not head.startswith(b"HTTP/1.1 202"):
            raise RuntimeError(f"not accepted: {answer.decode()}")
        return time.monotonic() - began

    def close(self) -> None:
        while not self.idle.empty():
            self.idle.get_nowait()[1].close()


@dataclass
class Result:
    """One phase. Times in seconds; `cpu` is seconds of processor per event by process."""

    count: int
    accepted_in: float
    delivered_in: float
    answers: list[float] = field(default_factory=list)
    journeys: list[float] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def phase(
    accept: Callable[[int], Awaitable[None]],
    numbers: range,
    receiver: CountingReceiver,
    pids: Mapping[str, int],
    *,
    concurrency: int = 50,
    rate: float | None = None,
) -> Result:
    """Send `numbers`, at `rate` per second or as fast as `concurrency` allows."""
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    sent: dict[int, float] = {}
    answers: list[float] = []
    places = asyncio.Semaphore(concurrency)

    async def one(number: int) -> None:
        async with places:
            sent[number] = time.monotonic()
            await accept(number)
            answers.append(time.monotonic() - sent[number])

    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for index, number in enumerate(numbers):
            if rate:
                await asyncio.sleep(max(0, began + index / rate - time.monotonic()))
            group.create_task(one(number))
    accepted_in = time.monotonic() - began
    deadline = began + accepted_in + 180
    while any(number not in receiver.arrived for number in numbers):
        if time.monotonic() > deadline:
            missing = [n for n in numbers if n not in receiver.arrived]
            raise SystemExit(f"{len(missing)} events never arrived")
        await asyncio.sleep(0.05)
    delivered_in = max(receiver.arrived[number] for number in numbers) - began
    await asyncio.sleep(1)
    return Result(
        count=len(numbers),
        accepted_in=accepted_in,
        delivered_in=delivered_in,
        answers=sorted(answers),
        journeys=sorted(receiver.arrived[n] - sent[n] for n in numbers),
        cpu={name: (cpu_seconds(pid) - before[name]) / len(numbers) for name, pid in pids.items()},
    )


def percentile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]
