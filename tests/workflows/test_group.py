import asyncio
import gc
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle

from activities.gather import GroupInput
from portcall.attempts import EventOutcome
from portcall.events import RawOriginal, RegistryEvent
from portcall.gathering import Group
from portcall.grouping import Gathered, group_of, whole
from portcall.ids import EVENT_ID, EVENT_TYPE, REPOSITORY, TAGS, event_attributes, event_workflow_id
from portcall.matching import Match
from tests.workflows.scripted import (
    QUICK,
    ScriptedAttempts,
    ScriptedMatches,
    an_event,
    details,
    scripted_worker,
)
from workflows.group import GroupWorkflow
from workflows.registry_event import (
    RegistryEventInput,
    RegistryEventResult,
    RegistryEventWorkflow,
)


def gathering(*targets: str, seconds: float = 60, most: int = 50) -> ScriptedMatches:
    """Match a policy of the test's own that gathers for so long, at most so many.

    A test whose group is full with the last event depends on no clock.
    """
    group = Group(window=timedelta(seconds=seconds), max=most)
    policy = f"p-{uuid.uuid4().hex[:8]}"
    return ScriptedMatches(
        *(Match(policy=policy, target=t, retry=QUICK, group=group) for t in targets or ("ci",))
    )


async def run(
    client: Client, queue: str, events: Sequence[RegistryEvent]
) -> list[RegistryEventResult]:
    """Run the events side by side, to their ends."""
    return await asyncio.gather(
        *(
            client.execute_workflow(
                RegistryEventWorkflow.run,
                RegistryEventInput(event=event),
                id=event_workflow_id(event.source, event.id),
                task_queue=queue,
                search_attributes=event_attributes(event),
            )
            for event in events
        )
    )


async def ends(client: Client, results: Sequence[RegistryEventResult]) -> list[str]:
    """Wait until the groups of all events are delivered; give the ids of the deliveries."""
    groups = {(g.workflow_id, g.run_id) for result in results for g in result.groups}
    found: set[str] = set()
    for workflow_id, run_id in groups:
        group = client.get_workflow_handle(workflow_id, run_id=run_id, result_type=list[str])
        found.update(await group.result())
    for delivery in found:
        await client.get_workflow_handle(delivery).result()
    return sorted(found)


async def until_sent(attempts: ScriptedAttempts, count: int) -> list[str]:
    """Wait until so many events were sent; give the ids of all that were."""
    async with asyncio.timeout(20):
        while True:
            sent = [e.id for given in attempts.inputs for e in (given.event, *given.more)]
            if len(sent) >= count:
                return sent
            await asyncio.sleep(0.05)


async def begun_with(
    left: Sequence[Gathered], client: Client, queue: str
) -> WorkflowHandle[GroupWorkflow, tuple[str, ...]]:
    """Start the workflow of a group as an earlier run hands it on."""
    group = left[0].match.group
    assert group
    return await client.start_workflow(
        GroupWorkflow.run,
        GroupInput(group=group, left=tuple(left)),
        id=group_of(left[0], group),
        task_queue=queue,
    )


def pushes(count: int) -> list[RegistryEvent]:
    """Give pushes of several tags, the last one first."""
    now = an_event().occurred_at
    return [
        an_event(tags=(f"v{n}",), occurred_at=now + timedelta(seconds=n))
        for n in reversed(range(count))
    ]


async def test_the_events_of_a_window_are_one_delivery_in_order_of_occurrence(
    temporal_client: Client,
) -> None:
    attempts, matches, events = ScriptedAttempts(200), gathering("a", "b", most=5), pushes(5)
    async with scripted_worker(temporal_client, attempts, matches) as queue:
        results = await run(temporal_client, queue, events)
        assert {result.outcome for result in results} == {EventOutcome.MATCHED}
        assert {result.deliveries for result in results} == {()}
        deliveries = await ends(temporal_client, results)
    group = whole(events[::-1])
    policy = matches.matches[0].policy
    assert deliveries == [f"delivery:dist:{group.id}:{policy}:{target}" for target in "ab"]
    assert {given.target for given in attempts.inputs} == {"a", "b"}
    for given in attempts.inputs:
        assert [e.tags[0] for e in (given.event, *given.more)] == ["v0", "v1", "v2", "v3", "v4"]
        assert given.group_id == group.id
    found = (
        await temporal_client.get_workflow_handle(deliveries[0]).describe()
    ).typed_search_attributes
    assert (found[EVENT_ID], found[EVENT_TYPE], found[REPOSITORY]) == (
        group.id,
        "artifact.pushed",
        "prod/app",
    )
    assert sorted(found[TAGS]) == ["v0", "v1", "v2", "v3", "v4"]


