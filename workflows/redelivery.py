"""One workflow per redelivery: walk over the deliveries that failed, send each again once.

It sends on the oldest first and at a bounded rate. What fails anew meanwhile began after this
did, so that the walk ends; what somebody else has sent again by then is passed over.
"""

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.redeliver import FindInput, Redeliver, SendAgainInput
    from portcall.events import Value
    from portcall.redeliveries import FailedFilter, FailedPage, FailedRun, Progress

PATIENT = RetryPolicy(maximum_interval=timedelta(minutes=1))
HEARTBEAT = timedelta(seconds=10)
LONGEST_STEP = timedelta(minutes=30)
TOGETHER = 40
"""Sent again in one activity: some seconds, after which the progress is shown."""

TOTAL, PROGRESS = "total", "progress"
"""Keys of the memo, from which the API reads how far it is, also without a worker."""


class RedeliveryInput(Value):
    """What is sent again and why; the rest is how far it had come when it continued as new."""

    filter: FailedFilter
    reason: str
    per_second: float = 20
    before: datetime | None = None
    after: datetime | None = None
    total: int | None = None
    progress: Progress = Progress()


@workflow.defn
class RedeliveryWorkflow:
    """Send again what failed. Memo: `total`, `progress`. No search attributes.

    A cancellation ends it as Canceled, after what is being sent again was counted.
    """

    @workflow.init
    def __init__(self, given: RedeliveryInput) -> None:
        """Begin where the run before left off."""
        self._given = given
        self._before = given.before or workflow.info().start_time
        self._progress = given.progress
        self._total = given.total or 0
        self._cancelled = False

    @workflow.run
    async def run(self, given: RedeliveryInput) -> Progress:
        """Count, then walk page after page."""
        if given.total is None:
            await self._count()
        after = given.after
        while True:
            page = await self._find(after)
            for start in range(0, len(page.runs), TOGETHER):
                await self._send_again(page.runs[start : start + TOGETHER])
            if page.after is None:
                return self._progress
            after = page.after
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._so_far(after))

    def _so_far(self, after: datetime) -> RedeliveryInput:
        found = {"before": self._before, "after": after}
        done = {"total": self._total, "progress": self._progress}
        return self._given.model_copy(update={**found, **done})

    async def _count(self) -> None:
        found = await workflow.execute_activity_method(
            Redeliver.count_failed,
            self._given.filter,
            start_to_close_timeout=LONGEST_STEP,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=PATIENT,
            summary="count what failed",
        )
        self._total = found.count
        workflow.upsert_memo({TOTAL: self._total})

    async def _find(self, after: datetime | None) -> FailedPage:
        return await workflow.execute_activity_method(
            Redeliver.find_failed,
            FindInput(filter=self._given.filter, before=self._before, after=after),
            start_to_close_timeout=LONGEST_STEP,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=PATIENT,
            summary="find the oldest that are left",
        )

    async def _send_again(self, runs: tuple[FailedRun, ...]) -> None:
        """Send some again and show how far it is; a cancellation waits until they are counted."""
        given = SendAgainInput(
            runs=runs, reason=self._given.reason, per_second=self._given.per_second
        )
        handle = workflow.start_activity_method(
            Redeliver.send_again,
            given,
            start_to_close_timeout=LONGEST_STEP,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=PATIENT,
            summary=f"{self._progress.done + 1} to {self._progress.done + len(runs)}",
        )
        self._progress = self._progress.plus(await self._counted(handle))
        workflow.upsert_memo({PROGRESS: self._progress})
        workflow.set_current_details(self._progress.sentence(self._total))
        if self._cancelled:
            raise asyncio.CancelledError

    async def _counted(self, handle: workflow.ActivityHandle[Progress]) -> Progress:
        while True:
            try:
                return await asyncio.shield(handle)
            except asyncio.CancelledError:
                self._cancelled = True
