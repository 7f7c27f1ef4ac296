"""What became of an event that was given to groups: read from the histories of their runs."""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from activities.gather import GroupInput
from portcall.adapters.activity_results import activity_results
from portcall.adapters.delivery_log import WebUi, delivery_summary
from portcall.adapters.temporal import translated
from portcall.errors import NotFoundError
from portcall.events import RegistryEvent
from portcall.grouping import Gathered, GroupRun, fingerprint
from portcall.log import DeliverySummary, GroupSummary
from workflows.delivery import DeliveryInput

GATHER, SIGNAL = "gather_event", "gather"
MOST_RUNS = 100
"""Runs over which an event is looked for that each handed on to the next."""


class TemporalGroupLog:
    """Finds the group's deliveries of one event."""

    def __init__(self, client: Client, ui: WebUi, event: RegistryEvent) -> None:
        """Read through `client`; link into `ui`."""
        self._client = client
        self._ui = ui
        self._event = event
        self._said = fingerprint(event)

    async def read(self, history: Sequence[HistoryEvent]) -> tuple[GroupSummary, ...]:
        """Give each group to which the event was given, by its workflow's history, as it stands."""
        runs = [
            await self._decode(payloads, GroupRun)
            for name, payloads in activity_results(history)
            if name == GATHER
        ]
        return tuple(await asyncio.gather(*map(self._group, runs)))

    async def _group(self, given: GroupRun) -> GroupSummary:
        state, run_id, found, until = "gone", given.run_id, list[str](), None
        following: str | None = given.run_id
        for _ in range(MOST_RUNS):
            if following is None:
                break
            run_id = following
            try:
                events = await self._history(given.workflow_id, run_id)
            except NotFoundError:
                break
            exact, identical = await self._deliveries_in(events)
            following = None
            if not exact:
                following = await self._following(given, run_id, events, alike=not identical)
            found, until = exact or ([] if following else identical), _gathers_until(events)
        deliveries = await self._summaries(found)
        if found and (len(deliveries) == len(found) or not until):
            state = "sent"
        elif until:
            state = "gathering"
        return GroupSummary(
            policy=given.policy,
            id=given.workflow_id,
            run_id=run_id,
            state=state,
            until=until if state == "gathering" else None,
            delivery_list=deliveries,
            temporal_url=self._ui.link(given.workflow_id, run_id),
        )

    async def _history(self, workflow_id: str, run_id: str) -> Sequence[HistoryEvent]:
        with translated():
            handle = self._client.get_workflow_handle(workflow_id, run_id=run_id)
            return (await handle.fetch_history()).events

    async def _deliveries_in(self, events: Sequence[HistoryEvent]) -> tuple[list[str], list[str]]:
        """Give the ids of the deliveries that hold the event, and those with an identical one.

        One that began before the event came does not hold it, however alike they are.
        """
        exact, identical = list[str](), list[str]()
        for event in events:
            if event.event_type == EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
                child = event.start_child_workflow_execution_initiated_event_attributes
                given = await self._decode(child.input.payloads, DeliveryInput)
                members = (given.event, *given.more)
                if any(self._is_it(member) for member in members):
                    exact.append(child.workflow_id)
                elif any(fingerprint(member) == self._said for member in members):
                    identical.append(child.workflow_id)
            elif identical and await self._is_told(event):
                identical.clear()
        return exact, identical

    async def _following(
        self, given: GroupRun, run_id: str, events: Sequence[HistoryEvent], *, alike: bool
    ) -> str | None:
        """Give the run to which this one handed the event on, or one that is `alike`.

        Else the one that began when somebody reset this one, and was told of the event again.
        """
        last = events[-1]
        if last.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
            attributes = last.workflow_execution_continued_as_new_event_attributes
            has_it = await self._is_left(attributes.input.payloads, alike=alike)
            return attributes.new_execution_run_id if has_it else None
        if last.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
            with contextlib.suppress(NotFoundError):
                return await self._reset_to(given.workflow_id, run_id)
        return None

    async def _reset_to(self, workflow_id: str, run_id: str) -> str | None:
        with translated():
            handle = self._client.get_workflow_handle(workflow_id, run_id=run_id)
            found = (await handle.describe()).raw_description
        new_run = found.workflow_extended_info.reset_run_id
        if not new_run:
            return None
        events = await self._history(workflow_id, new_run)
        started = events[0].workflow_execution_started_event_attributes
        told = [await self._is_told(event) for event in events]
        has_it = any(told) or await self._is_left(started.input.payloads, alike=True)
        return new_run if has_it else None

    async def _is_told(self, event: HistoryEvent) -> bool:
        """Whether this is the signal with the event."""
        signal = event.workflow_execution_signaled_event_attributes
        if signal.signal_name != SIGNAL:  # empty where it is none
            return False
        return self._is_it((await self._decode(signal.input.payloads, Gathered)).event)

    async def _is_left(self, payloads: Any, *, alike: bool) -> bool:
        """Whether a run begins with the event, or with one that is `alike`."""
        given: GroupInput = await self._decode(payloads, GroupInput)
        return any(
            self._is_it(left.event) or (alike and fingerprint(left.event) == self._said)
            for left in given.left
        )

    async def _summaries(self, delivery_ids: Iterable[str]) -> tuple[DeliverySummary, ...]:
        found = await asyncio.gather(*map(self._summary, delivery_ids))
        return tuple(summary for summary in found if summary)

    async def _summary(self, delivery_id: str) -> DeliverySummary | None:
        """Give one; None where it does not exist yet, or its log's retention is over."""
        try:
            with translated():
                execution = await self._client.get_workflow_handle(delivery_id).describe()
        except NotFoundError:
            return None
        return delivery_summary(execution, self._ui)

    def _is_it(self, other: RegistryEvent) -> bool:
        return (other.source, other.id) == (self._event.source, self._event.id)

    async def _decode(self, payloads: Any, kind: type) -> Any:
        return (await self._client.data_converter.decode(payloads, [kind]))[0]


def _gathers_until(events: Sequence[HistoryEvent]) -> datetime | None:
    """Say until when an open run gathers; None where it has ended."""
    started = [e for e in events if e.event_type == EventType.EVENT_TYPE_TIMER_STARTED]
    closed = events[-1].event_type in _CLOSED
    if closed:
        return None
    if not started:
        return events[0].event_time.ToDatetime(tzinfo=UTC)
    wait = started[-1].timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
    return started[-1].event_time.ToDatetime(tzinfo=UTC) + wait


_CLOSED = (
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
)
