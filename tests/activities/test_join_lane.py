import uuid
from datetime import UTC, datetime

import pytest
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment

from activities.join_lane import Place, is_under_way


def place(delivery: str, run_id: str) -> Place:
    now = datetime.now(UTC)
    return Place(delivery=delivery, run_id=run_id, occurred_at=now, received_at=now)


async def test_a_delivery_is_under_way_until_it_has_ended(temporal_client: Client) -> None:
    look = ActivityEnvironment(client=temporal_client)
    name = f"delivery-{uuid.uuid4().hex}"
    handle = await temporal_client.start_workflow("Nobody", id=name, task_queue=name)
    it = place(name, handle.result_run_id or "")
    assert await look.run(is_under_way, it)
    await handle.terminate()
    assert not await look.run(is_under_way, it)


async def test_a_delivery_that_is_not_known_is_not_under_way(temporal_client: Client) -> None:
    look = ActivityEnvironment(client=temporal_client)
    assert not await look.run(is_under_way, place("nobody", str(uuid.uuid4())))


async def test_a_question_that_temporal_does_not_answer_is_asked_again(
    temporal_client: Client,
) -> None:
    look = ActivityEnvironment(client=temporal_client)
    with pytest.raises(RPCError, match="RunId"):
        await look.run(is_under_way, place("nobody", "no run id"))
