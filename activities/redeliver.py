"""The activities of a redelivery: count what failed, find it oldest first, send it again.

Sending again is safe to repeat, so that a worker may die at any point: a run that was reset is
the newest one no longer, and passed over.
"""

import asyncio
import time
from datetime import datetime

from temporalio import activity

from activities.heartbeats import heartbeats
from portcall.errors import ConflictError, InvalidInputError, NotFoundError
from portcall.events import Value
from portcall.ports import FailedDeliveries
from portcall.redeliveries import FailedCount, FailedFilter, FailedPage, FailedRun, Progress


class FindInput(Value):
    """Which failed deliveries, that began before the one time and not before the other."""

    filter: FailedFilter
    before: datetime
    after: datetime | None = None


class SendAgainInput(Value):
    """Some runs that failed, why they are sent again, and how many a second at most."""

    runs: tuple[FailedRun, ...]
    reason: str
    per_second: float


class Redeliver:
    """The activities with what they need: the failed deliveries."""

    def __init__(self, failed: FailedDeliveries) -> None:
        """Take what the worker built."""
        self._failed = failed

    @activity.defn(name="count_failed")
    async def count_failed(self, wanted: FailedFilter) -> FailedCount:
        """Count the deliveries that failed."""
        async with heartbeats():
            return await self._failed.count(wanted)

    @activity.defn(name="find_failed")
    async def find_failed(self, given: FindInput) -> FailedPage:
        """Give a page of them, oldest first."""
        async with heartbeats():
            return await self._failed.oldest(given.filter, after=given.after, before=given.before)

    @activity.defn(name="send_again")
    async def send_again(self, given: SendAgainInput) -> Progress:
        """Reset them one after another; what cannot be sent again stops none of the others."""
        progress, began = Progress(), time.monotonic()
        async with heartbeats():
            for number, run in enumerate(given.runs):
                due = began + number / given.per_second
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                progress = progress.plus(await self._one(run, given.reason))
        return progress

    async def _one(self, run: FailedRun, reason: str) -> Progress:
        repeated = activity.info().attempt > 1
        try:
            done = await self._failed.send_again(run, reason=reason, repeated=repeated)
        except (NotFoundError, ConflictError, InvalidInputError) as error:
            return Progress(failed=1, problem=f"{run.id}: {error.message}")
        return Progress.model_validate({done: 1})
