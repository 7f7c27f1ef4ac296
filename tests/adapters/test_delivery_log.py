import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from activities.attempt_failure import DELIVERY_QUEUED
from portcall.adapters.delivery_log import TemporalDeliveryLog, WebUi
from portcall.attempts import Outcome
from portcall.errors import ConflictError
from portcall.ids import DeliveryKey, delivery_attributes, delivery_workflow_id
from portcall.log import DeliveryDetail
from tests.workflows.scripted import QUICK, ScriptedAttempts, an_event, scripted_worker
from workflows.delivery import DeliveryInput, DeliveryResult, DeliveryWorkflow

Delivery = WorkflowHandle[DeliveryWorkflow, DeliveryResult]


async def begun(client: Client, queue: str) -> Delivery:
    event = an_event()
    return await client.start_workflow(
        DeliveryWorkflow.run,
        DeliveryInput(event=event, policy="p", target="ci", retry=QUICK),
        id=delivery_workflow_id(DeliveryKey(event.source, event.id, "p", "ci")),
        task_queue=queue,
        search_attributes=delivery_attributes(event, "p", "ci"),
    )


async def ended(client: Client, queue: str) -> Delivery:
    """Run a delivery to its end, whatever that is."""
    handle = await begun(client, queue)
    with contextlib.suppress(WorkflowFailureError):
        await handle.result()
    return handle


def the_log(client: Client) -> TemporalDeliveryLog:
    return TemporalDeliveryLog(client, WebUi(None, client.namespace))


async def until(log: TemporalDeliveryLog, delivery_id: str, outcome: str) -> DeliveryDetail:
    async with asyncio.timeout(10):
        while (shown := await log.delivery(delivery_id)).outcome != outcome:
            await asyncio.sleep(0.05)
    return shown


@pytest.mark.parametrize("ours", ["StoreUnavailable", "OutOfResources"])
async def test_an_outage_of_ours_is_no_attempt_and_does_not_change_the_wait_that_was_decided(
    temporal_client: Client, ours: str
) -> None:
    away = ApplicationError("it is ours", type=ours)
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


async def test_a_queued_delivery_shows_why_and_since_when_and_can_be_tried_now(
    temporal_client: Client,
) -> None:
    full = ApplicationError("the target ci is full", type=DELIVERY_QUEUED, non_retryable=True)
    log = the_log(temporal_client)
    async with scripted_worker(temporal_client, ScriptedAttempts(full, full, 200)) as queue:
        handle = await begun(temporal_client, queue)
        shown = await until(log, handle.id, "queued")
        assert (shown.reason, shown.attempt_records) == ("the target ci is full", ())
        assert (shown.held_since, shown.next_attempt_at) == (None, None)
        assert shown.queued_since
        assert shown.started_at <= shown.queued_since <= datetime.now(UTC)
        await log.retry_now(handle.id)
        async with asyncio.timeout(10):
            while (await log.delivery(handle.id)).queued_since != shown.queued_since:
                await asyncio.sleep(0.1)
        await handle.signal("retry_now")
        await handle.result()
    ended = await log.delivery(handle.id)
    assert (ended.outcome, ended.reason, ended.queued_since) == ("delivered", None, None)


async def test_a_queue_does_not_change_the_wait_that_was_decided(temporal_client: Client) -> None:
    full = ApplicationError("the target ci is full", type=DELIVERY_QUEUED, non_retryable=True)
    log = the_log(temporal_client)
    async with scripted_worker(temporal_client, ScriptedAttempts(503, full, 200)) as queue:
        handle = await begun(temporal_client, queue)
        await until(log, handle.id, "queued")
        await log.retry_now(handle.id)
        await handle.result()
    records = (await log.delivery(handle.id)).attempt_records
    assert [record.next_attempt_in for record in records] == [timedelta(milliseconds=20), None]


async def test_one_that_waits_for_its_turn_says_so_and_cannot_come_sooner(
    temporal_client: Client,
) -> None:
    log = the_log(temporal_client)
    event = an_event()
    key = DeliveryKey(event.source, event.id, "p", "ci")
    handle = await temporal_client.start_workflow(
        DeliveryWorkflow.run,
        DeliveryInput(event=event, policy="p", target="ci", lane="lane"),
        id=delivery_workflow_id(key),
        task_queue=f"nobody-{event.id}",
        search_attributes=delivery_attributes(event, "p", "ci", Outcome.WAITING),
    )
    shown = await until(log, handle.id, "waiting")
    assert shown.reason
    assert "earlier delivery" in shown.reason
    assert shown.queued_since == shown.started_at
    with pytest.raises(ConflictError, match="waits for its turn"):
        await log.retry_now(handle.id)
    await handle.terminate()
