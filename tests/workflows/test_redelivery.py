import asyncio
import uuid
from collections import Counter
from collections.abc import Sequence

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.redeliver import Redeliver
from portcall.adapters.delivery_log import TemporalDeliveryLog, WebUi
from portcall.adapters.failed_deliveries import TemporalFailedDeliveries
from portcall.adapters.redeliveries import TemporalRedeliveries
from portcall.errors import ConflictError, NotFoundError
from portcall.ids import DeliveryKey, delivery_attributes, delivery_workflow_id
from portcall.policies import RetryPolicy
from portcall.redeliveries import FailedFilter, FailedRun, Progress, Redelivery, RedeliveryState
from tests.workflows.scripted import (
    PATIENT,
    QUICK,
    ScriptedAttempts,
    an_event,
    scripted_worker,
)
from tests.workflows.test_delivery import until_shown
from workflows.delivery import DeliveryInput, DeliveryResult, DeliveryWorkflow
from workflows.redelivery import RedeliveryInput, RedeliveryWorkflow

Delivery = WorkflowHandle[DeliveryWorkflow, DeliveryResult]


def a_target() -> str:
    return f"t-{uuid.uuid4().hex[:8]}"


async def start(
    client: Client, queue: str, target: str, retry: RetryPolicy = QUICK, type_: str = "push"
) -> Delivery:
    event = an_event(type=type_)
    return await client.start_workflow(
        DeliveryWorkflow.run,
        DeliveryInput(event=event, policy="p", target=target, retry=retry),
        id=delivery_workflow_id(DeliveryKey(event.source, event.id, "p", target)),
        task_queue=queue,
        search_attributes=delivery_attributes(event, "p", target),
    )


async def failed(client: Client, queue: str, target: str, count: int) -> list[str]:
    """Let so many deliveries fail one after another; give their ids once they are all found."""
    found = []
    for _ in range(count):
        handle = await start(client, queue, target)
        while (await handle.describe()).close_time is None:
            await asyncio.sleep(0.02)
        found.append(handle.id)
    await until_counted(client, target, count)
    return found


async def until_counted(client: Client, target: str, count: int) -> None:
    """Wait until the search has caught up."""
    deliveries, wanted = TemporalFailedDeliveries(client), FailedFilter(target=target)
    async with asyncio.timeout(10):
        while (await deliveries.count(wanted)).count != count:
            await asyncio.sleep(0.05)


async def outcomes(client: Client, ids: Sequence[str]) -> list[str]:
    async def outcome(identity: str) -> str:
        handle = client.get_workflow_handle(identity)
        async with asyncio.timeout(10):
            while (found := await handle.describe()).close_time is None:
                await asyncio.sleep(0.05)
        return found.status.name if found.status else ""

    return [await outcome(identity) for identity in ids]


async def redelivered(client: Client, queue: str, given: RedeliveryInput) -> Progress:
    return await client.execute_workflow(
        RedeliveryWorkflow.run, given, id=f"redelivery-{uuid.uuid4().hex}", task_queue=queue
    )


def all_of(target: str, **more: object) -> RedeliveryInput:
    wanted = FailedFilter.model_validate({"target": target, **more})
    return RedeliveryInput(filter=wanted, reason="a test", per_second=100)


async def test_all_that_failed_is_sent_again_once_oldest_first(temporal_client: Client) -> None:
    attempts, target = ScriptedAttempts(404), a_target()
    async with scripted_worker(temporal_client, attempts, page=2) as queue:
        ids = await failed(temporal_client, queue, target, 5)
        attempts.answers, attempts.inputs = [200], []
        assert await redelivered(temporal_client, queue, all_of(target)) == Progress(redelivered=5)
        assert await outcomes(temporal_client, ids) == ["COMPLETED"] * 5
        again = [await temporal_client.get_workflow_handle(one).describe() for one in ids]
        assert sorted(run.start_time for run in again) == [run.start_time for run in again]
        assert len(attempts.inputs) == 5
        await until_counted(temporal_client, target, 0)
        assert await redelivered(temporal_client, queue, all_of(target)) == Progress()


async def test_what_fails_anew_is_not_sent_again_by_the_same_redelivery(
    temporal_client: Client,
) -> None:
    attempts, target = ScriptedAttempts(404), a_target()
    async with scripted_worker(temporal_client, attempts) as queue:
        await failed(temporal_client, queue, target, 5)
        given = all_of(target).model_copy(update={"per_second": 10})
        assert await redelivered(temporal_client, queue, given) == Progress(redelivered=5)
        await until_counted(temporal_client, target, 5)
        assert len(attempts.inputs) == 10


