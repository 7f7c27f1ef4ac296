import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError

from activities.attempt_failure import DELIVERY_HELD, DELIVERY_QUEUED
from portcall.attempts import ErrorType
from portcall.ids import (
    ATTEMPTS,
    HTTP_STATUS,
    NEXT_ATTEMPT_AT,
    OUTCOME,
    DeliveryKey,
    delivery_attributes,
    delivery_workflow_id,
)
from portcall.own_events import OWN_SOURCE
from tests.workflows.scripted import (
    PATIENT,
    QUICK,
    ScriptedAnnouncements,
    ScriptedAttempts,
    an_event,
    details,
    scripted_worker,
)
from workflows.delivery import DeliveryInput, DeliveryResult, DeliveryWorkflow

Delivery = WorkflowHandle[DeliveryWorkflow, DeliveryResult]


async def start(
    client: Client,
    queue: str,
    retry: object = QUICK,
    source: str = "dist",
    lane: str | None = None,
) -> Delivery:
    event = an_event(source=source)
    return await client.start_workflow(
        DeliveryWorkflow.run,
        DeliveryInput(event=event, policy="p", target="ci", retry=retry, lane=lane),
        id=delivery_workflow_id(DeliveryKey(event.source, event.id, "p", "ci")),
        task_queue=queue,
        search_attributes=delivery_attributes(event, "p", "ci"),
    )


async def shown(handle: Delivery) -> tuple[str | None, int | None, int | None]:
    """Give the search attributes Outcome, Attempts and HttpStatus."""
    found = (await handle.describe()).typed_search_attributes
    return found.get(OUTCOME), found.get(ATTEMPTS), found.get(HTTP_STATUS)


async def until_shown(handle: Delivery, outcome: str) -> None:
    async with asyncio.timeout(10):
        while (await shown(handle))[0] != outcome:
            await asyncio.sleep(0.05)


async def failure(handle: Delivery) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert isinstance(failed.value.cause, ApplicationError)
    return failed.value.cause


async def test_a_delivery_that_arrives_completes(temporal_client: Client) -> None:
    async with scripted_worker(temporal_client, ScriptedAttempts(200)) as queue:
        handle = await start(temporal_client, queue)
        assert await handle.result() == DeliveryResult(attempts=1, http_status=200)
        assert await shown(handle) == ("delivered", 1, 200)


async def test_failed_attempts_are_repeated_until_one_arrives(temporal_client: Client) -> None:
    attempts = ScriptedAttempts(503, ErrorType.CONNECT, 204)
    async with scripted_worker(temporal_client, attempts) as queue:
        handle = await start(temporal_client, queue)
        assert (await handle.result()).attempts == 3
        assert [given.number for given in attempts.inputs] == [1, 2, 3]
        assert await shown(handle) == ("delivered", 3, 204)
        found = (await handle.describe()).typed_search_attributes
        assert found.get(NEXT_ATTEMPT_AT) is None


async def test_a_delivery_that_is_given_up_fails_and_says_why(temporal_client: Client) -> None:
    async with scripted_worker(temporal_client, ScriptedAttempts(503)) as queue:
        handle = await start(temporal_client, queue)
        error = await failure(handle)
        assert error.type == "DeliveryExhausted"
        assert error.message == "3 of 3 attempts failed, the last with HTTP 503"
        assert await shown(handle) == ("exhausted", 3, 503)


@pytest.mark.parametrize(
    ("answer", "outcome", "kind"),
    [
        (404, "rejected", "DeliveryRejected"),
        (301, "rejected", "DeliveryRejected"),
        (ErrorType.BLOCKED, "blocked", "DeliveryBlocked"),
    ],
)
async def test_what_no_repetition_helps_fails_at_once(
    temporal_client: Client, answer: int | ErrorType, outcome: str, kind: str
) -> None:
    async with scripted_worker(temporal_client, ScriptedAttempts(answer)) as queue:
        handle = await start(temporal_client, queue)
        assert (await failure(handle)).type == kind
        assert (await shown(handle))[:2] == (outcome, 1)


async def test_while_it_waits_the_next_attempt_is_shown(temporal_client: Client) -> None:
    async with scripted_worker(temporal_client, ScriptedAttempts(503)) as queue:
        handle = await start(temporal_client, queue, PATIENT)
        await until_shown(handle, "retrying")
        found = (await handle.describe()).typed_search_attributes
        wait = found[NEXT_ATTEMPT_AT] - datetime.now(UTC)
        assert timedelta(seconds=30) < wait <= timedelta(minutes=1)
        assert (found[ATTEMPTS], found[HTTP_STATUS]) == (1, 503)
        await handle.terminate()