async def test_an_event_alone_in_its_window_is_delivered_as_any_other(
    temporal_client: Client,
) -> None:
    attempts, matches = ScriptedAttempts(200), gathering(seconds=0.2)
    event = an_event(raw=RawOriginal.of(b"{}"))
    async with scripted_worker(temporal_client, attempts, matches) as queue:
        deliveries = await ends(temporal_client, await run(temporal_client, queue, [event]))
    assert deliveries == [f"delivery:dist:{event.id}:{matches.matches[0].policy}:ci"]
    [given] = attempts.inputs
    assert (given.event, given.more, given.group_id) == (event.without_raw(), (), None)


async def test_a_full_group_does_not_wait_and_the_rest_is_the_next_group(
    temporal_client: Client,
) -> None:
    attempts, matches = ScriptedAttempts(200), gathering(most=4)
    events = pushes(8)
    async with scripted_worker(temporal_client, attempts, matches) as queue:
        await run(temporal_client, queue, events)
        await until_sent(attempts, 8)
    sent = [{given.event.id, *(e.id for e in given.more)} for given in attempts.inputs]
    assert sorted(len(ids) for ids in sent) == [4, 4]
    assert set.union(*sent) == {event.id for event in events}


async def test_an_identical_event_counts_once(temporal_client: Client) -> None:
    attempts, matches = ScriptedAttempts(200), gathering(most=2)
    async with scripted_worker(temporal_client, attempts, matches) as queue:
        await run(temporal_client, queue, [an_event(), an_event()])
        await ends(temporal_client, await run(temporal_client, queue, [an_event(tags=("v2",))]))
    [given] = attempts.inputs
    assert sorted(e.tags for e in (given.event, *given.more)) == [("v1",), ("v2",)]


async def test_other_repositories_are_other_groups(temporal_client: Client) -> None:
    attempts, matches = ScriptedAttempts(200), gathering(seconds=0.5)
    events = [an_event(), an_event(repository="prod/web")]
    async with scripted_worker(temporal_client, attempts, matches) as queue:
        results = await run(temporal_client, queue, events)
        deliveries = await ends(temporal_client, results)
    assert len({group.workflow_id for result in results for group in result.groups}) == 2
    assert len(deliveries) == 2
    assert [given.more for given in attempts.inputs] == [(), ()]


async def test_only_policies_that_gather_wait(temporal_client: Client) -> None:
    matches = gathering(seconds=0.2)
    matches.matches = (*matches.matches, Match(policy="plain", target="ci", retry=QUICK))
    event = an_event()
    async with scripted_worker(temporal_client, ScriptedAttempts(200), matches) as queue:
        [result] = await run(temporal_client, queue, [event])
        assert result.deliveries == (f"delivery:dist:{event.id}:plain:ci",)
        assert len(result.groups) == 1
        await ends(temporal_client, [result])


async def test_a_group_that_is_gathered_twice_is_delivered_once(temporal_client: Client) -> None:
    attempts, matches, events = ScriptedAttempts(200), gathering(most=2), pushes(2)
    async with scripted_worker(temporal_client, attempts, matches) as queue:
        for _ in range(2):
            deliveries = await ends(temporal_client, await run(temporal_client, queue, events))
    assert len(deliveries) == 1
    assert len(attempts.inputs) == 1


async def test_a_worker_that_goes_while_it_gathers_loses_nothing(temporal_client: Client) -> None:
    attempts, matches, events = ScriptedAttempts(200), gathering(most=4), pushes(4)
    async with scripted_worker(temporal_client, attempts, matches) as queue:
        results = await run(temporal_client, queue, events[:3])
        group = temporal_client.get_workflow_handle(results[0].groups[0].workflow_id)
        assert "UTC; 3 of at most 4 so far." in await details(group)
    assert attempts.inputs == []
    async with scripted_worker(temporal_client, attempts, matches, queue=queue):
        await ends(temporal_client, await run(temporal_client, queue, events[3:]))
    assert len(attempts.inputs[0].more) == 3


async def test_what_comes_while_deliveries_start_is_delivered_too(temporal_client: Client) -> None:
    """Windows so short that events meet every moment of a group's life."""
    attempts, matches, events = ScriptedAttempts(200), gathering(seconds=0.1), pushes(30)
    async with scripted_worker(temporal_client, attempts, matches) as queue:
        await run(temporal_client, queue, events)
        sent = await until_sent(attempts, 30)
    assert sorted(sent) == sorted(event.id for event in events)


