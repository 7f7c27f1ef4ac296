import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from activities.attempt_delivery import AttemptInput
from activities.drain_backlog import DrainBacklog
from activities.oldest_first import oldest_first
from portcall.adapters.temporal import ASKED_EVERY, TemporalEngine
from portcall.attempts import AttemptRecord, Outcome
from portcall.ids import (
    DeliveryKey,
    backlog_workflow_id,
    delivery_attributes,
    delivery_workflow_id,
)
from portcall.policies import Target
from portcall.ports import Room
from tests.fakes import FakeStore
from tests.workflows.scripted import (
    PATIENT,
    ScriptedAttempts,
    a_record,
    an_event,
    details,
    scripted_worker,
)
from tests.workflows.test_delivery import Delivery, queued, shown, until_shown
from workflows.backlog import BacklogInput, BacklogResult, BacklogWorkflow
from workflows.delivery import DeliveryInput, DeliveryWorkflow

LAG = timedelta(seconds=1.5)


class LateTarget(ScriptedAttempts):
    """Lets nobody in who was not queued before; `arrived` are the events in their order."""

    def __init__(self) -> None:
        super().__init__(200)
        self.arrived: list[str] = []

    @activity.defn(name="attempt_delivery")
    async def attempt_delivery(self, attempt: AttemptInput) -> AttemptRecord:
        self.inputs.append(attempt)
        if not attempt.queued:
            raise queued()
        self.arrived.append(attempt.event.id)
        return a_record(200, attempt.number, activity.info().workflow_run_id or "")


class ScriptedStates:
    """As much of `TargetStates` as a queue needs: the room at each look, the last one again."""

    def __init__(
        self, *rooms: int, again_in: timedelta = timedelta(milliseconds=200), why: str = ""
    ) -> None:
        self.rooms = list(rooms)
        self.why = why
        self.again_in = again_in
        self.looks = 0
        self.emptied_at: list[int] = []

    async def room(self, target: Target) -> Room:
        del target
        self.looks += 1
        now = self.rooms.pop(0) if len(self.rooms) > 1 else self.rooms[0]
        return Room(now=now, again_in=self.again_in, why=self.why)

    async def emptied(self, name: str) -> None:
        del name
        self.emptied_at.append(self.looks)


def a_name() -> str:
    return f"t-{uuid.uuid4().hex[:8]}"


async def draining(states: ScriptedStates, target: str) -> DrainBacklog:
    store = FakeStore()
    await store.targets.put(Target(name=target, url="https://receiver.test/hook"))
    return DrainBacklog(store, states, budget=timedelta(seconds=1))  # type: ignore[arg-type]


async def start(
    client: Client, queue: str, target: str, outcome: Outcome = Outcome.DELIVERING
) -> Delivery:
    event = an_event()
    return await client.start_workflow(
        DeliveryWorkflow.run,
        DeliveryInput(event=event, policy="p", target=target, retry=PATIENT),
        id=delivery_workflow_id(DeliveryKey(event.source, event.id, "p", target)),
        task_queue=queue,
        search_attributes=delivery_attributes(event, "p", target, outcome),
    )


async def drain(
    client: Client, queue: str, target: str, lag: timedelta = LAG
) -> WorkflowHandle[BacklogWorkflow, BacklogResult]:
    return await client.start_workflow(
        BacklogWorkflow.run,
        BacklogInput(target=target, search_lag=lag),
        id=backlog_workflow_id(target),
        task_queue=queue,
    )


async def test_what_is_queued_for_a_target_is_sent_on_oldest_first_as_far_as_it_has_room(
    temporal_client: Client,
) -> None:
    attempts, states, target = LateTarget(), ScriptedStates(0, 1), a_name()
    drain_backlog = (await draining(states, target)).drain_backlog
    async with scripted_worker(temporal_client, attempts, more=[drain_backlog]) as queue:
        deliveries = [await start(temporal_client, queue, target) for _ in range(4)]
        elsewhere = await start(temporal_client, queue, a_name())
        for delivery in (*deliveries, elsewhere):
            await until_shown(delivery, "queued")
        result = await (await drain(temporal_client, queue, target)).result()
        await asyncio.gather(*(delivery.result() for delivery in deliveries))
        assert (await shown(elsewhere))[0] == "queued"
        await elsewhere.terminate()
    assert result.sent == 4
    events = [delivery.id.split(":")[2] for delivery in deliveries]
    assert attempts.arrived == events
    assert states.emptied_at
    assert states.emptied_at[0] >= 5


async def test_a_delivery_that_waits_for_its_turn_is_not_in_the_queue(
    temporal_client: Client,
) -> None:
    attempts, states, target = LateTarget(), ScriptedStates(10), a_name()
    drain_backlog = (await draining(states, target)).drain_backlog
    async with scripted_worker(temporal_client, attempts, more=[drain_backlog]) as queue:
        ordered = await start(temporal_client, f"nobody-{target}", target, Outcome.WAITING)
        result = await (await drain(temporal_client, queue, target)).result()
        assert result.sent == 0
        assert (await shown(ordered))[0] == "waiting"
        await ordered.terminate()


