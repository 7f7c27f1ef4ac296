import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.exceptions import CancelledError

from activities.attempt_delivery import AttemptInput
from activities.join_lane import JoinInput, LaneInput, Place, join_lane
from portcall.adapters.delivery_log import TemporalDeliveryLog, WebUi
from portcall.attempts import AttemptRecord, Outcome
from portcall.errors import ConflictError
from portcall.events import RegistryEvent
from portcall.ids import OUTCOME, event_attributes, event_workflow_id, lane_workflow_id
from portcall.matching import Match
from tests.workflows.scripted import (
    PATIENT,
    QUICK,
    ScriptedAttempts,
    ScriptedMatches,
    an_event,
    details,
    scripted_worker,
)
from workflows.delivery import DeliveryResult, DeliveryWorkflow
from workflows.lane import LaneWorkflow
from workflows.registry_event import RegistryEventInput, RegistryEventWorkflow
from workflows.turns import place_in

Delivery = WorkflowHandle[DeliveryWorkflow, DeliveryResult]
BURST = 10
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class Receiver(ScriptedAttempts):
    """A receiver that fails each fourth time, and notes how many were there at the same time."""

    def __init__(self) -> None:
        super().__init__(503, *[200, 200, 200, 503] * 10, 200)
        self.here = self.most_at_once = 0

    @activity.defn(name="attempt_delivery")
    async def attempt_delivery(self, attempt: AttemptInput) -> AttemptRecord:
        self.here += 1
        self.most_at_once = max(self.most_at_once, self.here)
        try:
            return await super().attempt_delivery(attempt)
        finally:
            self.here -= 1


class Ordered:
    """Events of a policy of the test's own that wants order."""

    def __init__(self, client: Client, queue: str, policy: str) -> None:
        self.client, self.queue, self.policy = client, queue, policy

    async def send(self, event: RegistryEvent) -> Delivery:
        """Run the event; give its delivery."""
        result = await self.client.execute_workflow(
            RegistryEventWorkflow.run,
            RegistryEventInput(event=event),
            id=event_workflow_id(event.source, event.id),
            task_queue=self.queue,
            search_attributes=event_attributes(event),
        )
        return self.client.get_workflow_handle_for(DeliveryWorkflow.run, result.deliveries[0])

    def lane(self, repository: str = "prod/app") -> str:
        return lane_workflow_id(self.policy, "ci", repository)


@asynccontextmanager
async def ordered(
    client: Client,
    attempts: ScriptedAttempts,
    retry: object = QUICK,
    join: Callable[..., object] = join_lane,
) -> AsyncIterator[Ordered]:
    policy = f"p-{uuid.uuid4().hex[:8]}"
    match = Match.model_validate(
        {"policy": policy, "target": "ci", "retry": retry, "ordered": True}
    )
    async with scripted_worker(client, attempts, ScriptedMatches(match), join=join) as queue:
        yield Ordered(client, queue, policy)


def pushes(count: int) -> list[RegistryEvent]:
    """Give events of one repository, a second apart."""
    return [an_event(occurred_at=LONG_AGO + timedelta(seconds=n)) for n in range(count)]


async def outcome(delivery: Delivery) -> str | None:
    return (await delivery.describe()).typed_search_attributes.get(OUTCOME)


async def until(delivery: Delivery, wanted: str) -> None:
    async with asyncio.timeout(10):
        while await outcome(delivery) != wanted:
            await asyncio.sleep(0.05)


async def until_it_says(handle: WorkflowHandle[Any, Any], wanted: str) -> None:
    while wanted not in await details(handle):
        await asyncio.sleep(0.05)


async def status(handle: Delivery) -> WorkflowExecutionStatus | None:
    return (await handle.describe()).status


async def results(deliveries: Sequence[Delivery]) -> None:
    async with asyncio.timeout(40):
        await asyncio.gather(*(delivery.result() for delivery in deliveries))


def nobody() -> Place:
    """Give the place of a delivery that does not exist."""
    run_id = str(uuid.uuid4())
    return Place(delivery="nobody", run_id=run_id, occurred_at=LONG_AGO, received_at=LONG_AGO)


