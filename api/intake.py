"""What becomes of a notification: its events to Temporal, else to the inbox; the rest parked.

Accepted means durable. Temporal gets a short while to take an event; an event that it did
not take in time waits in the inbox, and starting it again is harmless since the workflow's
id comes from the event.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from fnmatch import fnmatchcase

import structlog

from api.answers import AcceptedEvent, NotificationAnswer, Parked
from api.forwarder import Forwarder
from api.known_sources import KnownSources
from portcall.errors import EngineUnavailableError, InvalidInputError, NotificationError
from portcall.events import RegistryEvent
from portcall.policies import Ignore, Source
from portcall.ports import Engine, Inbox, InboxEntry
from portcall.sources.kind import Notification, Parsed, Refusal, SourceKind
from portcall.verification import awaiting_verification, is_own_pull

PLACE_PATIENCE = 0.05
"""Seconds that an event waits for one of the places below."""
ENGINE_PATIENCE = 0.2
"""Seconds that Temporal has to take an event before the inbox does."""
RPC_TIMEOUT = timedelta(seconds=1)
CONCURRENT_STARTS = 16
"""Starts under way at once: few enough that each is answered well within `ENGINE_PATIENCE`."""
PAUSE = 1.0

log = structlog.get_logger(__name__)


class Intake:
    """Parses notifications and gives their events to the engine, or to the inbox."""

    def __init__(
        self,
        sources: KnownSources,
        kinds: Mapping[str, SourceKind],
        engine: Engine,
        inbox: Inbox,
        forwarder: Forwarder,
    ) -> None:
        """Begin with Temporal taken to be there."""
        self._sources = sources
        self._kinds = kinds
        self._engine = engine
        self._inbox = inbox
        self._forwarder = forwarder
        self._starts = asyncio.Semaphore(CONCURRENT_STARTS)
        self._slow_starts = 0
        self._engine_away_until = 0.0

    def is_busy(self) -> bool:
        """Whether every place for starting an event is taken."""
        return self._starts.locked()

    async def receive(
        self, source: Source, notification: Notification, *, strict: bool
    ) -> NotificationAnswer:
        """Make an authenticated notification durable.

        `strict` raises NotificationError for what is not understood and keeps nothing. Raise
        UnavailableError where neither Temporal nor the inbox takes it.
        """
        try:
            parsed = self._kinds[source.kind].parse(notification)
        except NotificationError as error:
            if strict:
                raise
            return NotificationAnswer(events=[], parked=await self._park(error, notification))
        if strict and parsed.refusals:
            raise parsed.refusals[0].error
        answer = await self._accept_parsed(source, parsed)
        answer.parked = await self._park_refused(parsed.refusals, notification)
        return answer

    async def _park_refused(
        self, refusals: Sequence[Refusal], notification: Notification
    ) -> Parked | None:
        """Park one event by itself, several with the whole notification: one write at most."""
        if not refusals:
            return None
        if len(refusals) == 1:
            alone = replace(notification, body=refusals[0].raw)
            return await self._park(refusals[0].error, alone)
        return await self._park(refusals[0].error, notification, more=len(refusals) - 1)

    async def _accept_parsed(self, source: Source, parsed: Parsed) -> NotificationAnswer:
        wanted = [event for event in parsed.events if not is_ignored(source.ignore, event)]
        if source.verify:
            wanted = [awaiting_verification(event) for event in wanted if not is_own_pull(event)]
        return NotificationAnswer(
            events=await self.accept(source.name, wanted),
            ignored=len(parsed.events) - len(wanted),
            reply=parsed.reply,
        )

    async def _park(
        self, error: NotificationError, notification: Notification, *, more: int = 0
    ) -> Parked:
        reason = error.message
        if more:
            reason += f" ({more} more events are not understood)"
        entry = await self._inbox.park(
            notification.source,
            reason,
            notification.body,
            notification.headers,
            notification.hint,
        )
        log.warning("notification parked", source=notification.source, why=reason, inbox_id=entry)
        return Parked(id=str(entry), reason=reason)

    async def replay(self, entry: InboxEntry) -> NotificationAnswer:
        """Take an inbox entry as if it had just arrived; the caller forgets it once that is done.

        Raise NotificationError where it is still not understood, InvalidInputError where
        Temporal refuses it.
        """
        if entry.events:
            return NotificationAnswer(events=[await self._forwarder.start(e) for e in entry.events])
        source = await self._sources.get(entry.source)
        notification = Notification(
            source=entry.source,
            body=entry.body,
            headers=entry.headers,
            hint=entry.hint,
            mapping=source.mapping,
            received_at=entry.received_at,
        )
        parsed = self._kinds[source.kind].parse(notification)
        if parsed.refusals:
            raise parsed.refusals[0].error
        return await self._accept_parsed(source, parsed)

    async def accept(self, source: str, events: Sequence[RegistryEvent]) -> list[AcceptedEvent]:
        """Make every event durable; raise UnavailableError where neither place takes them."""
        outcomes = await asyncio.gather(*(self._try_to_start(event) for event in events))
        waiting = [e for e, outcome in zip(events, outcomes, strict=True) if outcome is None]
        if waiting:
            await self._inbox.keep_waiting(source, waiting)
            self._forwarder.wake()
        return [
            outcome or AcceptedEvent(id=event.id, duplicate=False, state="waiting")
            for event, outcome in zip(events, outcomes, strict=True)
        ]

    async def _try_to_start(self, event: RegistryEvent) -> AcceptedEvent | None:
        """Start the event's workflow; None where Temporal does not take it within its patience."""
        if time.monotonic() < self._engine_away_until:
            return None
        try:
            async with asyncio.timeout(PLACE_PATIENCE):
                await self._starts.acquire()
        except TimeoutError:
            return None
        try:
            async with asyncio.timeout(ENGINE_PATIENCE):
                started = await self._engine.start(event, timeout=RPC_TIMEOUT)
        except (TimeoutError, EngineUnavailableError) as error:
            self._note_failure(error)
            return None
        except InvalidInputError as error:
            log.warning("Temporal refuses an event", event_id=event.id, why=error.message)
            return None
        finally:
            self._starts.release()
        self._slow_starts = 0
        return AcceptedEvent(id=started.event_id, duplicate=started.duplicate, state="started")

    def _note_failure(self, error: Exception) -> None:
        """Leave Temporal alone for a moment where it is away, or slow many times in a row."""
        self._slow_starts += 1
        if isinstance(error, EngineUnavailableError) or self._slow_starts >= CONCURRENT_STARTS:
            if time.monotonic() >= self._engine_away_until:
                log.warning("events wait in the inbox", why=str(error) or "Temporal is slow")
            self._engine_away_until = time.monotonic() + PAUSE


def is_ignored(ignore: Ignore, event: RegistryEvent) -> bool:
    """Whether a source's rules drop the event, by its type or its media type."""
    return any(fnmatchcase(event.type, pattern) for pattern in ignore.event_types) or any(
        fnmatchcase(event.media_type or "", pattern) for pattern in ignore.media_types
    )
