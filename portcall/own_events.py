"""Portcall's own events: what became of targets, deliveries and sources, for a policy to send.

They come from the source `portcall` and match only policies that name it. What becomes of
their own deliveries makes no further event, so that no loop can come of them.
"""

from datetime import datetime

from portcall.attempts import Outcome
from portcall.events import RegistryEvent, Value
from portcall.health import HealthChange
from portcall.ids import derived_id

OWN_SOURCE = "portcall"
"""The name of the source, which no user may give to one."""


def target_event(change: HealthChange) -> RegistryEvent:
    """Give `target.disabled` or `target.recovered`; the same change twice is one event."""
    return RegistryEvent(
        id=derived_id([change.type, change.target, change.at.isoformat()]),
        source=OWN_SOURCE,
        kind=OWN_SOURCE,
        type=change.type,
        native_type=change.type,
        occurred_at=change.at,
        received_at=change.at,
        attributes={
            "target": change.target,
            "reason": change.reason,
            "since": change.since and change.since.isoformat(),
        },
    )


class GivenUp(Value):
    """A delivery that was given up, and why."""

    event: RegistryEvent
    policy: str
    target: str
    outcome: Outcome
    reason: str
    attempts: int
    http_status: int | None = None


def delivery_event(given_up: GivenUp, run_id: str, now: datetime) -> RegistryEvent:
    """Give `delivery.exhausted` and the like; a delivery that is sent again may give another."""
    raise NotImplementedError
