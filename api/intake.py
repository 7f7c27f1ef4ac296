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
from api.known_sources import KnownSources
from portcall.errors import (
    EngineUnavailableError,
    InvalidInputError,
    NotificationError,
    UnavailableError,
)
from portcall.events import RegistryEvent
from portcall.policies import Ignore, Source
from portcall.ports import Engine, Inbox, InboxEntry
from portcall.sources.kind import Notification, Parsed, SourceKind

ENGINE_PATIENCE = timedelta(seconds=0.25)
INBOX_PATIENCE = timedelta(seconds=0.6)
"""With `ENGINE_PATIENCE` under the 900 ms after which the sender must have its 503."""
FORWARD_PATIENCE = timedelta(seconds=10)
CONCURRENT_STARTS = 16
"""Starts under way at once: few enough that each is answered well within `ENGINE_PATIENCE`."""
BATCH = 100
SHORTEST_PAUSE = 0.2
LONGEST_PAUSE = 5.0

log = structlog.get_logger(__name__)


class Intake:
    """Parses notifications, gives events to the engine or the inbox, forwards what waits there."""

    def __init__(
        self,
        sources: KnownSources,
        kinds: Mapping[str, SourceKind],
        engine: Engine,
        inbox: Inbox,
    ) -> None:
        """Begin by looking whether something waits from before."""
        self._sources = sources
        self._kinds = kinds
        self._engine = engine
        self._inbox = inbox
        self._starts = asyncio.Semaphore(CONCURRENT_STARTS)
        self._engine_away_until = 0.0
        self._something_waits = asyncio.Event()

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
        parked = None
        for refusal in parsed.refusals:
            parked = await self._park(refusal.error, replace(notification, body=refusal.raw))
        return await self._accept_parsed(source, parsed, parked)

    async def _accept_parsed(
        self, source: Source, parsed: Parsed, parked: Parked | None
    ) -> NotificationAnswer:
        wanted = [event for event in parsed.events if not is_ignored(source.ignore, event)]
        return NotificationAnswer(
            events=await self.accept(source.name, wanted),
            parked=parked,
            ignored=len(parsed.events) - len(wanted),
        )

    async def _park(self, error: NotificationError, notification: Notification) -> Parked:
        reason = f"{error.field}: {error.message}" if error.field else error.message
        try:
            async with asyncio.timeout(INBOX_PATIENCE.total_seconds()):
                entry = await self._inbox.park(
                    notification.source,
                    reason,
                    notification.body,
                    notification.headers,
                    notification.hint,
                )
        except TimeoutError as timeout:
            raise UnavailableError("The database does not answer.") from timeout
        log.warning("notification parked", source=notification.source, why=reason, inbox_id=entry)
        return Parked(id=str(entry), reason=reason)

    async def replay(self, entry: InboxEntry) -> NotificationAnswer:
        """Take an inbox entry as if it had just arrived; the caller forgets it once that is done.

        Raise NotificationError where it is still not understood.
        """
        if entry.events:
            return NotificationAnswer(events=await self.forward(entry))
        source = await self._sources.get(entry.source)
        notification = Notification(
            source=entry.source,
            body=entry.body,
            headers=entry.headers,
            hint=entry.hint,
            received_at=entry.received_at,
        )
        parsed = self._kinds[source.kind].parse(notification)
        if parsed.refusals:
            raise parsed.refusals[0].error
        return await self._accept_parsed(source, parsed, None)

    async def accept(self, source: str, events: Sequence[RegistryEvent]) -> list[AcceptedEvent]:
        """Make every event durable; raise UnavailableError where neither place takes them."""
        outcomes = await asyncio.gather(*(self._try_to_start(event) for event in events))
        waiting = [e for e, outcome in zip(events, outcomes, strict=True) if outcome is None]
        if waiting:
            try:
                async with asyncio.timeout(INBOX_PATIENCE.total_seconds()):
                    await self._inbox.keep_waiting(source, waiting)
            except TimeoutError as error:
                raise UnavailableError("Neither Temporal nor the database answers.") from error
            self._something_waits.set()
        return [
            outcome or AcceptedEvent(id=event.id, duplicate=False, state="waiting")
            for event, outcome in zip(events, outcomes, strict=True)
        ]

    async def _try_to_start(self, event: RegistryEvent) -> AcceptedEvent | None:
        """Start within `ENGINE_PATIENCE`, waiting for a place included; None where not."""
        if time.monotonic() < self._engine_away_until:
            return None
        try:
            async with asyncio.timeout(ENGINE_PATIENCE.total_seconds()), self._starts:
                started = await self._engine.start(event, timeout=ENGINE_PATIENCE)
        except TimeoutError:
            return None
        except (EngineUnavailableError, InvalidInputError) as error:
            if isinstance(error, EngineUnavailableError):
                self._engine_away_until = time.monotonic() + 1.0
            log.warning("event waits in the inbox", event_id=event.id, why=error.message)
            return None
        return AcceptedEvent(id=event.id, duplicate=started.duplicate, state="started")

    async def forward_for_ever(self) -> None:
        """Start what waits in the inbox, oldest first; pause while nothing does."""
        pause = SHORTEST_PAUSE
        while True:
            try:
                forwarded = await self._forward_once()
                pause = SHORTEST_PAUSE if forwarded else min(pause * 2, LONGEST_PAUSE)
                if forwarded:
                    continue
            except* UnavailableError as errors:
                log.warning("the inbox waits", why=str(errors.exceptions[0]))
                pause = min(pause * 2, LONGEST_PAUSE)
            except* Exception:
                log.exception("forwarding from the inbox failed")
                pause = LONGEST_PAUSE
            await self._sleep(pause)

    async def _sleep(self, pause: float) -> None:
        self._something_waits.clear()
        try:
            async with asyncio.timeout(pause):
                await self._something_waits.wait()
        except TimeoutError:
            return
        await asyncio.sleep(SHORTEST_PAUSE)

    async def _forward_once(self) -> int:
        """Forward one batch, each source's in order; give the number of entries in it."""
        entries = await self._inbox.oldest_waiting(BATCH)
        by_source: dict[str, list[InboxEntry]] = {}
        for entry in entries:
            by_source.setdefault(entry.source, []).append(entry)
        async with asyncio.TaskGroup() as sources:
            for queue in by_source.values():
                sources.create_task(self._forward_queue(queue))
        if entries:
            log.info("forwarded from the inbox", entries=len(entries))
        return len(entries)

    async def _forward_queue(self, queue: Sequence[InboxEntry]) -> None:
        for entry in queue:
            await self.forward(entry)

    async def forward(self, entry: InboxEntry) -> list[AcceptedEvent]:
        """Start all events of an entry, then forget it; one that Temporal refuses is parked."""
        accepted = []
        for event in entry.events:
            try:
                started = await self._engine.start(event, timeout=FORWARD_PATIENCE)
            except InvalidInputError as error:
                await self._inbox.park(
                    entry.source, error.message, event.model_dump_json().encode(), {}, None
                )
                continue
            accepted.append(
                AcceptedEvent(id=event.id, duplicate=started.duplicate, state="started")
            )
        await self._inbox.remove(entry.id)
        return accepted


def is_ignored(ignore: Ignore, event: RegistryEvent) -> bool:
    """Whether a source's rules drop the event, by its type or its media type."""
    return any(fnmatchcase(event.type, pattern) for pattern in ignore.event_types) or any(
        fnmatchcase(event.media_type or "", pattern) for pattern in ignore.media_types
    )