async def test_retry_now_ends_the_wait(temporal_client: Client) -> None:
    attempts = ScriptedAttempts(503, 200)
    async with scripted_worker(temporal_client, attempts) as queue:
        handle = await start(temporal_client, queue, PATIENT)
        await until_shown(handle, "retrying")
        await handle.signal(DeliveryWorkflow.retry_now)
        assert (await handle.result()).attempts == 2


async def test_the_signal_cancel_ends_a_waiting_delivery_as_canceled(
    temporal_client: Client,
) -> None:
    async with scripted_worker(temporal_client, ScriptedAttempts(503)) as queue:
        handle = await start(temporal_client, queue, PATIENT)
        await until_shown(handle, "retrying")
        await handle.signal(DeliveryWorkflow.cancel)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        assert isinstance(failed.value.cause, CancelledError)
        description = await handle.describe()
        assert description.status is WorkflowExecutionStatus.CANCELED
        assert (await shown(handle))[0] == "cancelled"


async def test_a_cancel_request_ends_a_waiting_delivery(temporal_client: Client) -> None:
    async with scripted_worker(temporal_client, ScriptedAttempts(503)) as queue:
        handle = await start(temporal_client, queue, PATIENT)
        await until_shown(handle, "retrying")
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
        assert (await shown(handle))[0] == "cancelled"


@pytest.mark.parametrize("lane", [None, "lane"])
@pytest.mark.parametrize("how", [Delivery.cancel, partial(Delivery.signal, signal="cancel")])
async def test_one_that_is_cancelled_before_a_worker_takes_it_up_makes_no_attempt(
    temporal_client: Client, how: Callable[[Delivery], Awaitable[None]], lane: str | None
) -> None:
    attempts, queue = ScriptedAttempts(200), f"test-{uuid.uuid4().hex}"
    handle = await start(temporal_client, queue, lane=lane and f"{lane}:{queue}")
    await how(handle)
    async with scripted_worker(temporal_client, attempts, queue=queue):
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
    assert (await shown(handle))[0] == "cancelled"
    assert attempts.inputs == []


async def test_an_attempt_under_way_is_recorded_before_a_cancellation_counts(
    temporal_client: Client,
) -> None:
    attempts = ScriptedAttempts(503)
    attempts.proceed.clear()
    async with scripted_worker(temporal_client, attempts) as queue:
        handle = await start(temporal_client, queue, PATIENT)
        await attempts.started.wait()
        await handle.cancel()
        await asyncio.sleep(0.3)
        attempts.proceed.set()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
        names = [event.WhichOneof("attributes") for event in (await handle.fetch_history()).events]
        assert "activity_task_failed_event_attributes" in names


async def test_an_attempt_that_arrives_despite_a_cancellation_is_delivered(
    temporal_client: Client,
) -> None:
    attempts = ScriptedAttempts(200)
    attempts.proceed.clear()
    async with scripted_worker(temporal_client, attempts) as queue:
        handle = await start(temporal_client, queue)
        await attempts.started.wait()
        await handle.signal(DeliveryWorkflow.cancel)
        attempts.proceed.set()
        assert (await handle.result()).http_status == 200


@pytest.mark.parametrize("ours", ["StoreUnavailable", "OutOfResources"])
async def test_our_own_outage_counts_as_no_attempt(temporal_client: Client, ours: str) -> None:
    away = ApplicationError("the policy database is away", type=ours)
    attempts = ScriptedAttempts(away, 200)
    async with scripted_worker(temporal_client, attempts) as queue:
        handle = await start(temporal_client, queue)
        assert (await handle.result()).attempts == 1
        assert [given.number for given in attempts.inputs] == [1, 1]


def held() -> ApplicationError:
    """Give the failure of a look that found the delivery's target suspended."""
    return ApplicationError(
        "the target ci is disabled and holds its deliveries", type=DELIVERY_HELD
    )


async def test_a_held_delivery_waits_until_it_is_told_to_look_again(
    temporal_client: Client,
) -> None:
    attempts = ScriptedAttempts(held(), 200)
    async with scripted_worker(temporal_client, attempts) as queue:
        handle = await start(temporal_client, queue)
        await until_shown(handle, "held")
        await handle.signal(DeliveryWorkflow.retry_now)
        assert (await handle.result()).attempts == 1
        assert [given.number for given in attempts.inputs] == [1, 1]
        assert await shown(handle) == ("delivered", 1, 200)


