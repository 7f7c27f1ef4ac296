"""Test events for one target."""

from datetime import timedelta
from typing import Protocol

from portcall.events import RegistryEvent


class Pings(Protocol):
    """Sends test events."""

    async def ping(
        self, event: RegistryEvent, target: str, format_: str, *, wait: timedelta
    ) -> bool:
        """Deliver a test event in one attempt; say whether that has ended within `wait`."""
        ...