async def signals(handle: WorkflowHandle[Any, Any]) -> int:
    """Count the signals in a workflow's history."""
    kind = "workflow_execution_signaled_event_attributes"
    return sum(event.HasField(kind) for event in (await handle.fetch_history()).events)


async def reset(client: Client, delivery: Delivery) -> None:
    """Reset to the first completed workflow task as the Web UI does: old signals are told again."""
    kind = "workflow_task_completed_event_attributes"
    events = (await delivery.fetch_history()).events
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=delivery.id),
            reason="a test",
            workflow_task_finish_event_id=next(e.event_id for e in events if e.HasField(kind)),
            request_id=uuid.uuid4().hex,
        )
    )


def log(client: Client) -> TemporalDeliveryLog:
    return TemporalDeliveryLog(client, WebUi(None, client.namespace))


async def test_a_burst_to_one_repository_arrives_one_by_one_and_in_order_of_occurrence(
    temporal_client: Client,
) -> None:
    receiver, events = Receiver(), pushes(BURST)
    receiver.proceed.clear()
    async with ordered(temporal_client, receiver) as policy:
        mixed = events[::2] + events[1::2][::-1]
        deliveries = await asyncio.gather(*(policy.send(event) for event in mixed))
        lane = temporal_client.get_workflow_handle(policy.lane())
        async with asyncio.timeout(20):
            while await signals(lane) < BURST:
                await asyncio.sleep(0.1)
        receiver.proceed.set()
        await results(deliveries)
        assert await lane.result() == BURST
    assert receiver.most_at_once == 1
    seen = list(dict.fromkeys(given.event.id for given in receiver.inputs))
    rest = [event.id for event in events if event.id != seen[0]]
    assert seen[1:] == rest
    assert len(receiver.inputs) > BURST


async def test_a_lane_goes_on_in_a_new_run_where_its_history_grows_long(
    temporal_client: Client,
) -> None:
    attempts = ScriptedAttempts(200)
    async with ordered(temporal_client, attempts) as policy:
        lane = await temporal_client.start_workflow(
            LaneWorkflow.run,
            LaneInput(longest=30),
            id=policy.lane(),
            task_queue=policy.queue,
            start_signal="join",
            start_signal_args=[nobody()],
        )
        await results(await asyncio.gather(*(policy.send(event) for event in pushes(8))))
        first = temporal_client.get_workflow_handle(lane.id, run_id=lane.result_run_id)
        assert await status(first) is WorkflowExecutionStatus.CONTINUED_AS_NEW
        assert await lane.result() <= 8
    assert len(attempts.inputs) == 8


async def test_a_lane_too_long_for_temporal_keeps_the_turn_and_the_oldest(
    temporal_client: Client,
) -> None:
    name = "delivery:" + "x" * 200
    places = [
        nobody().model_copy(
            update={"delivery": f"{name}{n}", "occurred_at": LONG_AGO + timedelta(seconds=n)}
        )
        for n in range(5500)
    ]
    current, *waiting, joining = places
    async with ordered(temporal_client, ScriptedAttempts(200)) as policy:
        lane = await temporal_client.start_workflow(
            LaneWorkflow.run,
            LaneInput(longest=6, current=current, waiting=tuple(waiting[::-1]), began=True),
            id=policy.lane(),
            task_queue=policy.queue,
        )
        first = temporal_client.get_workflow_handle(lane.id, run_id=lane.result_run_id)
        async with asyncio.timeout(10):
            while await status(first) is WorkflowExecutionStatus.RUNNING:
                await lane.signal(LaneWorkflow.join, joining)
                await asyncio.sleep(0.1)
        events = (await temporal_client.get_workflow_handle(lane.id).fetch_history()).events
        began = events[0].workflow_execution_started_event_attributes
        [given] = await temporal_client.data_converter.decode(began.input.payloads, [LaneInput])
        await temporal_client.get_workflow_handle(lane.id).terminate()
    assert given.current == current
    assert list(given.waiting) == waiting[:4000]