async def test_being_held_again_and_again_is_shown_by_one_change_of_attributes(
    temporal_client: Client,
) -> None:
    attempts = ScriptedAttempts(held(), held(), held(), 200)
    async with scripted_worker(temporal_client, attempts) as queue:
        handle = await start(temporal_client, queue)
        for looks in (1, 2, 3):
            await until_shown(handle, "held")
            async with asyncio.timeout(10):
                while len(attempts.inputs) < looks:
                    await asyncio.sleep(0.05)
            await asyncio.sleep(0.3)
            await handle.signal(DeliveryWorkflow.retry_now)
        await handle.result()
        names = [event.WhichOneof("attributes") for event in (await handle.fetch_history()).events]
        shown_as = "upsert_workflow_search_attributes_event_attributes"
        assert names.count(shown_as) == 2


async def test_the_web_ui_shows_since_when_it_is_held_however_often_it_has_looked(
    temporal_client: Client,
) -> None:
    attempts = ScriptedAttempts(held(), held(), 200)
    async with scripted_worker(temporal_client, attempts) as queue:
        handle = await start(temporal_client, queue)
        await until_shown(handle, "held")
        [since] = re.findall(r"Since [-:0-9 ]+ UTC: the target ci", await details(handle))
        await asyncio.sleep(1.1)
        await handle.signal(DeliveryWorkflow.retry_now)
        async with asyncio.timeout(10):
            while len(attempts.inputs) < 2 or "under way" in await details(handle):
                await asyncio.sleep(0.05)
        assert since in await details(handle)


async def test_a_signal_that_comes_while_it_looks_makes_it_look_again(
    temporal_client: Client,
) -> None:
    attempts = ScriptedAttempts(held(), 200)
    attempts.proceed.clear()
    async with scripted_worker(temporal_client, attempts) as queue:
        handle = await start(temporal_client, queue)
        await attempts.started.wait()
        await handle.signal(DeliveryWorkflow.retry_now)
        await asyncio.sleep(0.3)
        attempts.proceed.set()
        assert (await handle.result()).attempts == 1


async def test_a_retry_is_held_too_and_the_time_does_not_count(temporal_client: Client) -> None:
    attempts = ScriptedAttempts(503, held(), 503, 200)
    brief = QUICK.model_copy(update={"expires_after": timedelta(seconds=3)})
    async with scripted_worker(temporal_client, attempts) as queue:
        handle = await start(temporal_client, queue, brief)
        await until_shown(handle, "held")
        assert await shown(handle) == ("held", 1, 503)
        assert (await handle.describe()).typed_search_attributes.get(NEXT_ATTEMPT_AT) is None
        await asyncio.sleep(3.2)
        await handle.signal(DeliveryWorkflow.retry_now)
        assert (await handle.result()).attempts == 3


async def test_a_delivery_that_is_held_can_be_cancelled(temporal_client: Client) -> None:
    async with scripted_worker(temporal_client, ScriptedAttempts(held())) as queue:
        handle = await start(temporal_client, queue)
        await until_shown(handle, "held")
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
        assert (await shown(handle))[0] == "cancelled"


async def test_a_fault_of_ours_is_repeated_like_a_failed_attempt(temporal_client: Client) -> None:
    async with scripted_worker(temporal_client, ScriptedAttempts(ValueError("bug"), 200)) as queue:
        handle = await start(temporal_client, queue)
        assert (await handle.result()).attempts == 2


async def test_a_first_attempt_without_a_connection_is_made_again_at_once_and_does_not_count(
    temporal_client: Client,
) -> None:
    attempts = ScriptedAttempts(ErrorType.CONNECT, ErrorType.CONNECT, 503, 503, 200)
    async with scripted_worker(temporal_client, attempts) as queue:
        handle = await start(temporal_client, queue)
        error = await failure(handle)
        assert error.message == (
            "3 of 3 attempts and one made at once failed, the last with HTTP 503"
        )
        names = [event.WhichOneof("attributes") for event in (await handle.fetch_history()).events]
        assert names.count("timer_started_event_attributes") == 2


async def test_a_policy_can_do_without_the_second_try_at_once(temporal_client: Client) -> None:
    plain = QUICK.model_copy(update={"reconnect": False})
    async with scripted_worker(temporal_client, ScriptedAttempts(ErrorType.CONNECT)) as queue:
        error = await failure(await start(temporal_client, queue, plain))
        assert error.message.startswith("3 of 3 attempts failed")


async def test_an_attempt_after_a_wait_of_nothing_counts(temporal_client: Client) -> None:
    nothing = QUICK.model_copy(update={"initial_interval": timedelta(), "jitter": 0.0})
    async with scripted_worker(temporal_client, ScriptedAttempts(503)) as queue:
        error = await failure(await start(temporal_client, queue, nothing))
        assert error.message == "3 of 3 attempts failed, the last with HTTP 503"


