import asyncio
import contextlib
from datetime import timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from portcall.adapters.delivery_log import TemporalDeliveryLog, WebUi
from portcall.ids import DeliveryKey, delivery_attributes, delivery_workflow_id
from tests.workflows.scripted import QUICK, ScriptedAttempts, an_event, scripted_worker
from workflows.delivery import DeliveryInput, DeliveryResult, DeliveryWorkflow

Delivery = WorkflowHandle[DeliveryWorkflow, DeliveryResult]


async def ended(client: Client, queue: str) -> Delivery:
    """Run a delivery to its end, whatever that is."""
    event = an_event()
    handle = await client.start_workflow(
        DeliveryWorkflow.run,
        DeliveryInput(event=event, policy="p", target="ci", retry=QUICK),
        id=delivery_workflow_id(DeliveryKey(event.source, event.id, "p", "ci")),
        task_queue=queue,
        search_attributes=delivery_attributes(event, "p", "ci"),
    )
    with contextlib.suppress(WorkflowFailureError):
        await handle.result()
    return handle


def the_log(client: Client) -> TemporalDeliveryLog:
    return TemporalDeliveryLog(client, WebUi(None, client.namespace))


async def test_an_outage_of_ours_does_not_change_the_wait_that_was_decided(
    temporal_client: Client,
) -> None:
    away = ApplicationError("the policy database is away", type="StoreUnavailable")
    async with scripted_worker(temporal_client, ScriptedAttempts(503, away, 200)) as queue:
        handle = await ended(temporal_client, queue)
    shown = await the_log(temporal_client).delivery(handle.id)
    assert [a.next_attempt_in for a in shown.attempt_records] == [timedelta(milliseconds=20), None]


async def test_an_attempt_without_a_record_is_shown_once_after_a_reset_to_a_later_task(
    temporal_client: Client,
) -> None:
    attempts = ScriptedAttempts(ValueError("bug"), 503, 404, 200)
    async with scripted_worker(temporal_client, attempts) as queue:
        handle = await ended(temporal_client, queue)
        first_run = (await handle.describe()).run_id
        tasks = [
            event.event_id
            for event in (await handle.fetch_history()).events
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        ]
        await temporal_client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=temporal_client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=first_run),
                reason="a test",
                workflow_task_finish_event_id=tasks[2],
                request_id=handle.id,
            )
        )
        newest = temporal_client.get_workflow_handle(handle.id)
        async with asyncio.timeout(20):
            while (await newest.describe()).close_time is None:
                await asyncio.sleep(0.1)
    shown = await the_log(temporal_client).delivery(handle.id)
    records = shown.attempt_records
    assert len(shown.runs) == 2
    assert [str(r.error.type) if r.error else r.http_status for r in records].count("internal") == 1
    assert records[0].run_id == first_run
    assert len({record.started_at for record in records}) == len(records)
