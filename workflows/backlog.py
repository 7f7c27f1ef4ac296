"""One workflow per target for which deliveries are queued: it sends them on, oldest first."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.drain_backlog import DrainBacklog, Drained
    from portcall.events import Value


class BacklogInput(Value):
    """Whose queue."""

    target: str


@workflow.defn
class BacklogWorkflow:
    """Send on what is queued for a target, until nothing is. No search attributes."""

    @workflow.run
    async def run(self, given: BacklogInput) -> int:
        """Look, send on, wait, until the queue is empty; give how many were sent on."""
        found: Drained = await workflow.execute_activity_method(
            DrainBacklog.drain_backlog,
            given.target,
            start_to_close_timeout=timedelta(minutes=5),
            retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=1)),
            summary=f"deliveries queued for {given.target}",
        )
        return found.signalled