@pytest.mark.parametrize(
    ("answer", "outcome", "attempts"),
    [(503, "exhausted", 3), (404, "rejected", 1), (ErrorType.BLOCKED, "blocked", 1)],
)
async def test_a_delivery_that_is_given_up_is_announced(
    temporal_client: Client, answer: int | ErrorType, outcome: str, attempts: int
) -> None:
    announcements = ScriptedAnnouncements()
    async with scripted_worker(
        temporal_client, ScriptedAttempts(answer), announcements=announcements
    ) as queue:
        error = await failure(await start(temporal_client, queue))
    [told] = announcements.told
    assert (told.outcome, told.attempts, told.reason) == (outcome, attempts, error.message)
    assert (told.policy, told.target) == ("p", "ci")


async def test_a_delivery_that_arrives_or_is_cancelled_is_not_announced(
    temporal_client: Client,
) -> None:
    announcements = ScriptedAnnouncements()
    async with scripted_worker(
        temporal_client, ScriptedAttempts(200, 503), announcements=announcements
    ) as queue:
        await (await start(temporal_client, queue)).result()
        waiting = await start(temporal_client, queue, PATIENT)
        await until_shown(waiting, "retrying")
        await waiting.cancel()
        with pytest.raises(WorkflowFailureError):
            await waiting.result()
    assert announcements.told == []


async def test_of_an_event_of_portcalls_own_nothing_is_announced(temporal_client: Client) -> None:
    announcements = ScriptedAnnouncements()
    async with scripted_worker(
        temporal_client, ScriptedAttempts(404), announcements=announcements
    ) as queue:
        await failure(await start(temporal_client, queue, source=OWN_SOURCE))
    assert announcements.told == []


async def test_an_announcement_that_cannot_be_made_does_not_change_the_end(
    temporal_client: Client,
) -> None:
    announcements = ScriptedAnnouncements(failure="a bug")
    async with scripted_worker(
        temporal_client, ScriptedAttempts(404), announcements=announcements
    ) as queue:
        assert (await failure(await start(temporal_client, queue))).type == "DeliveryRejected"


def queued() -> ApplicationError:
    return ApplicationError("the target ci is paused", type=DELIVERY_QUEUED, non_retryable=True)


async def test_a_delivery_that_its_target_has_no_room_for_is_queued(
    temporal_client: Client,
) -> None:
    attempts = ScriptedAttempts(503, queued(), 200)
    async with scripted_worker(temporal_client, attempts) as queue:
        handle = await start(temporal_client, queue)
        await until_shown(handle, "queued")
        assert await shown(handle) == ("queued", 1, 503)
        assert (await handle.describe()).typed_search_attributes.get(NEXT_ATTEMPT_AT) is None
        await handle.signal(DeliveryWorkflow.retry_now)
        assert (await handle.result()).attempts == 2
    assert [(given.number, given.queued) for given in attempts.inputs] == [
        (1, False),
        (2, False),
        (2, True),
    ]


async def test_one_that_is_told_to_go_leaves_the_queue_until_it_is_told_to_wait_again(
    temporal_client: Client,
) -> None:
    attempts = ScriptedAttempts(queued(), queued(), 200)
    async with scripted_worker(temporal_client, attempts) as queue:
        handle = await start(temporal_client, queue)
        await until_shown(handle, "queued")
        attempts.proceed.clear()
        await handle.signal(DeliveryWorkflow.retry_now)
        await until_shown(handle, "delivering")
        attempts.proceed.set()
        await until_shown(handle, "queued")
        await handle.signal(DeliveryWorkflow.retry_now)
        assert (await handle.result()).attempts == 1


async def test_in_the_queue_the_time_counts_and_one_that_expires_there_is_exhausted(
    temporal_client: Client,
) -> None:
    brief = PATIENT.model_copy(update={"expires_after": timedelta(seconds=1)})
    attempts = ScriptedAttempts(queued())
    async with scripted_worker(temporal_client, attempts) as queue:
        handle = await start(temporal_client, queue, brief)
        error = await failure(handle)
        assert error.type == "DeliveryExhausted"
        assert "the target ci is paused" in error.message
        assert (await shown(handle))[0] == "exhausted"
    assert [given.queued for given in attempts.inputs] == [False, True]


async def test_a_delivery_that_is_queued_can_be_cancelled(temporal_client: Client) -> None:
    async with scripted_worker(temporal_client, ScriptedAttempts(queued())) as queue:
        handle = await start(temporal_client, queue)
        await until_shown(handle, "queued")
        await handle.signal(DeliveryWorkflow.cancel)
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert (await shown(handle))[0] == "cancelled"