async def test_what_is_under_way_delivered_cancelled_or_a_test_is_left_alone(
    temporal_client: Client,
) -> None:
    attempts, target = ScriptedAttempts(200), a_target()
    async with scripted_worker(temporal_client, attempts) as queue:
        await (await start(temporal_client, queue, target)).result()
        attempts.answers = [503]
        open_one = await start(temporal_client, queue, target, PATIENT)
        gone = await start(temporal_client, queue, target, PATIENT)
        for handle in (open_one, gone):
            await until_shown(handle, "retrying")
        await gone.cancel()
        attempts.answers = [404]
        ping = await start(temporal_client, queue, target, type_="target.pinged")
        assert await outcomes(temporal_client, [gone.id, ping.id]) == ["CANCELED", "FAILED"]
        [one] = await failed(temporal_client, queue, target, 1)
        attempts.answers = [200]
        assert (await redelivered(temporal_client, queue, all_of(target))).redelivered == 1
        assert await outcomes(temporal_client, [one]) == ["COMPLETED"]
        given = all_of(target, outcome="cancelled")
        assert (await redelivered(temporal_client, queue, given)).redelivered == 1
        assert await outcomes(temporal_client, [gone.id]) == ["COMPLETED"]
        await open_one.terminate()


async def test_what_somebody_else_sent_again_meanwhile_is_skipped(temporal_client: Client) -> None:
    attempts, target = ScriptedAttempts(404), a_target()
    deliveries = TemporalFailedDeliveries(temporal_client)
    async with scripted_worker(temporal_client, attempts) as queue:
        [one] = await failed(temporal_client, queue, target, 1)
        first = await temporal_client.get_workflow_handle(one).describe()
        run = FailedRun(id=one, run_id=first.run_id)
        log = TemporalDeliveryLog(temporal_client, WebUi(None, "default"))
        await log.redeliver(one, reason="by hand")
        assert await deliveries.send_again(run, reason="a test", repeated=False) == "skipped"
        # After a worker died nobody knows who it was: it was sent again from this very run.
        assert await deliveries.send_again(run, reason="a test", repeated=True) == "redelivered"
        await outcomes(temporal_client, [one])
        second = await temporal_client.get_workflow_handle(one).describe()
        await log.redeliver(one, reason="by hand")
        assert await deliveries.send_again(run, reason="a test", repeated=True) == "skipped"
        assert second.run_id != first.run_id
        await outcomes(temporal_client, [one])
    assert len(attempts.inputs) == 3


async def test_a_delivery_that_did_not_fail_is_not_reset(temporal_client: Client) -> None:
    attempts, target = ScriptedAttempts(200), a_target()
    deliveries = TemporalFailedDeliveries(temporal_client)
    async with scripted_worker(temporal_client, attempts) as queue:
        handle = await start(temporal_client, queue, target)
        await handle.result()
        run = FailedRun(id=handle.id, run_id=(await handle.describe()).run_id)
        assert await deliveries.send_again(run, reason="a test", repeated=False) == "skipped"
    absent = FailedRun(id="delivery:a:b:c:d", run_id="r")
    with pytest.raises(NotFoundError):
        await deliveries.send_again(absent, reason="a test", repeated=False)


async def test_one_that_ended_before_it_began_stops_none_of_the_others(
    temporal_client: Client,
) -> None:
    target, queue = a_target(), f"nobody-{uuid.uuid4().hex}"
    never = await start(temporal_client, queue, target)
    await never.terminate()
    attempts = ScriptedAttempts(503)
    async with scripted_worker(temporal_client, attempts) as working:
        other = await start(temporal_client, working, target, PATIENT)
        await asyncio.wait_for(attempts.started.wait(), 10)
        await other.terminate()
        await asyncio.sleep(0.5)  # until the search knows
        attempts.answers = [200]
        given = all_of(target, outcome="cancelled")
        done = await redelivered(temporal_client, working, given)
        assert (done.redelivered, done.failed) == (1, 1)
        assert done.problem
        assert "ended before it began" in done.problem
        assert await outcomes(temporal_client, [other.id]) == ["COMPLETED"]


async def test_a_worker_that_dies_in_the_middle_loses_none_and_repeats_none(
    temporal_client: Client,
) -> None:
    attempts, target = ScriptedAttempts(404), a_target()
    async with scripted_worker(temporal_client, attempts) as queue:
        ids = await failed(temporal_client, queue, target, 6)
        attempts.answers, attempts.inputs = [200], []
        redeliveries = f"redelivery-{uuid.uuid4().hex}"
        handle = await temporal_client.start_workflow(
            RedeliveryWorkflow.run,
            all_of(target).model_copy(update={"per_second": 10}),
            id=redeliveries,
            task_queue=redeliveries,
        )
        async with walking(temporal_client, redeliveries):
            while len(attempts.inputs) < 2:
                await asyncio.sleep(0.02)
        async with walking(temporal_client, redeliveries):
            assert await handle.result() == Progress(redelivered=6)
        assert await outcomes(temporal_client, ids) == ["COMPLETED"] * 6
    sent = Counter(given.event.id for given in attempts.inputs)
    assert sorted(sent.values()) == [1] * 6


