"""From a delivery's history, as Temporal keeps it, to the attempts that it records."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.converter import DataConverter

from activities.attempt_failure import (
    ATTEMPT_FAILED,
    DELIVERY_HELD,
    DELIVERY_QUEUED,
    PAUSES,
    broken,
    lost,
)
from portcall.attempts import AttemptRecord

ATTEMPT = "attempt_delivery"


class RunHistory:
    """What one run's history says.

    `attempts` in order; `reason`: why it was given up, or is held since `held_since` or queued
    since `queued_since`, where no attempt followed; `base_run_id`: the run that it was reset from;
    `is_waiting`: a durable timer runs.
    """

    def __init__(self, run_id: str, converter: DataConverter) -> None:
        """Start with a run of which nothing was read."""
        self.attempts: list[AttemptRecord] = []
        self.reason: str | None = None
        self.held_since: datetime | None = None
        self.queued_since: datetime | None = None
        self.base_run_id: str | None = None
        self.is_waiting = False
        self._run_id = run_id
        self._converter = converter
        self._scheduled: dict[int, datetime] = {}
        self._is_paused = False

    async def read(self, events: Iterable[HistoryEvent]) -> "RunHistory":
        """Read all events, oldest first."""
        for event in events:
            reader = _READERS.get(event.event_type)
            if reader is not None:
                getattr(self, reader)(event)
            elif event.event_type in _ATTEMPT_ENDS:
                await self._attempt_ended(event)
        return self

    def _task_failed(self, event: HistoryEvent) -> None:
        base = event.workflow_task_failed_event_attributes.base_run_id
        self.base_run_id = base or self.base_run_id

    def _activity_scheduled(self, event: HistoryEvent) -> None:
        if event.activity_task_scheduled_event_attributes.activity_type.name == ATTEMPT:
            self._scheduled[event.event_id] = event.event_time.ToDatetime(tzinfo=UTC)

    def _timer_started(self, event: HistoryEvent) -> None:
        self.is_waiting = True
        # What waits out an outage of ours, a queue or a suspension is no part of the retry.
        if self.attempts and not self._is_paused and self.attempts[-1].next_attempt_in is None:
            delay = event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
            self.attempts[-1] = self.attempts[-1].waiting(delay)

    def _timer_ended(self, _event: HistoryEvent) -> None:
        self.is_waiting = False

    def _gave_up(self, event: HistoryEvent) -> None:
        self.reason = event.workflow_execution_failed_event_attributes.failure.message

    async def _attempt_ended(self, event: HistoryEvent) -> None:
        attributes: Any = getattr(event, event.WhichOneof("attributes") or "")
        scheduled_at = self._scheduled.get(attributes.scheduled_event_id)
        if scheduled_at is None:
            return
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            self._add(await self._decode(attributes.result.payloads))
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED:
            await self._attempt_failed(attributes.failure, scheduled_at)
        else:
            self._add(lost(len(self.attempts) + 1, scheduled_at))

    async def _attempt_failed(self, failure: Failure, scheduled_at: datetime) -> None:
        info = failure.application_failure_info
        if info.type in PAUSES:
            self._paused(info.type, failure.message, scheduled_at)
        elif info.type == ATTEMPT_FAILED and info.details.payloads:
            self._add(await self._decode(info.details.payloads))
        else:
            self._add(broken(len(self.attempts) + 1, scheduled_at, failure.message))

    def _paused(self, kind: str, reason: str, since: datetime) -> None:
        self._is_paused = True
        if PAUSES[kind] is None:
            return
        self.reason = reason
        self.held_since = (self.held_since or since) if kind == DELIVERY_HELD else None
        self.queued_since = (self.queued_since or since) if kind == DELIVERY_QUEUED else None

    def _add(self, record: AttemptRecord) -> None:
        """Add one; where the attempt left no record of its own, it was one of this run."""
        run_id = record.run_id or self._run_id
        self.attempts.append(record.model_copy(update={"run_id": run_id}))
        self.reason = self.held_since = self.queued_since = None
        self._is_paused = False

    async def _decode(self, payloads: Any) -> AttemptRecord:
        record: AttemptRecord = (await self._converter.decode(payloads, [AttemptRecord]))[0]
        return record


_READERS = {
    EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED: "_task_failed",
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: "_activity_scheduled",
    EventType.EVENT_TYPE_TIMER_STARTED: "_timer_started",
    EventType.EVENT_TYPE_TIMER_FIRED: "_timer_ended",
    EventType.EVENT_TYPE_TIMER_CANCELED: "_timer_ended",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: "_gave_up",
}
_ATTEMPT_ENDS = (
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
)