async def test_those_that_wait_go_in_order_of_occurrence(temporal_client: Client) -> None:
    attempts = ScriptedAttempts(503, 200)
    async with ordered(temporal_client, attempts, PATIENT) as policy:
        first, *others = pushes(4)
        head = await policy.send(first)
        await until(head, "retrying")
        waiting = [await policy.send(event) for event in reversed(others)]
        for delivery in waiting:
            await until(delivery, "waiting")
        await asyncio.sleep(0.5)
        assert len(attempts.inputs) == 1
        await head.signal(DeliveryWorkflow.retry_now)
        await results([head, *waiting])
    said = [given.event.id for given in attempts.inputs]
    assert said == [first.id, *(event.id for event in (first, *others))]
    assert {given.number for given in attempts.inputs[2:]} == {1}


async def test_other_repositories_do_not_wait(temporal_client: Client) -> None:
    async with ordered(temporal_client, ScriptedAttempts(503, 200), PATIENT) as policy:
        head = await policy.send(an_event())
        await until(head, "retrying")
        other = await policy.send(an_event(repository="prod/web"))
        assert (await other.result()).attempts == 1
        await head.signal(DeliveryWorkflow.cancel)


async def test_one_that_is_given_up_lets_the_next_go(temporal_client: Client) -> None:
    async with ordered(temporal_client, ScriptedAttempts(404, 200)) as policy:
        deliveries = [await policy.send(event) for event in pushes(2)]
        assert (await deliveries[1].result()).attempts == 1
        assert await status(deliveries[0]) is WorkflowExecutionStatus.FAILED


@pytest.mark.parametrize("how", ["signal", "request"])
async def test_one_that_is_cancelled_leaves_the_lane_wherever_it_stands(
    temporal_client: Client, how: str
) -> None:
    attempts = ScriptedAttempts(503, 200)
    async with ordered(temporal_client, attempts, PATIENT) as policy:
        first, second, third = pushes(3)
        head = await policy.send(first)
        await until(head, "retrying")
        waiting, last = await policy.send(second), await policy.send(third)
        await until(waiting, "waiting")
        for delivery in (waiting, head):
            if how == "signal":
                await delivery.signal(DeliveryWorkflow.cancel)
            else:
                await delivery.cancel()
        await results([last])
        assert await status(waiting) is WorkflowExecutionStatus.CANCELED
        assert await outcome(waiting) == "cancelled"
        assert await status(head) is WorkflowExecutionStatus.CANCELED
    assert [given.event.id for given in attempts.inputs] == [first.id, third.id]


@activity.defn(name="join_lane")
async def join_for_ever(_: JoinInput) -> None:
    await asyncio.Event().wait()


async def test_one_that_is_cancelled_before_it_has_joined_says_so(temporal_client: Client) -> None:
    async with ordered(temporal_client, ScriptedAttempts(200), join=join_for_ever) as policy:
        delivery = await policy.send(an_event())
        async with asyncio.timeout(10):
            while not (await delivery.describe()).raw_description.pending_activities:
                await asyncio.sleep(0.05)
        await delivery.cancel()
        with pytest.raises(WorkflowFailureError) as ended:
            await delivery.result()
        assert isinstance(ended.value.cause, CancelledError)
        assert await outcome(delivery) == "cancelled"


async def test_to_ask_again_does_not_jump_the_line(temporal_client: Client) -> None:
    attempts = ScriptedAttempts(503, 200)
    async with ordered(temporal_client, attempts, PATIENT) as policy:
        first, second = pushes(2)
        head = await policy.send(first)
        await until(head, "retrying")
        waiting = await policy.send(second)
        with pytest.raises(ConflictError, match="waits for its turn"):
            await log(temporal_client).retry_now(waiting.id)
        await waiting.signal(DeliveryWorkflow.retry_now)
        await asyncio.sleep(0.7)
        assert len(attempts.inputs) == 1
        await head.signal(DeliveryWorkflow.retry_now)
        await results([head, waiting])


async def test_the_web_ui_shows_how_an_ordered_delivery_and_its_lane_stand(
    temporal_client: Client,
) -> None:
    attempts = ScriptedAttempts(503, 200)
    async with ordered(temporal_client, attempts, PATIENT) as policy:
        first, second = pushes(2)
        head = await policy.send(first)
        await until(head, "retrying")
        waiting = await policy.send(second)
        await until(waiting, "waiting")
        lane = temporal_client.get_workflow_handle(policy.lane())
        async with asyncio.timeout(10):
            await until_it_says(head, "UTC: attempt 2 in ")
            await until_it_says(waiting, f"UTC: waits for its turn in {lane.id}.")
            await until_it_says(lane, f"the turn of {head.id}; 1 more in line.")
        await head.signal(DeliveryWorkflow.retry_now)
        await results([head, waiting])
        assert "Delivered: HTTP 200 at attempt 2." in await details(head)