async def test_a_group_ends_before_it_is_too_large_for_temporal(temporal_client: Client) -> None:
    attempts, matches = ScriptedAttempts(200), gathering(seconds=1.5, most=100)
    events = [an_event(attributes={"text": str(n) + "x" * 100_000}) for n in range(10)]
    async with scripted_worker(temporal_client, attempts, matches) as queue:
        await run(temporal_client, queue, events)
        await until_sent(attempts, 10)
    assert max(1 + len(given.more) for given in attempts.inputs) == 2


async def test_a_group_goes_on_in_a_new_run_where_its_history_grows_long(
    temporal_client: Client,
) -> None:
    attempts, matches, events = ScriptedAttempts(200), gathering(most=8), pushes(8)
    match = matches.matches[0]
    first = Gathered(event=events[0], match=match, targets=("ci",))
    assert match.group
    async with scripted_worker(temporal_client, attempts, matches) as queue:
        group = await temporal_client.start_workflow(
            GroupWorkflow.run,
            GroupInput(group=match.group, longest=12),
            id=group_of(first, match.group),
            task_queue=queue,
            start_signal="gather",
            start_signal_args=[first],
        )
        for event in events[1:]:
            await run(temporal_client, queue, [event])
        [delivery] = await group.result()
        await temporal_client.get_workflow_handle(delivery).result()
        begun = temporal_client.get_workflow_handle(group.id, run_id=group.result_run_id)
        status = (await begun.describe()).status
    assert status is WorkflowExecutionStatus.CONTINUED_AS_NEW
    assert len(attempts.inputs[0].more) == 7


async def test_a_burst_of_many_groups_is_one_run_so_that_what_is_left_is_kept_once(
    temporal_client: Client,
) -> None:
    attempts, matches, events = ScriptedAttempts(200), gathering(most=2), pushes(60)
    match = matches.matches[0]
    assert match.group
    left = tuple(Gathered(event=event, match=match, targets=("ci",)) for event in events)
    async with scripted_worker(temporal_client, attempts, matches) as queue:
        group = await begun_with(left, temporal_client, queue)
        deliveries = await group.result()
        sent = await until_sent(attempts, 60)
    assert len(deliveries) == 30
    assert sorted(sent) == sorted(event.id for event in events)
    assert (await group.describe()).run_id == group.result_run_id


async def test_the_next_window_is_as_the_policy_says_by_then(temporal_client: Client) -> None:
    attempts, matches, events = ScriptedAttempts(200), gathering(most=2), pushes(5)
    match = matches.matches[0]
    assert match.group
    changed = match.model_copy(update={"group": match.group.model_copy(update={"max": 3})})
    left = tuple(
        Gathered(event=event, match=match if n < 2 else changed, targets=("ci",))
        for n, event in enumerate(events)
    )
    async with scripted_worker(temporal_client, attempts, matches) as queue:
        group = await begun_with(left, temporal_client, queue)
        await group.result()
        await until_sent(attempts, 5)
    assert sorted(1 + len(given.more) for given in attempts.inputs) == [2, 3]


async def test_a_delivery_that_fails_while_its_group_goes_on_is_no_error_of_the_worker(
    temporal_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker said of each that its exception was never retrieved, and `up` showed it."""
    [match] = gathering(seconds=4, most=2).matches
    assert match.group
    arrived = tuple(Gathered(event=e, match=match, targets=("ci",)) for e in pushes(3))
    first = whole((arrived[1].event, arrived[0].event))
    async with scripted_worker(temporal_client, ScriptedAttempts(404)) as queue:
        group = await temporal_client.start_workflow(
            GroupWorkflow.run,
            GroupInput(group=match.group, left=arrived),
            id=group_of(arrived[0], match.group),
            task_queue=queue,
        )
        await until_seen(group, EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED)
        gc.collect()
        assert (await group.result())[0] == f"delivery:dist:{first.id}:{match.policy}:ci"
    assert "never retrieved" not in caplog.text


async def until_seen(group: WorkflowHandle[Any, Any], wanted: EventType.ValueType) -> None:
    """Wait until history has such an event, and the worker has seen it."""
    done = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    async with asyncio.timeout(20):
        while True:
            kinds = [event.event_type async for event in group.fetch_history_events()]
            if wanted in kinds and done in kinds[kinds.index(wanted) :]:
                return
            await asyncio.sleep(0.05)
