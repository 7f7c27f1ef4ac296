"""`python -m bench [--rounds N] [--count N]`: both in turn on one server, then a table."""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table
from temporalio.client import Client

from bench import floor
from bench.load import CountingReceiver, Result, Sender, percentile, phase
from portcall.adapters.devserver import start_dev_server
from portcall.adapters.processes import start_server, stop_server
from portcall.adapters.tools import find_temporal
from portcall.settings import load_settings
from tests.fixtures.portcall import BEARER, Portcall, push
from tests.fixtures.temporal import connected

ROOT = Path(__file__).parents[1]
Accept = Callable[[int], Awaitable[None]]


async def transitions(client: Client, *prefixes: str) -> float:
    """Give the state transitions of one event: the mean over some of its workflows."""
    total = 0.0
    for prefix in prefixes:
        counts = []
        async for run in client.list_workflows(f"WorkflowId STARTS_WITH '{prefix}'", limit=20):
            info = (await client.get_workflow_handle(run.id).describe()).raw_description
            counts.append(info.workflow_execution_info.state_transition_count)
        total += statistics.mean(counts)
    return total


def row(name: str, results: list[Result], slow: Result) -> list[str]:
    middle = statistics.median
    answers = sorted(a for r in results for a in r.answers)
    journeys = sorted(j for r in results for j in r.journeys)
    return [
        name,
        f"{middle(r.count / r.accepted_in for r in results):.0f}",
        f"{middle(r.count / r.delivered_in for r in results):.1f}",
        *(f"{percentile(answers, share) * 1000:.0f}" for share in (0.5, 0.99)),
        *(f"{percentile(journeys, share):.1f}" for share in (0.5, 0.99)),
        *(f"{percentile(slow.answers, share) * 1000:.0f}" for share in (0.5, 0.99)),
        *(f"{percentile(slow.journeys, share) * 1000:.0f}" for share in (0.5, 0.99)),
        " ".join(
            f"{name} {middle(r.cpu[name] for r in results) * 1000:.0f}" for name in results[0].cpu
        ),
    ]


async def measure(rounds: int, count: int, seconds: int) -> None:
    console = Console()
    program = find_temporal(load_settings().cache_dir, console.print)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "temporal").mkdir()
        (folder / "portcall").mkdir()
        temporal = await start_dev_server(program, folder / "temporal")
        stack.push_async_callback(temporal.stop, 0)
        client = await connected(temporal)
        receiver = CountingReceiver()
        await receiver.start()
        url = f"http://127.0.0.1:{receiver.port}/hook"

        portcall = Portcall(folder / "portcall", temporal.address)
        stack.push_async_callback(portcall.stop)
        await portcall.start()
        await portcall.configure(url)
        env = {**os.environ, "TEMPORAL_ADDRESS": temporal.address, "FLOOR_URL": url}
        env["PYTHONPATH"] = str(ROOT)
        with (folder / "floor.log").open("ab") as log:
            worker = await start_server([sys.executable, "-m", "bench.floor"], env=env, log=log)
        stack.push_async_callback(stop_server, worker, 5)
        sender = Sender(portcall.port, BEARER["Authorization"])
        await sender.open(50)
        stack.callback(sender.close)

        async def notify(number: int) -> None:
            await sender.post(push(number=number))

        async def start(number: int) -> None:
            await floor.start(client, number)

        assert portcall.api_process
        server = temporal.process.pid
        contestants: dict[str, tuple[Accept, dict[str, int]]] = {
            "portcall": (
                notify,
                {
                    "server": server,
                    "api": portcall.api_process.pid,
                    "worker": portcall.workers[0].pid,
                },
            ),
            "floor": (start, {"server": server, "worker": worker.pid}),
        }
        bursts: dict[str, list[Result]] = {name: [] for name in contestants}
        slow: dict[str, Result] = {}
        first = 1_000_000
        for accept, pids in contestants.values():  # warm-up
            await phase(accept, range(first, first + 20), receiver, pids)
            first += 20
        for turn in range(rounds):
            for name, (accept, pids) in contestants.items():
                console.print(f"round {turn + 1} of {rounds}: {name}, {count} events, 50 at a time")
                result = await phase(accept, range(first, first + count), receiver, pids)
                bursts[name].append(result)
                first += count
        for name, (accept, pids) in contestants.items():
            console.print(f"{name}: 2 events a second for {seconds} s")
            slow[name] = await phase(
                accept, range(first, first + 2 * seconds), receiver, pids, rate=2
            )
            first += 2 * seconds
        table = Table(
            title=f"burst of {count} (median of {rounds} rounds), then 2/s for {seconds} s"
        )
        for column in (
            "", "accepted/s", "delivered/s", "answer p50 ms", "p99", "arrival p50 s", "p99",
            "2/s: answer p50 ms", "p99", "arrival p50 ms", "p99", "CPU ms an event",
        ):  # fmt: skip
            table.add_column(column)
        for name, results in bursts.items():
            table.add_row(*row(name, results, slow[name]))
        Console(width=160).print(table)
        await asyncio.sleep(1)
        ours = await transitions(client, "event:dist:", "delivery:dist:")
        theirs = await transitions(client, "floor-1", "floor-delivery-")
        pairs = zip(bursts["portcall"], bursts["floor"], strict=True)
        ratios = [
            (f.accepted_in / p.accepted_in, f.delivered_in / p.delivered_in) for p, f in pairs
        ]
        console.print(f"state transitions an event: portcall {ours:.1f}, floor {theirs:.1f}")
        console.print(
            "portcall/floor round by round: accepted "
            + " ".join(f"{a:.2f}" for a, _ in ratios)
            + ", delivered "
            + " ".join(f"{d:.2f}" for _, d in ratios)
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seconds", type=int, default=30, help="length of the phase at 2/s")
    given = parser.parse_args()
    began = time.monotonic()
    asyncio.run(measure(given.rounds, given.count, given.seconds))
    print(f"took {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
