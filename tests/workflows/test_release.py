import asyncio
import uuid
from datetime import timedelta

from temporalio.client import Client, WorkflowHandle

from portcall.adapters.temporal import TemporalEngine
from portcall.ids import (
    DeliveryKey,
    delivery_attributes,
    delivery_workflow_id,
    release_workflow_id,
)
from tests.workflows.scripted import ScriptedAttempts, an_event, scripted_worker
from tests.workflows.test_delivery import held, shown, until_shown
from workflows.delivery import DeliveryInput, DeliveryResult, DeliveryWorkflow
from workflows.release import ReleaseInput, ReleaseWorkflow

Delivery = WorkflowHandle[DeliveryWorkflow, DeliveryResult]


async def start(client: Client, queue: str, policy: str, target: str = "ci") -> Delivery:
    event = an_event()
    handle = await client.start_workflow(
        DeliveryWorkflow.run,
        DeliveryInput(event=event, policy=policy, target=target, held=True),
        id=delivery_workflow_id(DeliveryKey(event.source, event.id, policy, target)),
        task_queue=queue,
        search_attributes=delivery_attributes(event, policy, target),
    )
    await until_shown(handle, "held")
    return handle


async def released(client: Client, queue: str, noun: str, name: str) -> None:
    """Release as the engine does, without the wait between the two walks."""
    given = {"noun": noun, "name": name, "search_lag": timedelta(seconds=1)}
    await client.execute_workflow(
        ReleaseWorkflow.run,
        ReleaseInput.model_validate(given),
        id=f"release-{uuid.uuid4().hex}",
        task_queue=queue,
    )


async def test_all_that_a_policy_held_goes_on_and_nothing_else(temporal_client: Client) -> None:
    attempts = ScriptedAttempts(held(), held(), held(), 200)
    one, other = (f"p-{uuid.uuid4().hex[:8]}" for _ in range(2))
    async with scripted_worker(temporal_client, attempts) as queue:
        of_one = [await start(temporal_client, queue, one) for _ in range(2)]
        of_other = await start(temporal_client, queue, other)
        await released(temporal_client, queue, "policy", one)
        results = await asyncio.gather(*(handle.result() for handle in of_one))
        assert [result.attempts for result in results] == [1, 1]
        assert (await shown(of_other))[0] == "held"
        await of_other.terminate()
    assert [given.held for given in attempts.inputs] == [True] * 5


async def test_all_that_a_target_held_goes_on(temporal_client: Client) -> None:
    target = f"t-{uuid.uuid4().hex[:8]}"
    async with scripted_worker(temporal_client, ScriptedAttempts(held(), 200)) as queue:
        handle = await start(temporal_client, queue, "p", target)
        await released(temporal_client, queue, "target", target)
        assert (await handle.result()).attempts == 1


async def test_the_engine_begins_a_release_anew_where_one_is_under_way(
    temporal_client: Client,
) -> None:
    name = f"p-{uuid.uuid4().hex[:8]}"
    engine = TemporalEngine(temporal_client, task_queue=f"nobody-{uuid.uuid4().hex}")
    runs = []
    for _ in range(2):
        await engine.release("policy", name)
        handle = temporal_client.get_workflow_handle(release_workflow_id("policy", name))
        runs.append((await handle.describe()).run_id)
    assert runs[0] != runs[1]
    await handle.terminate()