async def test_a_lane_that_somebody_ended_begins_anew_when_it_is_asked(
    temporal_client: Client,
) -> None:
    attempts = ScriptedAttempts(503, 200)
    async with ordered(temporal_client, attempts, PATIENT) as policy:
        first, second = pushes(2)
        head = await policy.send(first)
        await until(head, "retrying")
        waiting = await policy.send(second)
        await until(waiting, "waiting")
        await temporal_client.get_workflow_handle(policy.lane()).terminate()
        await head.signal(DeliveryWorkflow.retry_now)
        assert (await head.result()).attempts == 2
        await waiting.signal(DeliveryWorkflow.retry_now)
        assert (await waiting.result()).attempts == 1


async def test_a_run_that_the_worker_drops_keeps_its_place() -> None:
    """Python closes what it collects outside of any workflow, where nothing can be signalled."""

    async def delivering() -> None:
        async with place_in("lane:p:ci:0", nobody()):
            await asyncio.get_running_loop().create_future()

    running = delivering()
    running.send(None)
    running.close()


async def test_the_lane_sees_that_one_was_ended_from_outside(temporal_client: Client) -> None:
    async with ordered(temporal_client, ScriptedAttempts(503, 200), PATIENT) as policy:
        await temporal_client.start_workflow(
            LaneWorkflow.run,
            LaneInput(look=timedelta(milliseconds=400)),
            id=policy.lane(),
            task_queue=policy.queue,
            start_signal="join",
            start_signal_args=[nobody()],
        )
        first, second = pushes(2)
        head = await policy.send(first)
        await until(head, "retrying")
        waiting = await policy.send(second)
        await asyncio.sleep(1)
        assert await outcome(waiting) == "waiting"
        await head.terminate()
        assert (await waiting.result()).attempts == 1


async def test_a_redelivery_takes_its_turn_again(temporal_client: Client) -> None:
    attempts = ScriptedAttempts(404, 503, 200)
    async with ordered(temporal_client, attempts, PATIENT) as policy:
        failed, head = [await policy.send(event) for event in pushes(2)]
        await until(head, "retrying")
        summary = await log(temporal_client).redeliver(failed.id, reason="a test")
        assert summary.outcome is Outcome.WAITING
        await asyncio.sleep(0.7)
        assert len(attempts.inputs) == 2
        await head.signal(DeliveryWorkflow.retry_now)
        again = temporal_client.get_workflow_handle_for(DeliveryWorkflow.run, failed.id)
        assert (await again.result()).attempts == 1


async def test_a_reset_that_tells_old_signals_again_does_not_jump_the_line(
    temporal_client: Client,
) -> None:
    attempts = ScriptedAttempts(404, 503, 200)
    async with ordered(temporal_client, attempts, PATIENT) as policy:
        failed, head = [await policy.send(event) for event in pushes(2)]
        await until(head, "retrying")
        await reset(temporal_client, failed)
        await asyncio.sleep(0.7)
        assert len(attempts.inputs) == 2
        await head.signal(DeliveryWorkflow.retry_now)
        again = temporal_client.get_workflow_handle_for(DeliveryWorkflow.run, failed.id)
        assert (await again.result()).attempts == 1


async def test_a_reset_of_the_one_whose_turn_it_is_does_not_stop_the_lane(
    temporal_client: Client,
) -> None:
    attempts = ScriptedAttempts(503, 200)
    async with ordered(temporal_client, attempts, PATIENT) as policy:
        first, second = pushes(2)
        head = await policy.send(first)
        await until(head, "retrying")
        waiting = await policy.send(second)
        await until(waiting, "waiting")
        await reset(temporal_client, head)
        assert (await waiting.result()).attempts == 1
    assert [given.event.id for given in attempts.inputs] == [first.id, first.id, second.id]
