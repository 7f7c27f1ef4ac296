import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle

from activities.gather import GroupInput
from portcall.adapters.delivery_log import TemporalDeliveryLog, WebUi
from portcall.adapters.event_log import TemporalEventLog
from portcall.gathering import Group
from portcall.grouping import Gathered, group_of, whole
from portcall.log import EventDetail, Filter
from portcall.matching import Match
from tests.adapters.test_event_log import recorded
from tests.workflows.scripted import (
    QUICK,
    ScriptedAttempts,
    ScriptedMatches,
    an_event,
    details,
    scripted_worker,
)
from workflows.group import GroupWorkflow


class Log:
    """Events of a source of the test's own for a policy of its own that gathers."""

    def __init__(self, client: Client, queue: str, policy: str) -> None:
        self.client, self.queue, self.policy = client, queue, policy
        self.source = f"s-{uuid.uuid4().hex[:8]}"
        self.look_through(client)

    def look_through(self, client: Client) -> None:
        ui = WebUi("http://ui.test", client.namespace)
        self.events = TemporalEventLog(client, TemporalDeliveryLog(client, ui), ui)

    async def send(self, *tags: str) -> list[str]:
        """Run events with these tags one after another; give their ids."""
        events = [an_event(source=self.source, tags=(tag,)) for tag in tags]
        for event in events:
            await recorded(self.client, self.queue, event)
        return [f"{event.source}:{event.id}" for event in events]

    async def page(self, event_id: str, state: str) -> EventDetail:
        """Give the event's page as soon as its group stands so."""
        async with asyncio.timeout(10):
            while True:
                page = await self.events.event(event_id)
                if page.group_list[0].state == state:
                    return page
                await asyncio.sleep(0.1)


@asynccontextmanager
async def gathering(client: Client, group: Group, *targets: str) -> AsyncIterator[Log]:
    policy = f"p-{uuid.uuid4().hex[:8]}"
    matches = ScriptedMatches(
        *(Match(policy=policy, target=t, retry=QUICK, group=group) for t in targets or ("ci",))
    )
    async with scripted_worker(client, ScriptedAttempts(200), matches) as queue:
        yield Log(client, queue, policy)


HOUR = timedelta(hours=1)


async def until_it_says(handle: WorkflowHandle[Any, Any], wanted: str) -> None:
    async with asyncio.timeout(10):
        while wanted not in await details(handle):
            await asyncio.sleep(0.1)


async def reset(client: Client, workflow_id: str, run_id: str) -> str:
    """Reset to the first completed workflow task as the Web UI does; give the new run."""
    kind = "workflow_task_completed_event_attributes"
    run = client.get_workflow_handle(workflow_id, run_id=run_id)
    events = (await run.fetch_history()).events
    answer = await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
            reason="a test",
            workflow_task_finish_event_id=next(e.event_id for e in events if e.HasField(kind)),
            request_id=uuid.uuid4().hex,
        )
    )
    return answer.run_id


async def test_the_page_of_an_event_says_until_when_its_group_gathers(
    temporal_client: Client,
) -> None:
    async with gathering(temporal_client, Group(window=HOUR)) as log:
        [event_id] = await log.send("v1")
        page = await log.page(event_id, "gathering")
        [group] = page.group_list
        await temporal_client.get_workflow_handle(group.id).terminate()
        assert group.policy == log.policy
        assert group.until
        assert timedelta(minutes=59) < group.until - datetime.now(UTC) <= HOUR
        assert group.temporal_url
        assert (page.deliveries, page.delivery_list, group.delivery_list) == (0, (), ())
        assert (await log.page(event_id, "gone")).group_list[0].until is None


async def test_the_page_of_each_event_shows_the_deliveries_of_its_group(
    temporal_client: Client,
) -> None:
    async with gathering(temporal_client, Group(window=HOUR, max=2), "a", "b") as log:
        one, two, alone = await log.send("v1", "v2", "v3")
        pages = [await log.page(event_id, "sent") for event_id in (one, two)]
        group = whole([page.event for page in pages])
        wanted = [f"delivery:{log.source}:{group.id}:{log.policy}:{target}" for target in "ab"]
        for page in pages:
            assert [delivery.id for delivery in page.delivery_list] == wanted
            assert page.delivery_list == page.group_list[0].delivery_list
            assert page.deliveries == 2
        page = await log.page(alone, "gathering")
        await temporal_client.get_workflow_handle(page.group_list[0].id).terminate()


