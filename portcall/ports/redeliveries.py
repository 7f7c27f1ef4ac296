"""Deliveries that failed, and sending many of them again."""

from datetime import datetime
from typing import Literal, Protocol

from portcall.redeliveries import (
    FailedCount,
    FailedFilter,
    FailedPage,
    FailedRun,
    Redelivery,
)

SentAgain = Literal["redelivered", "skipped"]


class FailedDeliveries(Protocol):
    """The deliveries that failed, each as its newest run stands."""

    async def count(self, wanted: FailedFilter) -> FailedCount:
        """Count them; exactly where they are not too many."""
        ...

    async def oldest(
        self, wanted: FailedFilter, *, after: datetime | None, before: datetime
    ) -> FailedPage:
        """Give those that began first, from the one time on and before the other."""
        ...

    async def send_again(self, run: FailedRun, *, reason: str, repeated: bool) -> SentAgain:
        """Reset a run, unless another is the newest one by now or it has not failed.

        `repeated`: this may be the second try, so that one which was reset from this very run is
        `redelivered`. Raise NotFoundError or ConflictError where it cannot be.
        """
        ...


class Redeliveries(Protocol):
    """Redeliveries under way and ended; Temporal keeps them as long as the log."""

    async def start(self, wanted: FailedFilter, reason: str) -> Redelivery:
        """Start one, or give the one of the same filter that is under way."""
        ...

    async def redelivery(self, redelivery_id: str) -> Redelivery:
        """Give one; raise NotFoundError."""
        ...

    async def cancel(self, redelivery_id: str) -> None:
        """End it after what it is doing; raise NotFoundError, or ConflictError where it ended."""
        ...