def walking(client: Client, queue: str) -> Worker:
    """Give a worker for redeliveries alone, which ends what it is doing when it is stopped."""
    redeliver = Redeliver(TemporalFailedDeliveries(client))
    return Worker(
        client,
        task_queue=queue,
        workflows=[RedeliveryWorkflow],
        activities=[redeliver.count_failed, redeliver.find_failed, redeliver.send_again],
    )


async def until_ended(redeliveries: TemporalRedeliveries, identity: str) -> Redelivery:
    async with asyncio.timeout(20):
        while (found := await redeliveries.redelivery(identity)).state is RedeliveryState.RUNNING:
            await asyncio.sleep(0.05)
    return found


async def test_the_same_redelivery_twice_at_once_is_one_and_shows_how_far_it_is(
    temporal_client: Client,
) -> None:
    attempts, target = ScriptedAttempts(404), a_target()
    wanted = FailedFilter(target=target)
    async with scripted_worker(temporal_client, attempts) as queue:
        ids = await failed(temporal_client, queue, target, 3)
        attempts.answers = [200]
        ui = WebUi("http://ui.test", temporal_client.namespace)
        redeliveries = TemporalRedeliveries(temporal_client, ui, task_queue=queue)
        one, other = await asyncio.gather(
            *(redeliveries.start(wanted, "receiver repaired") for _ in range(2))
        )
        assert (one.id, one.started_at) == (other.id, other.started_at)
        assert (one.filter, one.reason) == ({"target": target}, "receiver repaired")
        assert one.temporal_url
        ended = await until_ended(redeliveries, one.id)
        assert (ended.state, ended.total, ended.redelivered, ended.left) == ("done", 3, 3, 0)
        assert ended.ended_at
        assert await outcomes(temporal_client, ids) == ["COMPLETED"] * 3
        with pytest.raises(ConflictError, match="has ended"):
            await redeliveries.cancel(one.id)
        again = await redeliveries.start(wanted, "once more")
        assert again.started_at > one.started_at
        await until_ended(redeliveries, again.id)
    with pytest.raises(NotFoundError, match="no redelivery"):
        await redeliveries.redelivery("none")


async def test_a_cancelled_redelivery_counts_what_it_was_doing_and_stops(
    temporal_client: Client,
) -> None:
    attempts, target = ScriptedAttempts(404), a_target()
    async with scripted_worker(temporal_client, attempts, page=2) as queue:
        ids = await failed(temporal_client, queue, target, 5)
        attempts.answers, attempts.inputs = [200], []
        handle = await temporal_client.start_workflow(
            RedeliveryWorkflow.run,
            all_of(target).model_copy(update={"per_second": 2}),
            id=f"redelivery:{uuid.uuid4().hex}",
            task_queue=queue,
        )
        redeliveries = TemporalRedeliveries(temporal_client, WebUi(None, "default"))
        while not attempts.inputs:
            await asyncio.sleep(0.02)
        await redeliveries.cancel(handle.id.removeprefix("redelivery:"))
        ended = await until_ended(redeliveries, handle.id.removeprefix("redelivery:"))
        assert ended.state is RedeliveryState.CANCELLED
        assert 1 <= ended.redelivered < 5
        assert ended.left == 5 - ended.redelivered
        status = await outcomes(temporal_client, ids)
        assert status.count("COMPLETED") == ended.redelivered


async def test_a_long_walk_goes_on_in_a_new_run(temporal_client: Client) -> None:
    attempts, target = ScriptedAttempts(404), a_target()
    async with scripted_worker(temporal_client, attempts) as queue:
        await failed(temporal_client, queue, target, 2)
        attempts.answers = [200]
        given = all_of(target).model_copy(
            update={"total": 9, "progress": Progress(redelivered=7, skipped=1)}
        )
        done = await redelivered(temporal_client, queue, given)
        assert done == Progress(redelivered=9, skipped=1)


async def test_too_many_to_read_are_counted_by_their_runs(temporal_client: Client) -> None:
    attempts, target = ScriptedAttempts(404), a_target()
    async with scripted_worker(temporal_client, attempts) as queue:
        await failed(temporal_client, queue, target, 2)
    roughly = TemporalFailedDeliveries(temporal_client, exactly=1)
    found = await roughly.count(FailedFilter(target=target))
    assert (found.count, found.exact) == (2, False)
