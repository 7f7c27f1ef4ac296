import asyncio
import uuid
from datetime import UTC, datetime, timedelta

from temporalio.client import Client

from portcall.adapters.delivery_log import TemporalDeliveryLog, WebUi
from portcall.adapters.pings import TemporalPings
from portcall.attempts import Outcome
from portcall.ids import delivery_workflow_id
from portcall.log import DeliveryDetail, Filter
from portcall.pings import ping_event, ping_key
from tests.workflows.scripted import ScriptedAttempts, scripted_worker

WAIT = timedelta(seconds=20)


async def pinged(
    client: Client, attempts: ScriptedAttempts, wait: timedelta = WAIT
) -> tuple[bool, DeliveryDetail]:
    target, now = f"t-{uuid.uuid4().hex[:8]}", datetime.now(UTC)
    event = ping_event(target, now)
    async with scripted_worker(client, attempts) as queue:
        ended = await TemporalPings(client, task_queue=queue).ping(
            event, target, "slack", wait=wait
        )
        attempts.proceed.set()
        log = TemporalDeliveryLog(client, WebUi(None, client.namespace))
        identity = delivery_workflow_id(ping_key(event, target))
        async with asyncio.timeout(20):
            while (found := await log.delivery(identity)).closed_at is None:
                await asyncio.sleep(0.05)
    return ended, found


async def test_a_test_event_is_delivered_like_any_other(temporal_client: Client) -> None:
    attempts = ScriptedAttempts(200)
    ended, found = await pinged(temporal_client, attempts)
    assert ended
    assert (found.outcome, found.policy, found.event_type) == (
        Outcome.DELIVERED, "ping", "target.pinged",
    )  # fmt: skip
    [sent] = attempts.inputs
    assert (sent.format, sent.number, sent.event.source) == ("slack", 1, "portcall")


async def test_a_test_event_is_sent_once(temporal_client: Client) -> None:
    attempts = ScriptedAttempts(503)
    ended, found = await pinged(temporal_client, attempts)
    assert ended
    assert (found.outcome, found.http_status, found.attempts) == (Outcome.EXHAUSTED, 503, 1)
    assert len(attempts.inputs) == 1


async def test_one_that_takes_longer_than_its_wait_goes_on(temporal_client: Client) -> None:
    attempts = ScriptedAttempts(200)
    attempts.proceed.clear()
    ended, found = await pinged(temporal_client, attempts, timedelta(milliseconds=300))
    assert not ended
    assert found.outcome is Outcome.DELIVERED


async def test_what_is_under_way_for_a_target_is_counted(temporal_client: Client) -> None:
    attempts = ScriptedAttempts(200)
    attempts.proceed.clear()
    log = TemporalDeliveryLog(temporal_client, WebUi(None, temporal_client.namespace))
    target = f"t-{uuid.uuid4().hex[:8]}"
    wanted = Filter(target=target, outcome="delivering")
    async with scripted_worker(temporal_client, attempts) as queue:
        pings = TemporalPings(temporal_client, task_queue=queue)
        event = ping_event(target, datetime.now(UTC))
        pinging = asyncio.create_task(pings.ping(event, target, "default", wait=WAIT))
        async with asyncio.timeout(20):
            while await log.count(wanted) != 1:
                await asyncio.sleep(0.05)
            attempts.proceed.set()
            assert await pinging
            while await log.count(wanted) != 0:
                await asyncio.sleep(0.05)