class WithoutDeliveries:
    """A client to which no delivery exists, be it that it does not yet or not any more."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_workflow_handle(self, workflow_id: str, **more: Any) -> WorkflowHandle[Any, Any]:
        known = workflow_id.replace("delivery:", "no-delivery:")
        return self._client.get_workflow_handle(known, **more)


async def test_an_event_is_shown_whose_groups_delivery_is_not_in_the_log(
    temporal_client: Client,
) -> None:
    async with gathering(temporal_client, Group(window=HOUR, max=2)) as log:
        event_id, _ = await log.send("v1", "v2")
        await log.page(event_id, "sent")
        log.look_through(cast("Client", WithoutDeliveries(temporal_client)))
        page = await log.page(event_id, "sent")
        assert (page.deliveries, page.group_list[0].delivery_list) == (0, ())


async def test_the_page_of_an_event_that_counts_once_shows_where_its_twin_went(
    temporal_client: Client,
) -> None:
    async with gathering(temporal_client, Group(window=HOUR, max=2)) as log:
        one, twin, two = await log.send("v1", "v1", "v2")
        found = [await log.page(event_id, "sent") for event_id in (one, twin, two)]
        assert len({page.delivery_list[0].id for page in found}) == 1
        members = whole([found[0].event, found[2].event])
        assert found[1].delivery_list[0].event_id == members.id


async def test_an_event_is_found_that_one_run_handed_on_to_the_next(
    temporal_client: Client,
) -> None:
    group = Group(window=HOUR, max=3)
    async with gathering(temporal_client, group) as log:
        match = Match(policy=log.policy, target="ci", retry=QUICK, group=group)
        begun = Gathered(event=an_event(source=log.source), match=match, targets=("ci",))
        first = await temporal_client.start_workflow(
            GroupWorkflow.run,
            GroupInput(group=group, longest=8),
            id=group_of(begun, group),
            task_queue=log.queue,
            start_signal="gather",
            start_signal_args=[begun],
        )
        [one] = await log.send("v2")
        run = temporal_client.get_workflow_handle(first.id, run_id=first.result_run_id)
        while (await run.describe()).status is WorkflowExecutionStatus.RUNNING:
            await first.signal(GroupWorkflow.gather, begun)
            await asyncio.sleep(0.1)
        page = await log.page(one, "gathering")
        assert page.group_list[0].run_id != first.result_run_id
        [two] = await log.send("v3")
        pages = [await log.page(event_id, "sent") for event_id in (one, two)]
        assert pages[0].delivery_list[0].id == pages[1].delivery_list[0].id


async def test_an_event_is_found_in_the_run_that_a_reset_began(temporal_client: Client) -> None:
    async with gathering(temporal_client, Group(window=HOUR, max=3)) as log:
        one, two = await log.send("v1", "v2")
        first = (await log.page(two, "gathering")).group_list[0]
        new_run = await reset(temporal_client, first.id, first.run_id)
        await until_it_says(temporal_client.get_workflow_handle(first.id), "2 of at most 3")
        for event_id in (one, two):
            page = await log.page(event_id, "gathering")
            assert page.group_list[0].run_id == new_run
        [three] = await log.send("v3")
        found = [await log.page(event_id, "sent") for event_id in (one, two, three)]
        assert len({page.delivery_list[0].id for page in found}) == 1


async def test_an_event_like_one_that_was_sent_is_shown_where_it_is_itself(
    temporal_client: Client,
) -> None:
    group = Group(window=HOUR, max=3)
    async with gathering(temporal_client, group) as log:
        match = Match(policy=log.policy, target="ci", retry=QUICK, group=group)
        left = [
            Gathered(event=an_event(source=log.source, tags=(tag,)), match=match, targets=("ci",))
            for tag in ("v1", "v2", "v3", "v4")
        ]
        handle = await temporal_client.start_workflow(
            GroupWorkflow.run,
            GroupInput(group=group, left=tuple(left)),
            id=group_of(left[0], group),
            task_queue=log.queue,
        )
        await until_it_says(handle, "1 of at most 3")
        [again] = await log.send("v1")
        await log.page(again, "gathering")
        [last] = await log.send("v5")
        page, end = [await log.page(event_id, "sent") for event_id in (again, last)]
        members = [left[3].event, page.event, end.event]
        assert page.delivery_list[0].event_id == whole(members).id


async def test_the_list_of_events_says_in_how_many_groups_each_is(temporal_client: Client) -> None:
    async with gathering(temporal_client, Group(window=HOUR)) as log:
        [event_id] = await log.send("v1")
        async with asyncio.timeout(10):
            while True:
                found, _ = await log.events.events(Filter(source=log.source), cursor=None, limit=10)
                if found and found[0].groups:
                    break
                await asyncio.sleep(0.1)
        assert (found[0].groups, found[0].deliveries) == (1, 0)
        page = await log.page(event_id, "gathering")
        await temporal_client.get_workflow_handle(page.group_list[0].id).terminate()
