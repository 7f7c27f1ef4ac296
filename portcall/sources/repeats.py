"""Gives an identity to an event whose sender gives none: what it says, and about when it came.

A repeat and a second push of the same tag can be word for word the same; only the time parts
them. The clock is cut into windows, which are part of the id; the same words in the window
before are a repeat too where they came at most a window ago, so that no edge parts a repeat
from its event.
"""

import re

from portcall.ids import derived_id
from portcall.sources.kind import Notification

WINDOW = 60
"""Seconds: Quay waits 10 s for an answer and tries again 30 s later. More would merge pushes."""

_TIMED = re.compile(r"([0-9a-f]{32})[.]w(\d{1,12})")


def id_by_time(notification: Notification, *words: str | bytes) -> str:
    """Derive an event's id from what it says and the window of the clock in which it came."""
    window = int(notification.received_at.timestamp()) // WINDOW
    return f"{derived_id([notification.source, *words])}.w{window}"


def id_before(event_id: str) -> str | None:
    """Give the id that the same words had in the window before; None of an id without one."""
    timed = _TIMED.fullmatch(event_id)
    return f"{timed[1]}.w{int(timed[2]) - 1}" if timed else None
