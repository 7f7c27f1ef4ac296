"""A test event for one target: it goes the way of any delivery, and past the target's gate.

It comes from the source `portcall`, which no user has, so that a policy named `ping` is not
taken for it.
"""

from datetime import UTC, datetime, timedelta

from portcall.events import RegistryEvent
from portcall.ids import DeliveryKey
from portcall.own_events import OWN_SOURCE
from portcall.policies import RetryPolicy

PINGED = "target.pinged"
PING_POLICY = "ping"
"""What stands in a test delivery's id where others have their policy."""

ONE_ATTEMPT = RetryPolicy(maximum_attempts=1, reconnect=False, expires_after=timedelta(hours=1))


def ping_event(target: str, now: datetime) -> RegistryEvent:
    """Give the test event of this moment; it is about no artifact, so that nobody deploys one."""
    return RegistryEvent(
        id=f"ping-{now.astimezone(UTC):%Y%m%dT%H%M%S.%f}",
        source=OWN_SOURCE,
        kind=OWN_SOURCE,
        type=PINGED,
        native_type=PINGED,
        occurred_at=now,
        received_at=now,
        attributes={"target": target, "message": "A test by Portcall: nothing has happened."},
    )


def ping_key(event: RegistryEvent, target: str) -> DeliveryKey:
    """Give the parts of a test delivery's id."""
    return DeliveryKey(event.source, event.id, PING_POLICY, target)


def is_ping(event: RegistryEvent, policy: str) -> bool:
    """Whether a delivery is a test, which a target that is paused or at its limit takes too."""
    return (event.source, event.type, policy) == (OWN_SOURCE, PINGED, PING_POLICY)
