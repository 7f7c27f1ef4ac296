"""What a policy says of events that are over: how many match, which, and what the others fail on.

Which events they are, and reading them, is left to others.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from portcall.events import RegistryEvent, Value
from portcall.matching import Miss, explain
from portcall.policies import Policy

SAMPLES = 20


class Sample(Value):
    """An event that the policy would have matched."""

    id: str
    source: str
    type: str
    repository: str | None = None
    tags: tuple[str, ...] = ()
    received_at: datetime


class Backtest(Value):
    """What was found in a part of the log; parts add up, the newest first.

    `misses` counts events by the first condition that failed. `candidates` are those to be
    examined, `ruled_out` those that need not be, since their source, type or repository says
    enough: the first part alone counts them. `next_cursor` is null where all were examined.
    """

    examined: int = 0
    matched: int = 0
    samples: tuple[Sample, ...] = ()
    misses: dict[str, int] = {}
    since: datetime | None = None
    candidates: int | None = None
    ruled_out: int | None = None
    next_cursor: str | None = None

    def plus(self, later: "Backtest") -> "Backtest":
        """Add the part that follows."""
        misses = Counter(self.misses) + Counter(later.misses)
        return self.model_copy(
            update={
                "examined": self.examined + later.examined,
                "matched": self.matched + later.matched,
                "samples": (*self.samples, *later.samples)[:SAMPLES],
                "misses": dict(misses.most_common()),
                "next_cursor": later.next_cursor,
            }
        )


def examine(policy: Policy, events: Iterable[RegistryEvent]) -> Backtest:
    """Ask an enabled policy about events, its targets taken as enabled."""
    matches: list[RegistryEvent] = []
    misses: Counter[str] = Counter()
    for event in events:
        first = explain(policy, event, ())[0]
        if isinstance(first, Miss):
            misses[first.condition] += 1
        else:
            matches.append(event)
    return Backtest(
        examined=len(matches) + misses.total(),
        matched=len(matches),
        samples=tuple(Sample.model_validate(dict(event)) for event in matches[:SAMPLES]),
        misses=dict(misses.most_common()),
    )