async def test_one_that_is_queued_while_the_walk_ends_is_not_forgotten(
    temporal_client: Client,
) -> None:
    attempts, states, target = LateTarget(), ScriptedStates(10), a_name()
    drain_backlog = (await draining(states, target)).drain_backlog
    async with scripted_worker(temporal_client, attempts, more=[drain_backlog]) as queue:
        engine = TemporalEngine(temporal_client, task_queue=queue)
        walk = await drain(temporal_client, queue, target)
        async with asyncio.timeout(10):
            while not states.emptied_at:
                await asyncio.sleep(0.05)
        late = await start(temporal_client, queue, target)
        await until_shown(late, "queued")
        await engine.drain(target)
        assert (await walk.result()).sent == 1
        assert (await late.result()).attempts == 1


async def test_where_nothing_is_queued_a_change_starts_no_walk(temporal_client: Client) -> None:
    target = a_name()
    engine = TemporalEngine(temporal_client, task_queue=f"nobody-{target}")
    await engine.look_again(target)
    with pytest.raises(RPCError, match="not found"):
        await temporal_client.get_workflow_handle(backlog_workflow_id(target)).describe()


@pytest.mark.parametrize("changed", [True, False])
async def test_a_target_that_may_have_room_again_is_looked_at_at_once(
    temporal_client: Client, changed: bool
) -> None:
    attempts, target = LateTarget(), a_name()
    states = ScriptedStates(0, 1, again_in=timedelta(minutes=5))
    drain_backlog = (await draining(states, target)).drain_backlog
    async with scripted_worker(temporal_client, attempts, more=[drain_backlog]) as queue:
        engine = TemporalEngine(temporal_client, task_queue=queue)
        delivery = await start(temporal_client, queue, target)
        await until_shown(delivery, "queued")
        await engine.drain(target)
        walk = temporal_client.get_workflow_handle(backlog_workflow_id(target))
        async with asyncio.timeout(10):
            while not states.looks:
                await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        assert states.looks == 1
        await (engine.look_again(target) if changed else engine.drain(target, look_now=True))
        assert (await delivery.result()).attempts == 1
        await walk.terminate()


async def test_while_it_waits_the_web_ui_shows_how_the_queue_stands(
    temporal_client: Client,
) -> None:
    attempts, target = LateTarget(), a_name()
    states = ScriptedStates(0, again_in=timedelta(minutes=5), why="it is paused")
    drain_backlog = (await draining(states, target)).drain_backlog
    async with scripted_worker(temporal_client, attempts, more=[drain_backlog]) as queue:
        delivery = await start(temporal_client, queue, target)
        await until_shown(delivery, "queued")
        async with asyncio.timeout(10):
            while not (
                await temporal_client.count_workflows(
                    f"WorkflowId = '{delivery.id}' AND Outcome = 'queued'"
                )
            ).count:
                await asyncio.sleep(0.05)
        walk = await drain(temporal_client, queue, target)
        async with asyncio.timeout(10):
            while not states.looks:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        assert "0 sent on, 1 left: it is paused; the next look is at" in await details(walk)
        await walk.terminate()
        await delivery.terminate()


async def test_a_queue_that_grows_is_asked_for_seldom(temporal_client: Client) -> None:
    target = a_name()
    engine = TemporalEngine(temporal_client, task_queue=f"nobody-{target}")
    for _ in range(5):
        await engine.drain(target)
    walk = temporal_client.get_workflow_handle(backlog_workflow_id(target))
    names = [event.WhichOneof("attributes") for event in (await walk.fetch_history()).events]
    assert names.count("workflow_execution_signaled_event_attributes") == 1
    assert BacklogInput(target=target).search_lag.total_seconds() >= 2 * ASKED_EVERY
    await walk.terminate()


async def test_a_walk_that_gets_long_goes_on_where_it_was_in_a_new_run(
    temporal_client: Client,
) -> None:
    attempts, states, target = LateTarget(), ScriptedStates(1, 0, 1), a_name()
    states.again_in = timedelta(seconds=1.1)  # longer than a run of the activity
    drain_backlog = (await draining(states, target)).drain_backlog
    async with scripted_worker(temporal_client, attempts, more=[drain_backlog]) as queue:
        deliveries = [await start(temporal_client, queue, target) for _ in range(2)]
        for delivery in deliveries:
            await until_shown(delivery, "queued")
        walk = await temporal_client.start_workflow(
            BacklogWorkflow.run,
            BacklogInput(target=target, search_lag=LAG, longest_history=15),
            id=backlog_workflow_id(target),
            task_queue=queue,
        )
        assert (await walk.result()).sent == 2
        await asyncio.gather(*(delivery.result() for delivery in deliveries))
    newest = temporal_client.get_workflow_handle(walk.id)
    assert (await newest.describe()).run_id != walk.first_execution_run_id


async def test_temporals_search_gives_the_oldest_of_a_long_queue_first(
    temporal_client: Client,
) -> None:
    target, nobody = a_name(), f"nobody-{uuid.uuid4().hex}"
    deliveries = []
    for number in range(12):
        deliveries.append(await start(temporal_client, nobody, target, Outcome.QUEUED))
        await asyncio.sleep(0.3 if number % 4 == 0 else 0.02)
    query = f"Target = '{target}' AND Outcome = 'queued' AND ExecutionStatus = 'Running'"
    async with asyncio.timeout(10):
        while (await temporal_client.count_workflows(query)).count < 12:
            await asyncio.sleep(0.05)
    first = (await deliveries[0].describe()).start_time
    for since in (None, first):
        now = datetime.now(UTC)
        walk = oldest_first(temporal_client, query, count=12, since=since, until=now, most=4)
        found = [run.id async for window, _ in walk for run in window]
        assert found == [delivery.id for delivery in deliveries]
    for delivery in deliveries:
        await delivery.terminate()
