"""Gives an identity to an event whose sender gives none: what it says, and about when it came.

A repeat and a second push of the same tag can be word for word the same; only the time parts
them. The clock is cut into windows, and within one the same words are the same event. What a
window costs is not even: an edge between an event and its repeat tells a receiver twice, a
window over two pushes keeps the second from it. So the window is as short as the senders'
retries allow.
"""

from portcall.ids import derived_id
from portcall.sources.kind import Notification

WINDOW = 120
"""Seconds: Quay tries again 30 s after a failure, and gives up for good after three in a row."""


def id_by_time(notification: Notification, *words: str | bytes) -> str:
    """Derive an event's id from what it says and the window of the clock in which it came."""
    window = int(notification.received_at.timestamp()) // WINDOW
    return derived_id([notification.source, *words, str(window)])
