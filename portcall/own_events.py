"""Portcall's own events: what became of targets, deliveries and sources, for a policy to send.

They come from the source `portcall` and match only policies that name it. What becomes of
their own deliveries makes no further event, so that no loop can come of them.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from portcall.attempts import Outcome
from portcall.durations import format_duration
from portcall.events import RegistryEvent, Value
from portcall.health import DISABLED, RECOVERED, HealthChange
from portcall.ids import derived_id

OWN_SOURCE = "portcall"
"""The name of the source, which no user may give to one."""

LONGEST_REASON = 1000


def target_event(change: HealthChange) -> RegistryEvent:
    """Give `target.disabled` or `target.recovered`; the same change twice is one event."""
    return _event(
        change.type,
        change.at,
        (change.target, change.at.isoformat()),
        target=change.target,
        reason=change.reason,
        since=change.since and change.since.isoformat(),
    )


def may_tell(change: HealthChange, source: str) -> bool:
    """Whether what a delivery of an event of this source showed of a target is told.

    Of one of Portcall's own only that its target was disabled: nothing is sent there until
    somebody enables it, so that there are at most as many such events as there are targets.
    """
    return change.type == DISABLED or (change.type == RECOVERED and source != OWN_SOURCE)


class GivenUp(Value):
    """A delivery that was given up, and why; `more` counts the other events of a group."""

    event: RegistryEvent
    policy: str
    target: str
    outcome: Outcome
    reason: str
    attempts: int
    http_status: int | None = None
    more: int = 0


def delivery_event(given_up: GivenUp, delivery: str, run_id: str, at: datetime) -> RegistryEvent:
    """Give `delivery.exhausted` and the like; a delivery that is sent again may give another."""
    about = given_up.event
    told = _event(
        f"delivery.{given_up.outcome}",
        at,
        (delivery, run_id),
        policy=given_up.policy,
        target=given_up.target,
        outcome=given_up.outcome.value,
        reason=given_up.reason[:LONGEST_REASON],
        attempts=given_up.attempts,
        http_status=given_up.http_status,
        delivery_id=delivery,
        event_id=about.id,
        event_type=about.type,
        source=about.source,
        more_events=given_up.more or None,
    )
    fields = ("registry", "project", "repository", "tags", "digest", "artifact_type", "platforms")
    return told.model_copy(update={name: getattr(about, name) for name in fields})


class Rejection(StrEnum):
    """Why a notification was rejected."""

    CREDENTIAL = "credential"
    NOT_UNDERSTOOD = "not_understood"
    TOO_LARGE = "too_large"


def rejected_event(
    source: str, why: Rejection, message: str, at: datetime, inbox_id: str | None = None
) -> RegistryEvent:
    """Give `source.rejected`: within an hour of the clock one for each source and cause."""
    return _event(
        "source.rejected",
        at,
        (source, why, at.strftime("%Y-%m-%dT%H")),
        source=source,
        cause=why.value,
        reason=message[:LONGEST_REASON],
        inbox_id=inbox_id,
    )


def silent_event(
    source: str, since: datetime, silent_after: timedelta, at: datetime
) -> RegistryEvent:
    """Give `source.silent`, one for each silence, which is known by when it began."""
    return _event(
        "source.silent",
        at,
        (source, since.isoformat()),
        source=source,
        reason=f"nothing came for {format_duration(silent_after)}",
        since=since.isoformat(),
    )


def _event(what: str, at: datetime, identity: tuple[str, ...], **attributes: Any) -> RegistryEvent:
    return RegistryEvent(
        id=derived_id([what, *identity]),
        source=OWN_SOURCE,
        kind=OWN_SOURCE,
        type=what,
        native_type=what,
        occurred_at=at,
        received_at=at,
        attributes={name: value for name, value in attributes.items() if value is not None},
    )
