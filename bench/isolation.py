"""`python -m bench.isolation`: what receivers that hang cost the others.

Some targets, each with a receiver and a policy of its own; events come at a third of the rate
that the same run first measured. In one phase all receivers answer, in the other some accept
connections and never answer. Compared is how long the healthy ones' events take to arrive.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.load import CountingReceiver, Result, Sender, percentile, phase
from portcall.adapters.devserver import start_dev_server
from portcall.adapters.tools import find_temporal
from portcall.settings import load_settings
from tests.fixtures.portcall import BEARER, SOURCE_TOKEN, Portcall, push
from tests.fixtures.temporal import connected

SHARE = 3
"""Events come at one part in so many of what was delivered in a burst."""


class HangingReceiver:
    """Accepts connections, reads, and never answers."""

    def __init__(self) -> None:
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                pass
        writer.close()


@dataclass
class Bench:
    """A running installation with `count` targets that answer and some that hang."""

    portcall: Portcall
    sender: Sender
    receiver: CountingReceiver
    pids: dict[str, int]
    healthy: int
    next_number: int = 1

    def numbers(self, count: int) -> range:
        first, self.next_number = self.next_number, self.next_number + count
        return range(first, self.next_number)

    async def notify(self, number: int) -> None:
        await self.post(f"t{number % self.healthy}", number)

    async def post(self, target: str, number: int) -> None:
        """Send an event for a target, again where it is not accepted, as a registry does."""
        for _ in range(20):
            with contextlib.suppress(RuntimeError):
                await self.sender.post(push(f"prod/{target}", number=number))
                return
            await asyncio.sleep(0.5)
        raise SystemExit(f"the event {number} was never accepted")

    async def trickle(self, targets: list[str], rate: float) -> None:
        """Send events for these targets in turn, at `rate` in all, until cancelled."""
        began, sent = time.monotonic(), 0
        while True:
            await asyncio.sleep(max(0, began + sent / rate - time.monotonic()))
            [number] = self.numbers(1)
            await self.post(targets[sent % len(targets)], number)
            sent += 1

    async def run(self, others: list[str], rate: float, seconds: int) -> Result:
        """Send to the healthy, measured, and to the others beside them, for so long."""
        share = self.healthy / (self.healthy + len(others))
        measured = self.numbers(max(1, round(rate * share * seconds)))
        beside = asyncio.create_task(self.trickle(others, rate * (1 - share)))
        try:
            return await phase(self.notify, measured, self.receiver, self.pids, rate=rate * share)
        finally:
            beside.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beside

    async def cancel(self, targets: list[str]) -> None:
        """End what is still open for these targets, so that the next phase begins without it."""
        for target in targets:
            for outcome in ("queued", "retrying", "delivering"):
                query: dict[str, Any] = {"target": target, "outcome": outcome, "limit": 200}
                page = (await self.portcall.api.get("/api/v1/deliveries", params=query)).json()
                for item in page["items"]:
                    await self.portcall.api.post(f"/api/v1/deliveries/{item['id']}/cancel")
        await asyncio.sleep(16)  # attempts under way end at their time-out


@contextlib.asynccontextmanager
async def running(healthy: int, others: int, console: Console) -> AsyncIterator[Bench]:
    program = find_temporal(load_settings().cache_dir, console.print)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "temporal").mkdir()
        (folder / "portcall").mkdir()
        temporal = await start_dev_server(program, folder / "temporal")
        stack.push_async_callback(temporal.stop, 0)
        await connected(temporal)
        portcall = Portcall(folder / "portcall", temporal.address)
        stack.push_async_callback(portcall.stop)
        await portcall.start()
        stack.push_async_callback(portcall.kill_worker)  # it would wait for attempts that hang
        receiver = await _configure(portcall, healthy, others)
        sender = Sender(portcall.port, BEARER["Authorization"])
        await sender.open(50)
        stack.callback(sender.close)
        assert portcall.api_process
        pids = {
            "server": temporal.process.pid,
            "api": portcall.api_process.pid,
            "worker": portcall.workers[0].pid,
        }
        yield Bench(portcall, sender, receiver, pids, healthy)


async def _configure(portcall: Portcall, healthy: int, others: int) -> CountingReceiver:
    """Make the targets `t…` that answer, `o…` that do too, and `h…` that hang."""
    auth = {"type": "bearer", "token": SOURCE_TOKEN}
    await portcall.put("sources", name="dist", kind="distribution", auth=auth)
    first = CountingReceiver()
    names = [f"t{n}" for n in range(healthy)]
    names += [f"{kind}{n}" for kind in "oh" for n in range(others)]
    for name in names:
        receiver = HangingReceiver() if name.startswith("h") else CountingReceiver()
        if isinstance(receiver, CountingReceiver):
            receiver.arrived = first.arrived
        await receiver.start()
        await portcall.put("targets", name=name, url=f"http://127.0.0.1:{receiver.port}/hook")
        match = {"repository": {"in": [f"prod/{name}"]}}
        await portcall.put("policies", name=name, targets=[name], match=match)
    await asyncio.sleep(1.5)
    return first


def table(results: dict[str, list[Result]]) -> Table:
    shown = Table()
    for column in ("", "events", "arrival p50 ms", "p90", "p99", "longest", "CPU ms an event"):
        shown.add_column(column)
    for name, rounds in results.items():
        journeys = sorted(j for result in rounds for j in result.journeys)
        cpu = {
            part: sum(r.cpu[part] * r.count for r in rounds) / sum(r.count for r in rounds)
            for part in rounds[0].cpu
        }
        shown.add_row(
            name,
            str(len(journeys)),
            *(f"{percentile(journeys, share) * 1000:.0f}" for share in (0.5, 0.9, 0.99)),
            f"{journeys[-1] * 1000:.0f}",
            " ".join(f"{part} {seconds * 1000:.0f}" for part, seconds in cpu.items()),
        )
    return shown


def ratio(results: dict[str, list[Result]], share: float) -> float:
    """Give the hanging phases' percentile by the healthy ones', all rounds together."""
    healthy, hanging = (
        percentile(sorted(j for result in rounds for j in result.journeys), share)
        for rounds in results.values()
    )
    return hanging / healthy


async def measure(given: argparse.Namespace) -> None:
    console = Console(width=120)
    healthy = given.targets - given.hanging
    async with running(healthy, given.hanging, console) as bench:
        await phase(bench.notify, bench.numbers(20), bench.receiver, bench.pids)
        burst = await phase(bench.notify, bench.numbers(given.burst), bench.receiver, bench.pids)
        rate = burst.count / burst.delivered_in / SHARE
        console.print(
            f"{burst.count / burst.delivered_in:.1f} events a second in a burst of {burst.count};"
            f" {rate:.1f} a second from here on"
        )
        kinds = {
            "all answer": [f"o{n}" for n in range(given.hanging)],
            f"{given.hanging} of {given.targets} hang": [f"h{n}" for n in range(given.hanging)],
        }
        results: dict[str, list[Result]] = {name: [] for name in kinds}
        for turn in range(given.rounds):
            for name, others in kinds.items():
                console.print(f"round {turn + 1} of {given.rounds}: {name}, {given.seconds} s")
                results[name].append(await bench.run(others, rate, given.seconds))
            if turn + 1 < given.rounds:
                await bench.cancel(kinds[name])
    console.print(table(results))
    pairs = zip(*results.values(), strict=True)
    rounds = (percentile(b.journeys, 0.99) / percentile(a.journeys, 0.99) for a, b in pairs)
    console.print(
        f"hanging by healthy: p50 {ratio(results, 0.5):.2f}, p99 {ratio(results, 0.99):.2f}"
        f" (p99 round by round: {' '.join(f'{r:.2f}' for r in rounds)})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.isolation", description=__doc__)
    parser.add_argument("--targets", type=int, default=10)
    parser.add_argument("--hanging", type=int, default=1, help="how many of the targets")
    parser.add_argument("--seconds", type=int, default=60, help="length of each phase")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--burst", type=int, default=300, help="events of the first measurement")
    given = parser.parse_args()
    began = time.monotonic()
    asyncio.run(measure(given))
    print(f"took {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
