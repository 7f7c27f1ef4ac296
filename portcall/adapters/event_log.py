"""The log of events on Temporal: lists from visibility, one from its workflow's history."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecution

from portcall import ids
from portcall.adapters.activity_results import activity_results
from portcall.adapters.delivery_log import TemporalDeliveryLog, WebUi
from portcall.adapters.group_log import TemporalGroupLog
from portcall.adapters.temporal import translated
from portcall.adapters.temporal_pages import (
    IDS_IN_QUERY,
    newest_runs,
    page_of_newest_runs,
    page_of_runs,
)
from portcall.attempts import EventOutcome
from portcall.errors import ConflictError, NotFoundError
from portcall.events import RegistryEvent
from portcall.log import EventDetail, EventSummary, Filter
from portcall.matching import MatchResult
from portcall.narrowing import Bound
from portcall.search import (
    DELIVERY_WORKFLOW,
    EVENT_WORKFLOW,
    Cursor,
    event_ids_query,
    ids_query,
    is_for_events,
    visibility_query,
)
from workflows.registry_event import RegistryEventInput

VERIFY, MATCH = "verify_event", "match_policies"
READ_AT_ONCE = 16
UNTIL_VERIFIED = 20
"""Events of a history among which the answer of the registry stands, if it was asked."""


class TemporalEventLog:
    """`ports.EventLog` on a Temporal client."""

    def __init__(self, client: Client, deliveries: TemporalDeliveryLog, ui: WebUi) -> None:
        """Read through `client`; what deliveries alone know, through `deliveries`."""
        self._client = client
        self._deliveries = deliveries
        self._ui = ui

    async def events(
        self, wanted: Filter, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[EventSummary], str | None]:
        """Give a page of events, newest first."""
        if not is_for_events(wanted):
            return await self._through_deliveries(wanted, cursor=cursor, limit=limit)
        with translated():
            query = visibility_query(EVENT_WORKFLOW, wanted)
            page, following = await page_of_newest_runs(
                self._client, EVENT_WORKFLOW, query, cursor=cursor, limit=limit
            )
            return await self._summaries(page), following

    async def _through_deliveries(
        self, wanted: Filter, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[EventSummary], str | None]:
        """Page over deliveries; an event stands where its newest delivery does, and only there."""
        found, following = await self._deliveries.deliveries(wanted, cursor=cursor, limit=limit)
        if not found:
            return [], None
        newest = await self._deliveries.newest_of_events(wanted, {d.event_id for d in found})
        order = []
        for delivery in found:
            event = ids.event_workflow_id(delivery.source, delivery.event_id)
            if newest.get(event) == Cursor(delivery.started_at.astimezone(UTC), delivery.run_id):
                order.append(event)
        if not order:
            return [], following
        with translated():
            query = ids_query(EVENT_WORKFLOW, order)
            runs = [e async for e in self._client.list_workflows(query)]
            newest_run = await newest_runs(self._client, EVENT_WORKFLOW, runs)
            executions = {e.id: e for e in newest_run}
            return await self._summaries(
                [executions[i] for i in order if i in executions]
            ), following

    async def _summaries(self, found: Sequence[WorkflowExecution]) -> list[EventSummary]:
        """Build the summaries, with one query for the number of deliveries of all of them."""
        deliveries: dict[str, set[str]] = {}
        for start in range(0, len(found), IDS_IN_QUERY):
            some = {event_id_of(e) for e in found[start : start + IDS_IN_QUERY]}
            query = event_ids_query(DELIVERY_WORKFLOW, some)
            async for run in self._client.list_workflows(query):
                key = ids.parse_delivery_id(run.id)
                if key:
                    event = ids.event_workflow_id(key.source, key.event_id)
                    deliveries.setdefault(event, set()).add(run.id)
        return [await self._summary(e, len(deliveries.get(e.id, ()))) for e in found]

    async def _summary(self, execution: WorkflowExecution, deliveries: int) -> EventSummary:
        found = execution.typed_search_attributes
        memo = await execution.memo()
        outcome = found.get(ids.OUTCOME)
        return EventSummary(
            id=event_id_of(execution),
            type=found.get(ids.EVENT_TYPE, ""),
            source=found.get(ids.SOURCE, ""),
            project=memo.get("project"),
            repository=found.get(ids.REPOSITORY),
            tags=tuple(found.get(ids.TAGS, ())),
            digest=found.get(ids.DIGEST),
            actor=memo.get("actor"),
            occurred_at=memo.get("occurred_at"),
            received_at=execution.start_time,
            outcome=EventOutcome(outcome) if outcome else None,
            deliveries=deliveries,
            groups=memo.get("groups", 0),
            run_id=execution.run_id,
            temporal_url=self._ui.link(execution.id, execution.run_id),
        )

    async def event(self, event_id: str) -> EventDetail:
        """Give one event by its id, `source:id` or workflow id."""
        with translated():
            execution = await self._find(event_id)
            handle = self._client.get_workflow_handle(execution.id, run_id=execution.run_id)
            history = await handle.fetch_history()
            given, result = await self._decode(history.events)
            groups = await TemporalGroupLog(self._client, self._ui, given).read(history.events)
            found, _ = await self._deliveries.deliveries(
                Filter(source=given.source, event_id=given.id), cursor=None, limit=1000
            )
            found = [*found, *(d for group in groups for d in group.delivery_list)]
            found = list({delivery.id: delivery for delivery in found}.values())
            summary = await self._summary(execution, len(found))
        return EventDetail(
            **{**dict(summary), "received_at": given.received_at, "groups": len(groups)},
            event=given,
            delivery_list=tuple(found),
            group_list=groups,
            **(result.model_dump(mode="json", exclude={"matches"}) if result else {}),
        )

    async def count(self, bounds: Sequence[Bound], since: datetime) -> int:
        """Count the events; one whose workflow was reset counts again."""
        with translated():
            return (await self._client.count_workflows(_within(bounds, since))).count

    async def recorded(
        self, bounds: Sequence[Bound], since: datetime, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[RegistryEvent], str | None]:
        """Give a page of whole events, newest first, read from their histories side by side."""
        at_once = asyncio.Semaphore(READ_AT_ONCE)
        with translated():
            page, following = await page_of_runs(
                self._client, _within(bounds, since), cursor=cursor, limit=limit
            )
            found = await asyncio.gather(*(self._recorded(run, at_once) for run in page))
        return [event for event in found if event], following

    async def _recorded(
        self, execution: WorkflowExecution, at_once: asyncio.Semaphore
    ) -> RegistryEvent | None:
        """Read one event; None where its history is gone, or is a copy that a reset made."""
        handle = self._client.get_workflow_handle(execution.id, run_id=execution.run_id)
        history = handle.fetch_history_events(page_size=UNTIL_VERIFIED)
        async with at_once:
            try:
                with translated():
                    await history.fetch_next_page()
            except NotFoundError:
                return None
        events = history.current_page or ()
        started = events[0].workflow_execution_started_event_attributes
        if started.original_execution_run_id != execution.run_id:
            return None
        return (await self._event(events)).without_raw()

    async def _find(self, event_id: str) -> WorkflowExecution:
        """Find the workflow; one that has just started is not in visibility yet."""
        parts = event_id.removeprefix("event:").split(":")
        if len(parts) == 2:
            return await self._describe(ids.event_workflow_id(*parts))
        if ids.plain_id(event_id) != event_id:
            raise NotFoundError(f"There is no event {event_id[:100]!r}.")
        query = visibility_query(EVENT_WORKFLOW, Filter(event_id=event_id))
        runs = [e async for e in self._client.list_workflows(query)]
        found = {e.id: e for e in await newest_runs(self._client, EVENT_WORKFLOW, runs)}
        if len(found) > 1:
            names = ", ".join(sorted(id_.removeprefix("event:") for id_ in found))
            raise ConflictError(
                f"Several sources sent an event {event_id}; ask for one of: {names}"
            )
        if not found:
            raise NotFoundError(f"There is no event {event_id}, or its log's retention is over.")
        return next(iter(found.values()))

    async def _describe(self, workflow_id: str) -> WorkflowExecution:
        try:
            with translated():
                return await self._client.get_workflow_handle(workflow_id).describe()
        except NotFoundError:
            shown = workflow_id.removeprefix("event:")
            raise NotFoundError(
                f"There is no event {shown}, or its log's retention is over."
            ) from None

    async def _decode(
        self, events: Sequence[HistoryEvent]
    ) -> tuple[RegistryEvent, MatchResult | None]:
        """Give the event, once verified as its registry has it, and what matching found."""
        event = await self._event(events)
        for name, payloads in activity_results(events):
            if name == MATCH:
                decoded = await self._client.data_converter.decode(payloads, [MatchResult])
                return event, decoded[0]
        return event, None

    async def _event(self, events: Sequence[HistoryEvent]) -> RegistryEvent:
        """Give the event as it came, or as its registry has it once that was asked."""
        decode: Any = self._client.data_converter.decode
        started = events[0].workflow_execution_started_event_attributes
        event: RegistryEvent = (await decode(started.input.payloads, [RegistryEventInput]))[0].event
        for name, payloads in activity_results(events):
            if name == VERIFY:
                seen: RegistryEvent = (await decode(payloads, [RegistryEvent]))[0]
                return seen.model_copy(update={"raw": event.raw})
        return event


def _within(bounds: Sequence[Bound], since: datetime) -> str:
    query = visibility_query(EVENT_WORKFLOW, Filter(since=since))
    return " AND ".join([query, *map(str, bounds)])


def event_id_of(execution: WorkflowExecution) -> str:
    """Give the event's own id from its workflow's."""
    return execution.id.rpartition(":")[2]
