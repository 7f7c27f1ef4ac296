"""Sending again many deliveries that failed: which ones, in what order, how far it has come.

Pure: `workflows/redelivery.py` walks, the adapter asks Temporal. Only the newest run of a
delivery counts: the older ones, which were sent again already, stay in the search as failed.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from portcall.events import Value
from portcall.ids import derived_id
from portcall.log import Filter, Moment
from portcall.pings import PINGED
from portcall.search import DELIVERY_WORKFLOW, quote, timestamp, visibility_query

_GIVEN_UP = "ExecutionStatus IN ('Failed', 'TimedOut')"
_CLOSED = "ExecutionStatus IN ('Failed', 'TimedOut', 'Canceled', 'Terminated')"


class FailedFilter(Filter):
    """Which failed deliveries; absent `outcome`: all that were given up, whatever the reason.

    `since` and `until` say when a delivery began, as in the list; `failed_since` when it ended.
    """

    outcome: Literal["exhausted", "rejected", "blocked", "cancelled"] | None = None
    failed_since: Moment | None = None

    def named(self) -> dict[str, Any]:
        """Give what it asks for, as JSON has it; empty where it asks for nothing."""
        return self.model_dump(mode="json", exclude_none=True)

    def query(self) -> str:
        """Give the query for all runs that failed so; test events are never sent again."""
        parts = [visibility_query(DELIVERY_WORKFLOW, self), f"EventType != {quote(PINGED)}"]
        parts.append(_CLOSED if self.outcome else _GIVEN_UP)
        if self.failed_since:
            parts.append(f"CloseTime >= {timestamp(self.failed_since)}")
        return " AND ".join(parts)


def redelivery_id(wanted: FailedFilter) -> str:
    """Give the id of sending these again: the same filter twice is one redelivery."""
    return derived_id([json.dumps(wanted.named(), sort_keys=True)])


class FailedRun(Value):
    """A delivery that failed, and the run that did."""

    id: str
    run_id: str


class FailedPage(Value):
    """Some of them, oldest first; `after` is where the next page begins, None at the end."""

    runs: tuple[FailedRun, ...] = ()
    after: datetime | None = None


class FailedCount(Value):
    """How many there are; where it is not exact, runs that were sent again already count too."""

    count: int = 0
    exact: bool = True


class Progress(Value):
    """How far a redelivery has come.

    `skipped` were sent again by somebody else, or are under way; `failed` could not be sent
    again, `problem` is why the last of these.
    """

    redelivered: int = 0
    skipped: int = 0
    failed: int = 0
    problem: str | None = None

    @property
    def done(self) -> int:
        """How many were looked at."""
        return self.redelivered + self.skipped + self.failed

    def plus(self, more: "Progress") -> "Progress":
        """Add what was done since."""
        return Progress(
            redelivered=self.redelivered + more.redelivered,
            skipped=self.skipped + more.skipped,
            failed=self.failed + more.failed,
            problem=more.problem or self.problem,
        )

    def sentence(self, total: int) -> str:
        """Say it in one line, for the Web UI and the terminal."""
        parts = {"skipped": self.skipped, "failed": self.failed}
        more = "".join(f", {count} {name}" for name, count in parts.items() if count)
        return f"{self.redelivered} of {max(total, self.done)} sent again{more}"


class RedeliveryState(StrEnum):
    """Whether it goes on; `failed` only where somebody ended it from outside, or by a bug."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Redelivery(Progress):
    """One redelivery as it stands; `filter` is what was asked, `left` what is still to do."""

    id: str
    state: RedeliveryState
    filter: Mapping[str, Any]
    reason: str = ""
    total: int | None = None
    left: int | None = None
    started_at: datetime
    ended_at: datetime | None = None
    temporal_url: str | None = None
