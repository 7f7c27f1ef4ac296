import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from portcall.adapters.delivery_log import TemporalDeliveryLog, WebUi
from portcall.adapters.event_log import TemporalEventLog
from portcall.errors import InvalidInputError
from portcall.events import RawOriginal, RegistryEvent, Verification
from portcall.ids import event_attributes, event_workflow_id
from portcall.narrowing import Bound, bounds
from portcall.policies import Policy
from tests.workflows.scripted import ScriptedRegistry, an_event, scripted_worker
from workflows.registry_event import RegistryEventInput, RegistryEventWorkflow

ODD = "it's 100%_odd!"
"""A repository that means something else to a query that is not quoted."""


async def recorded(client: Client, queue: str, event: RegistryEvent) -> str:
    """Run an event to its end; give the run's id."""
    handle = await client.start_workflow(
        RegistryEventWorkflow.run,
        RegistryEventInput(event=event),
        id=event_workflow_id(event.source, event.id),
        task_queue=queue,
        search_attributes=event_attributes(event),
    )
    await handle.result()
    return (await handle.describe()).run_id


class Reading:
    """The log of a source of the test's own."""

    def __init__(self, client: Client, source: str) -> None:
        ui = WebUi(None, client.namespace)
        self.log = TemporalEventLog(client, TemporalDeliveryLog(client, ui), ui)
        self.since = datetime.now(UTC) - timedelta(hours=1)
        self.source = Bound("Source", values=(source,))

    async def all(self, *within: Bound, limit: int = 3) -> list[RegistryEvent]:
        found: list[RegistryEvent] = []
        cursor: str | None = None
        while True:
            page, cursor = await self.log.recorded(
                (self.source, *within), self.since, cursor=cursor, limit=limit
            )
            assert len(page) <= limit
            found += page
            if cursor is None:
                return found


@pytest.fixture
async def pushes(temporal_client: Client) -> Sequence[RegistryEvent]:
    """Seven events of a source of their own, oldest first; search knows all of them."""
    source = f"s{uuid.uuid4().hex[:10]}"
    events = [
        an_event(
            source=source,
            repository=f"{ODD if number % 2 == 0 else 'prod'}/app{number}",
            raw=RawOriginal.of(b"{}"),
        )
        for number in range(7)
    ]
    async with scripted_worker(temporal_client) as queue:
        for event in events:
            await recorded(temporal_client, queue, event)
    reading = Reading(temporal_client, source)
    await seen(reading, 7)
    return events


async def seen(reading: Reading, count: int) -> None:
    """Wait until search has caught up."""
    async with asyncio.timeout(10):
        while await reading.log.count((reading.source,), reading.since) < count:
            await asyncio.sleep(0.1)


async def test_events_are_given_back_whole_newest_first_page_by_page(
    temporal_client: Client, pushes: Sequence[RegistryEvent]
) -> None:
    reading = Reading(temporal_client, pushes[0].source)
    assert await reading.all() == [event.without_raw() for event in reversed(pushes)]


@pytest.mark.parametrize(
    ("match", "numbers"),
    [
        ({"repository": {"glob": "prod/**"}}, [5, 3, 1]),
        ({"repository": {"in": ["prod/app1", f"{ODD}/app2"]}}, [2, 1]),
        ({"repository": {"regex": f"{ODD}/.*"}}, [6, 4, 2, 0]),
        ({"event_types": ["artifact.*"]}, [6, 5, 4, 3, 2, 1, 0]),
        ({"event_types": ["scan.*", "tag.deleted"]}, []),
    ],
)
async def test_the_bounds_of_a_policy_are_understood_by_the_search(
    temporal_client: Client,
    pushes: Sequence[RegistryEvent],
    match: dict[str, object],
    numbers: list[int],
) -> None:
    policy = Policy.model_validate({"name": "p", "targets": ["ci"], "match": match})
    within = bounds(policy)
    assert within
    reading = Reading(temporal_client, pushes[0].source)
    found = await reading.all(*within)
    assert [event.id for event in found] == [pushes[number].id for number in numbers]
    assert await reading.log.count((reading.source, *within), reading.since) == len(numbers)


async def test_an_event_whose_workflow_was_reset_is_read_once(
    temporal_client: Client, pushes: Sequence[RegistryEvent]
) -> None:
    event = pushes[3]
    handle = temporal_client.get_workflow_handle(event_workflow_id(event.source, event.id))
    await temporal_client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=temporal_client.namespace,
            workflow_execution=WorkflowExecution(
                workflow_id=handle.id, run_id=(await handle.describe()).run_id
            ),
            reason="a test",
            workflow_task_finish_event_id=4,
            request_id=event.id,
        )
    )
    reading = Reading(temporal_client, event.source)
    await seen(reading, 8)
    assert sorted(e.id for e in await reading.all()) == sorted(e.id for e in pushes)


async def test_an_event_that_the_registry_was_asked_about_is_read_as_the_registry_has_it(
    temporal_client: Client,
) -> None:
    pending = Verification(state="pending")
    event = an_event(source=f"s{uuid.uuid4().hex[:10]}", verification=pending, digest=None)
    registry = ScriptedRegistry(digest="sha256:" + "2" * 64)
    async with scripted_worker(temporal_client, verify=registry.verify_event) as queue:
        await recorded(temporal_client, queue, event)
    reading = Reading(temporal_client, event.source)
    await seen(reading, 1)
    [found] = await reading.all()
    assert found.verification == Verification(state="verified")
    assert found.digest == "sha256:" + "2" * 64


async def test_what_came_before_is_not_read(
    temporal_client: Client, pushes: Sequence[RegistryEvent]
) -> None:
    reading = Reading(temporal_client, pushes[0].source)
    reading.since = datetime.now(UTC)
    assert await reading.all() == []


async def test_a_cursor_that_is_none_of_ours_is_refused(temporal_client: Client) -> None:
    reading = Reading(temporal_client, "nobody")
    with pytest.raises(InvalidInputError):
        await reading.log.recorded((), reading.since, cursor="none of ours", limit=1)


async def test_an_event_of_more_tags_than_the_search_takes_is_recorded_whole(
    temporal_client: Client,
) -> None:
    """Temporal refused to start a workflow with more than 2 KiB of tags."""
    event = an_event(source=f"s-{uuid.uuid4().hex[:8]}", tags=tuple(f"v{n}" for n in range(1000)))
    async with scripted_worker(temporal_client) as queue:
        await recorded(temporal_client, queue, event)
    [found] = await Reading(temporal_client, event.source).all()
    assert found.tags == event.tags
