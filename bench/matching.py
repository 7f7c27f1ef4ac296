"""`python -m bench.matching`: what matching one event costs as the policies grow.

Sizes take turns in every round, so that a machine's drift falls on all alike. Then: what so many
policies weigh, and how soon a change takes effect on both databases.
"""

import argparse
import asyncio
import contextlib
import gc
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.effect import measure_effect
from bench.load import percentile
from portcall.events import RegistryEvent
from portcall.matching import match_event
from portcall.policies import Policy
from portcall.ports import PolicySnapshot
from tests.fixtures.postgres import PostgresServer

SIZES = (100, 1_000, 10_000)
EVENTS = ("none", "one", "ten")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
_CLASSES = (r"[a-z]*", r"[0-9]*", r"\w*", r"[^/]*")

Times = dict[int, dict[str, list[float]]]


def _classes(number: int) -> str:
    return "".join(_CLASSES[number // 4**place % 4] for place in range(5))


# The match of the policies of one team, by the team's number. A team's repositories are
# org-N/team-N/app, pushed to registry-N with the tag v1.2.3.
MIXES: dict[str, Callable[[int], dict[str, Any]]] = {
    "literal `in`": lambda n: {
        "repository": {"in": [f"org-{n % 50}/team-{n}/{name}" for name in ("app", "web", "api")]},
        "tag": {"in": ["latest", "stable", "v1.2.3"]},
    },
    "globs": lambda n: {
        "repository": {"glob": f"org-{n % 50}/team-{n}/**"},
        "tag": {"glob": "v*"},
    },
    "regexes with a literal inside": lambda n: {
        "repository": {"regex": rf"(org|old)-\d+/team-{n}/(app|web)(-\w+)?"},
        "tag": {"regex": r"v\d+\.\d+\.\d+"},
    },
    "regexes without any literal": lambda n: {
        "project": {"in": [f"org-{n % 50}"]},
        "repository": {"in": [f"org-{n % 50}/team-{n}/app"]},
        "tag": {"regex": rf"[a-z]\d+\.\d+(\.\d+){{1,{1 + n % 50}}}"},
    },
    "by source": lambda n: {
        "sources": [f"registry-{n % 50}"],
        "event_types": ["artifact.*"],
        "repository": {"glob": f"*/team-{n}/*"},
    },
    "by project": lambda n: {
        "project": {"in": [f"org-{n % 50}"]},
        "repository": {"regex": rf".+/team-{n}/.+"},
    },
    "tags by semver": lambda n: {
        "repository": {"glob": f"org-{n % 50}/team-{n}/*"},
        "tag": {"semver": f">=1.{n % 3}.0 <{2 + n % 30}"},
    },
}
_SORTS = list(MIXES.values())
MIXES["all of these"] = lambda n: _SORTS[n % len(_SORTS)](n)

WORST: dict[str, Callable[[int], dict[str, Any]]] = {
    "1,000 regexes without any literal": lambda n: {
        "actor": {"in": [f"robot-{n}"]},
        "repository": {"regex": rf"\S+{_classes(n % 1000)}(\d[A-Z])?"},
    },
}
"""What no index helps with: each of those expressions is tried on every event, and fits."""


def policies(mix: Callable[[int], dict[str, Any]], count: int) -> tuple[Policy, ...]:
    """Make policies: ten of the first team, one of each other."""
    return tuple(
        Policy(name=f"p{number:05}", targets=["ci"], match=mix(max(0, number - 9)))
        for number in range(count)
    )


def happened(kind: str, count: int) -> RegistryEvent:
    """Make an event that none, one or ten of so many policies want."""
    team = {"none": count + 50, "one": count // 2, "ten": 0}[kind]
    return RegistryEvent(
        id="1",
        source=f"registry-{team % 50}",
        kind="harbor",
        type="artifact.pushed",
        occurred_at=NOW,
        received_at=NOW,
        project=f"org-{team % 50}",
        repository=f"org-{team % 50}/team-{team}/app",
        tags=("v1.2.3",),
        actor=f"robot-{team}",
        digest="sha256:" + "0" * 64,
    )


def measure(
    mix: Callable[[int], dict[str, Any]], sizes: tuple[int, ...], rounds: int, repeats: int
) -> Times:
    """Give the seconds of every match, by size and sort of event."""
    snapshots = {size: PolicySnapshot(policies(mix, size)) for size in sizes}
    times: Times = {size: defaultdict(list) for size in sizes}
    gc.collect()
    for _ in range(rounds):
        for size, snapshot in snapshots.items():
            for kind in EVENTS:
                event = happened(kind, size)
                for _ in range(repeats):
                    began = time.perf_counter()
                    match_event(snapshot, event, ())
                    times[size][kind].append(time.perf_counter() - began)
    return times


def ratios(times: Times) -> dict[str, float]:
    """Compare the medians of the largest and the smallest size, by sort of event."""
    small, *_, large = (times[size] for size in sorted(times))
    return {kind: statistics.median(large[kind]) / statistics.median(small[kind]) for kind in small}


def rows(name: str, times: Times) -> Iterator[list[str]]:
    """Give the table's rows of one mix."""
    largest = max(times)
    for size, by_kind in times.items():
        cells = [f"{size:,}"]
        for kind, taken in by_kind.items():
            middle, late = (percentile(sorted(taken), s) * 1e6 for s in (0.5, 0.99))
            times_as_much = f" ({ratios(times)[kind]:.2f}x)" if size == largest else ""
            cells.append(f"{middle:.0f} / {late:.0f}{times_as_much}")
        yield [name if size == min(times) else "", *cells]


def match_table(rounds: int, repeats: int) -> Table:
    """Measure every mix."""
    table = Table(title="µs to match one event: median / p99")
    for column in ("policies by", "policies", "wanted by none", "by one", "by ten"):
        table.add_column(column, justify="left" if column == "policies by" else "right")
    for name, mix in (MIXES | WORST).items():
        print(f"{name} …", flush=True)
        for cells in rows(name, measure(mix, SIZES, rounds, repeats)):
            table.add_row(*cells)
        table.add_section()
    return table


def effect_table(changes: int) -> Table:
    """Measure how soon a change takes effect, in SQLite and in PostgreSQL."""
    table = Table(title="one policy of so many is changed: ms, median / longest")
    for column in ("database", "policies", "shown after", "an event waits", "loop stands still"):
        table.add_column(column, justify="left" if column == "database" else "right")
    for column in ("first reading s", "memory MB"):
        table.add_column(column, justify="right")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "postgres").mkdir()
        folder.chmod(0o755)
        server = PostgresServer(folder / "postgres")
        server.start()
        stack.callback(server.stop, "immediate")
        for size in SIZES:
            server.execute(f"CREATE DATABASE bench_{size}")
            urls = {
                "SQLite": f"sqlite:///{folder}/{size}.db",
                "PostgreSQL": server.url(f"bench_{size}"),
            }
            for name, url in urls.items():
                print(f"{name}, {size:,} policies …", flush=True)
                rules = policies(MIXES["all of these"], size)
                effect = asyncio.run(measure_effect(url, rules, changes))
                lists = (effect.shown, effect.waited, effect.stalled)
                cells = [f"{statistics.median(t) * 1e3:.0f} / {max(t) * 1e3:.0f}" for t in lists]
                grown = f"{effect.grown:.0f}" if name == "SQLite" else ""
                table.add_row(name, f"{size:,}", *cells, f"{effect.read:.1f}", grown)
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.matching", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--changes", type=int, default=10)
    given = parser.parse_args()
    began = time.monotonic()
    effects = effect_table(given.changes)
    matches = match_table(given.rounds, given.repeats)
    for table in (matches, effects):
        Console(width=120).print(table)
    print(f"took {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
