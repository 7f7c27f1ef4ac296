"""Has a source whose notifications are rejected told, as an event of Portcall's own.

At most one for each source, cause and hour, however many are rejected by however many
processes; the sender never waits for it.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import structlog

from api.intake import Intake
from portcall.errors import (
    AuthenticationError,
    NotificationError,
    PortcallError,
    TooLargeError,
    UnavailableError,
)
from portcall.events import RegistryEvent
from portcall.own_events import OWN_SOURCE, Rejection, rejected_event

PAUSE = 10.0
"""Seconds until what could not be told may be tried again, by the next that is rejected."""

_CAUSES: Mapping[type[PortcallError], Rejection] = {
    AuthenticationError: Rejection.CREDENTIAL,
    NotificationError: Rejection.NOT_UNDERSTOOD,
    TooLargeError: Rejection.TOO_LARGE,
}

log = structlog.get_logger(__name__)


class Rejections:
    """Remembers what was told last of each source, so that Temporal is asked but once."""

    def __init__(self, intake: Intake, *, pause: float = PAUSE) -> None:
        """Begin with nothing told."""
        self._pause = pause
        self._intake = intake
        self._told: dict[tuple[str, Rejection], str] = {}
        self._telling: set[asyncio.Task[None]] = set()

    @contextmanager
    def of(self, source: str) -> Iterator[None]:
        """Have it told when a notification of this source, which there is, is refused in here."""
        try:
            yield
        except PortcallError as error:
            if why := _CAUSES.get(type(error)):
                self.note(source, why, error.message)
            raise

    def note(self, source: str, why: Rejection, message: str, inbox_id: str | None = None) -> None:
        """Have it told in the background, unless it was told within this hour."""
        now = datetime.now(UTC)
        event = rejected_event(source, why, message, now, inbox_id)
        if self._told.get((source, why)) != event.id:
            self._told[source, why] = event.id
            task = asyncio.create_task(self._tell((source, why), event))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _tell(self, told: tuple[str, Rejection], event: RegistryEvent) -> None:
        try:
            await self._intake.accept(OWN_SOURCE, [event])
        except UnavailableError as error:
            log.warning("nobody is told of what was rejected", source=told[0], why=error.message)
            await asyncio.sleep(self._pause)
            self._told.pop(told)
