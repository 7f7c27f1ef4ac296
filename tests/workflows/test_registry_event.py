from temporalio.client import Client

from portcall.attempts import EventOutcome
from portcall.events import RawOriginal, Verification
from portcall.ids import OUTCOME, event_attributes, event_workflow_id
from portcall.matching import Match
from tests.workflows.scripted import (
    QUICK,
    ScriptedAttempts,
    ScriptedMatches,
    ScriptedRegistry,
    an_event,
    scripted_worker,
)
from workflows.delivery import DeliveryWorkflow
from workflows.registry_event import RegistryEventInput, RegistryEventResult, RegistryEventWorkflow


async def run(client: Client, queue: str, event: object) -> RegistryEventResult:
    given = RegistryEventInput.model_validate({"event": event})
    return await client.execute_workflow(
        RegistryEventWorkflow.run,
        given,
        id=event_workflow_id(given.event.source, given.event.id),
        task_queue=queue,
        search_attributes=event_attributes(given.event),
    )


def match(target: str, *, needs_raw: bool = False) -> Match:
    return Match(policy="p", target=target, retry=QUICK, needs_raw=needs_raw)


async def test_each_match_becomes_a_delivery_of_its_own(temporal_client: Client) -> None:
    event = an_event()
    matches = ScriptedMatches(match("a"), match("b"))
    async with scripted_worker(temporal_client, matches=matches) as queue:
        result = await run(temporal_client, queue, event)
        ids = (f"delivery:dist:{event.id}:p:a", f"delivery:dist:{event.id}:p:b")
        assert result == RegistryEventResult(outcome=EventOutcome.MATCHED, deliveries=ids)
        for workflow_id in ids:
            handle = temporal_client.get_workflow_handle_for(DeliveryWorkflow.run, workflow_id)
            assert (await handle.result()).http_status == 200


async def test_an_event_that_no_policy_wants_says_so(temporal_client: Client) -> None:
    event = an_event()
    async with scripted_worker(temporal_client) as queue:
        result = await run(temporal_client, queue, event)
        assert result == RegistryEventResult(outcome=EventOutcome.UNMATCHED)
        handle = temporal_client.get_workflow_handle(event_workflow_id("dist", event.id))
        assert (await handle.describe()).typed_search_attributes.get(OUTCOME) == "unmatched"


async def test_a_receiver_that_is_down_does_not_hold_the_event(temporal_client: Client) -> None:
    attempts = ScriptedAttempts(503)
    attempts.proceed.clear()
    async with scripted_worker(temporal_client, attempts, ScriptedMatches(match("a"))) as queue:
        result = await run(temporal_client, queue, an_event())
        assert len(result.deliveries) == 1
        attempts.proceed.set()
        await temporal_client.get_workflow_handle(result.deliveries[0]).terminate()


async def test_a_database_that_is_away_delays_matching(temporal_client: Client) -> None:
    matches = ScriptedMatches(match("a"), failures=1)
    async with scripted_worker(temporal_client, matches=matches) as queue:
        result = await run(temporal_client, queue, an_event())
        assert result.outcome is EventOutcome.MATCHED
        assert len(matches.inputs) == 2


async def test_the_raw_original_travels_only_where_a_format_needs_it(
    temporal_client: Client,
) -> None:
    attempts = ScriptedAttempts(200)
    matches = ScriptedMatches(match("plain"), match("raw", needs_raw=True))
    event = an_event(raw=RawOriginal.of(b'{"a": 1}'))
    async with scripted_worker(temporal_client, attempts, matches) as queue:
        for workflow_id in (await run(temporal_client, queue, event)).deliveries:
            await temporal_client.get_workflow_handle(workflow_id).result()
    assert matches.inputs[0].event.raw is None
    raws = {given.target: given.event.raw for given in attempts.inputs}
    assert raws == {"plain": None, "raw": event.raw}


async def test_a_hundred_matches_are_all_started(temporal_client: Client) -> None:
    matches = ScriptedMatches(*(match(f"t{number}") for number in range(100)))
    async with scripted_worker(temporal_client, matches=matches) as queue:
        result = await run(temporal_client, queue, an_event())
        assert len(set(result.deliveries)) == 100
        for workflow_id in result.deliveries:
            await temporal_client.get_workflow_handle(workflow_id).result()


async def test_a_delivery_that_exists_already_is_not_started_twice(
    temporal_client: Client,
) -> None:
    event = an_event()
    attempts = ScriptedAttempts(200)
    async with scripted_worker(temporal_client, attempts, ScriptedMatches(match("a"))) as queue:
        first = await run(temporal_client, queue, event)
        await temporal_client.get_workflow_handle(first.deliveries[0]).result()
        again = await run(temporal_client, queue, event)
        assert again.deliveries == first.deliveries
        assert len(attempts.inputs) == 1


PENDING = Verification(state="pending")


async def test_what_the_registry_says_is_matched_and_delivered(temporal_client: Client) -> None:
    attempts, matches = ScriptedAttempts(200), ScriptedMatches(match("raw", needs_raw=True))
    registry = ScriptedRegistry(digest="sha256:" + "2" * 64, failures=1)
    event = an_event(verification=PENDING, raw=RawOriginal.of(b"{}"), digest=None)
    async with scripted_worker(
        temporal_client, attempts, matches, verify=registry.verify_event
    ) as queue:
        result = await run(temporal_client, queue, event)
        await temporal_client.get_workflow_handle(result.deliveries[0]).result()
    assert [given.event.raw for given in registry.inputs] == [None, None]
    [matched], [attempted] = matches.inputs, attempts.inputs
    assert matched.event.digest == "sha256:" + "2" * 64
    assert attempted.event.verification == Verification(state="verified")
    assert attempted.event.raw == event.raw


async def test_an_event_that_nobody_asked_about_is_not_verified(temporal_client: Client) -> None:
    matches = ScriptedMatches()
    async with scripted_worker(temporal_client, matches=matches) as queue:
        await run(temporal_client, queue, an_event())
    assert matches.inputs[0].event.verification is None
