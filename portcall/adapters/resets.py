"""Temporal's reset of a run to its first completed workflow task: a delivery is sent again."""

import uuid

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from portcall.adapters.temporal import translated
from portcall.errors import ConflictError

_BEGINNING = 20
"""Events among which the first completed workflow task stands, nearly always."""


async def reset_run(client: Client, workflow_id: str, run_id: str, reason: str) -> None:
    """Reset a run; asked twice of the same run, Temporal does it once.

    Signals and cancel requests of the old run are not applied again: an old `cancel` would end
    the new run at once.
    """
    point = await _reset_point(client, workflow_id, run_id)
    if point is None:
        raise ConflictError("The delivery ended before it began; there is nothing to repeat.")
    with translated():
        await client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
                reason=reason,
                workflow_task_finish_event_id=point,
                request_id=str(uuid.uuid5(uuid.NAMESPACE_OID, run_id)),
                reset_reapply_exclude_types=[
                    ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL,
                    ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_CANCEL_REQUEST,
                ],
            )
        )


async def was_reset_from(client: Client, workflow_id: str, run_id: str, base: str) -> bool:
    """Whether a run began as a reset of that other run; a copy of older resets comes before it."""
    handle, last = client.get_workflow_handle(workflow_id, run_id=run_id), ""
    with translated():
        async for event in handle.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
                last = event.workflow_task_failed_event_attributes.base_run_id or last
    return last == base


async def _reset_point(client: Client, workflow_id: str, run_id: str) -> int | None:
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    with translated():
        async for event in handle.fetch_history_events(page_size=_BEGINNING):
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                return event.event_id
    return None
