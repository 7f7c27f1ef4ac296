"""Notes when each source was heard, and has it told when one that should be heard is silent.

`silent_after` counts from the last notification that was accepted, or from the source's last
change. Several API processes share what they heard by way of the database and make the same
event of the same silence.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic

import structlog

from api.intake import Intake
from portcall.errors import UnavailableError
from portcall.own_events import OWN_SOURCE, silent_event
from portcall.policies import Source
from portcall.ports import Collection, SourceActivity, Stored


@dataclass(frozen=True)
class Pace:
    """How often what was heard is noted, and sources are looked at.

    `slack`: what other processes have heard may not be in the database yet. `grace`: after
    the start, and after an outage or a standstill, senders get as long to be heard, for Portcall
    itself may have been away.
    """

    note: timedelta = timedelta(seconds=10)
    look: timedelta = timedelta(seconds=30)
    slack: timedelta = timedelta(seconds=20)
    grace: timedelta = timedelta(minutes=5)


log = structlog.get_logger(__name__)


class Silence:
    """What was heard since it was last noted, and which silence was told of each source."""

    def __init__(
        self, sources: Collection[Source], activity: SourceActivity, intake: Intake
    ) -> None:
        """Begin with nothing heard."""
        self._sources = sources
        self._activity = activity
        self._intake = intake
        self._heard: dict[str, datetime] = {}
        self._told: dict[str, datetime] = {}

    def heard(self, source: str) -> None:
        """Remember that a notification of the source was accepted."""
        self._heard[source] = datetime.now(UTC)

    async def run(self, pace: Pace = Pace()) -> None:
        """Note and look until cancelled, in whatever state database and Temporal are."""
        since = began = datetime.now(UTC)
        next_look = 0.0
        try:
            while True:
                await asyncio.sleep(pace.note.total_seconds())
                if datetime.now(UTC) - began > pace.note + pace.slack:
                    since = datetime.now(UTC)  # nobody could be heard by a process that stood still
                began = datetime.now(UTC)
                is_due = monotonic() >= next_look
                if is_due:
                    next_look = monotonic() + pace.look.total_seconds()
                if not await self._turn(since if is_due else None, pace):
                    since = datetime.now(UTC)
        finally:
            await self._turn(None, pace)

    async def _turn(self, started_at: datetime | None, pace: Pace) -> bool:
        """Note, and look where that is due; whether the database and Temporal let us."""
        try:
            await self.note()
            if started_at:
                await self.look(datetime.now(UTC), started_at, pace)
        except UnavailableError as error:
            log.warning("whether sources are silent is not known now", why=error.message)
            return False
        except Exception:
            log.exception("looking for silent sources failed")
        return True

    async def note(self) -> None:
        """Put what was heard into the database; what it does not take now is kept."""
        heard, self._heard = self._heard, {}
        try:
            await self._activity.note(heard)
        except UnavailableError:
            self._heard = heard | self._heard
            raise

    async def look(self, now: datetime, started_at: datetime, pace: Pace) -> None:
        """Have each silence told that was not told yet."""
        heard = await self._activity.last_heard()
        for stored in await self._sources.list():
            source, since = stored.spec, _since(stored, heard)
            if not (source.enabled and source.silent_after):
                continue
            silent = now - since > source.silent_after + pace.slack
            if silent and now - started_at >= pace.grace and self._told.get(source.name) != since:
                event = silent_event(source.name, since, source.silent_after, now)
                await self._intake.accept(OWN_SOURCE, [event])
                self._told[source.name] = since
                log.warning("a source is silent", source=source.name, since=since.isoformat())


def _since(stored: Stored[Source], heard: Mapping[str, datetime]) -> datetime:
    """Give when it was last heard, or changed: who changes it starts anew."""
    return max(stored.updated_at, heard.get(stored.spec.name, stored.updated_at))
