"""From a filter to a query for Temporal's visibility store, and from a page to a cursor.

The store has no ORDER BY on SQL, gives open workflows first and keeps the order of closing;
`adapters/temporal.py` therefore walks windows of start time, which these queries bound.
"""

import base64
import binascii
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from portcall.errors import InvalidInputError
from portcall.log import Filter

EVENT_WORKFLOW = "RegistryEventWorkflow"
DELIVERY_WORKFLOW = "DeliveryWorkflow"
_OPEN = ("delivering", "retrying", "held", "queued", "waiting")
_ENDED_FROM_OUTSIDE = f"(Outcome IN {_OPEN} AND ExecutionStatus IN ('Failed', 'TimedOut'))"
_EVENT_OUTCOMES = ("matched", "unmatched")


class Cursor(NamedTuple):
    """The place behind the last item of a page: its start time and run id."""

    started_at: datetime
    run_id: str

    def encode(self) -> str:
        """Give the opaque text that a client sends back."""
        text = json.dumps([self.started_at.isoformat(), self.run_id])
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Read the text back; raise InvalidInputError where it is none of ours."""
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            started_at, run_id = json.loads(base64.b64decode(padded, b"-_", validate=True))
            return cls(datetime.fromisoformat(started_at).astimezone(UTC), str(run_id))
        except (ValueError, TypeError, OverflowError, binascii.Error):
            fault = {"field": "cursor", "message": "take next_cursor of the page before"}
            raise InvalidInputError("This is not a cursor.", [fault]) from None


def quote(value: str) -> str:
    """Write a string literal of the visibility query language (MySQL's escapes)."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def timestamp(when: datetime) -> str:
    """Write a time literal."""
    return quote(when.astimezone(UTC).isoformat().replace("+00:00", "Z"))


def _equals_or_starts(name: str, value: str) -> str:
    if value.endswith("*"):
        return f"{name} STARTS_WITH {quote(value[:-1])}"
    return f"{name} = {quote(value)}"


def _outcome(value: str) -> str:
    if value in _OPEN:
        return f"Outcome = {quote(value)} AND ExecutionStatus = 'Running'"
    if value == "cancelled":
        return "ExecutionStatus IN ('Canceled', 'Terminated')"
    if value == "exhausted":
        return f"(Outcome = 'exhausted' OR {_ENDED_FROM_OUTSIDE})"
    return f"Outcome = {quote(value)}"


def _conditions(wanted: Filter) -> Iterable[str]:
    plain = (
        ("Source", wanted.source),
        ("EventType", wanted.event_type),
        ("EventId", wanted.event_id),
        ("Tags", wanted.tag),
        ("Digest", wanted.digest),
        ("Policy", wanted.policy),
    )
    yield from (f"{name} = {quote(value)}" for name, value in plain if value is not None)
    for name, value in (("Repository", wanted.repository), ("Target", wanted.target)):
        if value is not None and value != "*":
            yield _equals_or_starts(name, value)
    if wanted.outcome is not None:
        yield _outcome(wanted.outcome)
    if wanted.http_status is not None:
        yield f"HttpStatus = {wanted.http_status}"
    if wanted.since is not None:
        yield f"StartTime >= {timestamp(wanted.since)}"
    if wanted.until is not None:
        yield f"StartTime < {timestamp(wanted.until)}"


def visibility_query(workflow_type: str, wanted: Filter) -> str:
    """Give the query that a filter means for one type of workflow."""
    return " AND ".join([f"WorkflowType = {quote(workflow_type)}", *_conditions(wanted)])


def is_for_events(wanted: Filter) -> bool:
    """Whether only deliveries can answer: policy, target, status or a delivery's outcome."""
    by_delivery = (wanted.policy, wanted.target, wanted.http_status)
    outcome = wanted.outcome is None or wanted.outcome in _EVENT_OUTCOMES
    return outcome and all(value is None for value in by_delivery)


def ids_query(workflow_type: str, ids: Iterable[str]) -> str:
    """Give the query for all runs of some workflow ids."""
    return f"WorkflowType = {quote(workflow_type)} AND WorkflowId IN ({', '.join(map(quote, ids))})"


def in_event_ids(event_ids: Iterable[str]) -> str:
    """Give the condition that a workflow belongs to one of these events."""
    return f"EventId IN ({', '.join(map(quote, sorted(event_ids)))})"


def event_ids_query(workflow_type: str, event_ids: Iterable[str]) -> str:
    """Give the query for the workflows of some events."""
    return f"WorkflowType = {quote(workflow_type)} AND {in_event_ids(event_ids)}"
