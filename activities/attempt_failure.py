"""The two forms of an attempt that did not deliver, side by side: a failure, and its record.

Temporal's history and Web UI see a failure that carries the record; everything else sees the
record (a failing receiver is a value). What was not even attempted leaves a `Pause` instead.
"""

import contextlib
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    TimeoutError,  # noqa: A004  # Temporal's, not Python's
)

from portcall.attempts import AttemptOutcome, AttemptRecord, ErrorType, Outcome
from portcall.recording import unsent_record

ATTEMPT_FAILED = "AttemptFailed"
STORE_UNAVAILABLE = "StoreUnavailable"
OUT_OF_RESOURCES = "OutOfResources"
DELIVERY_HELD = "DeliveryHeld"
DELIVERY_QUEUED = "DeliveryQueued"
PAUSES = {
    STORE_UNAVAILABLE: None,
    OUT_OF_RESOURCES: None,
    DELIVERY_HELD: Outcome.HELD,
    DELIVERY_QUEUED: Outcome.QUEUED,
}
"""The failures that are no attempt, and the outcome that the delivery has meanwhile, if any."""
LOST = "the worker was lost while sending; whether the receiver got the request is unknown"


@dataclass(frozen=True)
class Pause:
    """Nothing was sent, and it counts as no attempt.

    `outcome` is `held` in a suspension, `queued` where the target has no room for it now, and
    None in an outage of ours.
    """

    reason: str
    outcome: Outcome | None


def failure(message: str, kind: str, *details: AttemptRecord) -> ApplicationError:
    """Make a failure that Temporal neither repeats nor logs as a fault of ours."""
    return ApplicationError(
        message,
        *details,
        type=kind,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )


def record_of_failure(
    error: ActivityError, *, number: int, started_at: datetime
) -> AttemptRecord | Pause:
    """Give the record of an attempt that failed, or what there is to wait for before it.

    A worker that died has left no record: whether the receiver got the request is unknown.
    """
    cause = error.cause
    if isinstance(cause, TimeoutError):
        return lost(number, started_at)
    if isinstance(cause, ApplicationError):
        if cause.type in PAUSES:
            return Pause(cause.message, PAUSES[cause.type])
        with contextlib.suppress(ValidationError, IndexError):
            return AttemptRecord.model_validate(cause.details[0])
    return broken(number, started_at, str(cause or error))


def lost(number: int, started_at: datetime) -> AttemptRecord:
    """Give the record of an attempt of which only the beginning is known."""
    return unsent_record(number, started_at, AttemptOutcome.LOST, ErrorType.LOST, LOST)


def broken(number: int, started_at: datetime, fault: str) -> AttemptRecord:
    """Give the record of an attempt that a fault of our own ended."""
    return unsent_record(number, started_at, AttemptOutcome.FAILED, ErrorType.INTERNAL, fault)


def blocked(number: int, started_at: datetime, reason: str) -> AttemptRecord:
    """Give the record of an attempt that was not made since the target may not be asked."""
    return unsent_record(number, started_at, AttemptOutcome.BLOCKED, ErrorType.BLOCKED, reason)
