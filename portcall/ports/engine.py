"""Temporal, as whatever starts something there knows it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol

from portcall.events import RegistryEvent


@dataclass(frozen=True)
class Started:
    """What became of starting an event's workflow."""

    event_id: str
    duplicate: bool


Held = Literal["policy", "target"]
"""What holds deliveries while it is switched off."""


class Engine(Protocol):
    """Starts workflows on Temporal."""

    async def start(self, event: RegistryEvent, *, timeout: timedelta) -> Started:
        """Start the event's workflow; raise EngineUnavailableError, also after `timeout`.

        After a time-out the workflow may have started all the same: starting it again says
        `duplicate` then.
        """
        ...

    async def release(self, noun: Held, name: str) -> None:
        """Have the deliveries that this policy or target held look again, soon and in turn."""
        ...

    async def drain(self, target: str, *, look_now: bool = False) -> None:
        """Have the deliveries that are queued for this target sent on, oldest first.

        `look_now`: it may have room now, whatever was known of it.
        """
        ...

    async def look_again(self, target: str) -> None:
        """Have the target's queue looked at now, if there is one: the target was changed."""
        ...
