"""The results of the activities in a history."""

from collections.abc import Iterator, Sequence
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent


def activity_results(events: Sequence[HistoryEvent]) -> Iterator[tuple[str, Any]]:
    """Give the name of each activity that completed, and the payloads of its result."""
    names: dict[int, str] = {}
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            scheduled = event.activity_task_scheduled_event_attributes
            names[event.event_id] = scheduled.activity_type.name
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            completed = event.activity_task_completed_event_attributes
            yield names[completed.scheduled_event_id], completed.result.payloads
