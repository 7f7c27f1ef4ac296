"""One workflow per target for which deliveries are queued: it sends them on, oldest first.

It ends once a look, begun when Temporal's search had caught up with the last who asked for it,
found the queue empty. So nobody who is queued just then is forgotten.
"""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.drain_backlog import DrainBacklog, Drained, DrainInput
    from portcall.durations import about
    from portcall.events import Value
    from workflows.long_history import is_long


class BacklogInput(Value):
    """Whose queue, and what the run before has done, and when it was last asked to look.

    `search_lag` is how far behind Temporal's search may be, `settle` the wait for it before the
    first look, which would otherwise find those that were queued last.
    """

    target: str
    sent: int = 0
    last: Drained = Drained()
    asked_at: datetime | None = None
    search_lag: timedelta = timedelta(seconds=6)
    settle: timedelta = timedelta(milliseconds=500)
    longest_history: int = 4000


class BacklogResult(Value):
    """How many deliveries were told to go."""

    sent: int


@workflow.defn
class BacklogWorkflow:
    """Send on what is queued for a target, until nothing is.

    Signals: `more` says that another delivery was queued, or with True that the target may
    have room now, whatever the last look said. No search attributes.
    """

    @workflow.init
    def __init__(self, given: BacklogInput) -> None:
        """Begin as if somebody had just asked."""
        self._asked_at = given.asked_at or workflow.now()
        self._look_now = False

    @workflow.signal
    def more(self, look_now: bool = False) -> None:
        """Do not end before having looked again; at once, where wanted."""
        self._asked_at = workflow.now()
        self._look_now = self._look_now or look_now

    @workflow.run
    async def run(self, given: BacklogInput) -> BacklogResult:
        """Look, send on, wait, until the queue is empty."""
        sent, last = given.sent, given.last
        if not sent:
            await workflow.sleep(given.settle, summary="let Temporal's search catch up")
        while True:
            self._look_now, began = False, workflow.now()
            last = await self._drain(given.target, last)
            sent += last.signalled
            if not last.left and began >= self._asked_at + given.search_lag:
                return BacklogResult(sent=sent)
            if is_long(given.longest_history):
                done = {"sent": sent, "last": last, "asked_at": self._asked_at}
                workflow.continue_as_new(given.model_copy(update=done))
            await self._wait(last, sent)

    async def _drain(self, target: str, last: Drained) -> Drained:
        found: Drained = await workflow.execute_activity_method(
            DrainBacklog.drain_backlog,
            DrainInput(target=target, oldest=last.oldest, at_once=last.at_once),
            start_to_close_timeout=timedelta(minutes=5),
            heartbeat_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=1)),
            summary=f"send on what is queued for {target}",
        )
        return found

    async def _wait(self, last: Drained, sent: int) -> None:
        """Wait for the next look, which the Web UI shows meanwhile."""
        due: datetime = workflow.now() + last.again_in
        why = f": {last.why}" if last.why else ""
        workflow.set_current_details(
            f"{sent} sent on, {last.left} left{why}; "
            f"the next look is at {due:%Y-%m-%d %H:%M:%S} UTC"
        )
        summary = f"{last.left} queued{why or f', next look in {about(last.again_in)}'}"
        try:
            await workflow.wait_condition(
                lambda: self._look_now, timeout=last.again_in, timeout_summary=summary
            )
        except TimeoutError:
            return
