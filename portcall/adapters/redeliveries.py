"""Redeliveries on Temporal: started, shown as far as they are, cancelled."""

from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.client import WorkflowExecutionStatus as Status
from temporalio.common import WorkflowIDConflictPolicy

from portcall.adapters.delivery_log import WebUi
from portcall.adapters.temporal import translated
from portcall.errors import ConflictError, NotFoundError
from portcall.ids import TASK_QUEUE, redelivery_workflow_id
from portcall.redeliveries import (
    FailedFilter,
    Progress,
    Redelivery,
    RedeliveryState,
    redelivery_id,
)
from workflows.redelivery import PROGRESS, TOTAL, RedeliveryInput, RedeliveryWorkflow

FILTER, REASON = "filter", "reason"
_STATES = {
    Status.RUNNING: RedeliveryState.RUNNING,
    Status.COMPLETED: RedeliveryState.DONE,
    Status.CANCELED: RedeliveryState.CANCELLED,
}


class TemporalRedeliveries:
    """`ports.Redeliveries` on a Temporal client."""

    def __init__(self, client: Client, ui: WebUi, *, task_queue: str = TASK_QUEUE) -> None:
        """Start through `client`, to be run by the workers of `task_queue`; link into `ui`."""
        self._client = client
        self._ui = ui
        self._task_queue = task_queue

    async def start(self, wanted: FailedFilter, reason: str) -> Redelivery:
        """Start one, or give the one of the same filter that is under way."""
        identity = redelivery_id(wanted)
        asked = ", ".join(f"{name} {value}" for name, value in wanted.named().items())
        with translated():
            await self._client.start_workflow(
                RedeliveryWorkflow.run,
                RedeliveryInput(filter=wanted, reason=reason),
                id=redelivery_workflow_id(identity),
                task_queue=self._task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                memo={FILTER: wanted.named(), REASON: reason},
                static_summary=f"sends again what failed: {asked}"[:200],
                rpc_timeout=timedelta(seconds=5),
            )
        return await self.redelivery(identity)

    async def redelivery(self, redelivery_id: str) -> Redelivery:
        """Give one, from what its workflow notes beside its history: no worker is needed."""
        found = await self._describe(redelivery_id)
        progress: Progress = await found.memo_value(PROGRESS, Progress(), type_hint=Progress)
        total: int | None = await found.memo_value(TOTAL, None)
        return Redelivery(
            **dict(progress),
            id=redelivery_id,
            state=_STATES.get(found.status or Status.FAILED, RedeliveryState.FAILED),
            filter=await found.memo_value(FILTER, {}),
            reason=await found.memo_value(REASON, ""),
            total=total,
            left=None if total is None else max(0, total - progress.done),
            started_at=found.start_time,
            ended_at=found.close_time,
            temporal_url=self._ui.link(found.id, found.run_id),
        )

    async def cancel(self, redelivery_id: str) -> None:
        """Ask Temporal to cancel it."""
        found = await self._describe(redelivery_id)
        if found.status is not Status.RUNNING:
            raise ConflictError("The redelivery has ended; there is nothing to cancel.")
        with translated():
            await self._client.get_workflow_handle(found.id).cancel()

    async def _describe(self, redelivery_id: str) -> WorkflowExecutionDescription:
        handle = self._client.get_workflow_handle(redelivery_workflow_id(redelivery_id))
        try:
            with translated():
                return await handle.describe()
        except NotFoundError:
            raise NotFoundError(
                f"There is no redelivery {redelivery_id}, or its log's retention is over."
            ) from None
