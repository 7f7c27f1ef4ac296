"""Starts what waits in the inbox once Temporal is there, each source's events in order."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from api.answers import AcceptedEvent
from portcall.errors import InvalidInputError, UnavailableError
from portcall.events import RegistryEvent
from portcall.ports import Engine, Inbox, InboxEntry

RPC_TIMEOUT = timedelta(seconds=10)
BATCH = 100
SHORTEST_PAUSE = 0.2
LONGEST_PAUSE = 5.0

log = structlog.get_logger(__name__)


class Forwarder:
    """Empties the inbox into the engine. Starting an event twice is harmless, losing one not."""

    def __init__(self, engine: Engine, inbox: Inbox) -> None:
        """Begin by looking whether something waits from before."""
        self._engine = engine
        self._inbox = inbox
        self._something_waits = asyncio.Event()

    def wake(self) -> None:
        """Look again soon: something was put into the inbox."""
        self._something_waits.set()

    async def run(self, is_busy: Callable[[], bool]) -> None:
        """Forward for ever; stand back while `is_busy` says that arriving events need Temporal."""
        pause = SHORTEST_PAUSE
        while True:
            try:
                while await self._forward_batch(is_busy):
                    pause = SHORTEST_PAUSE
                pause = min(pause * 2, LONGEST_PAUSE)
            except* UnavailableError as errors:
                log.warning("the inbox waits", why=str(errors.exceptions[0]))
                pause = min(pause * 2, LONGEST_PAUSE)
            except* Exception:
                log.exception("forwarding from the inbox failed")
                pause = LONGEST_PAUSE
            await self._rest(pause)

    async def _rest(self, pause: float) -> None:
        self._something_waits.clear()
        await asyncio.sleep(SHORTEST_PAUSE)
        try:
            async with asyncio.timeout(pause):
                await self._something_waits.wait()
        except TimeoutError:
            return

    async def _forward_batch(self, is_busy: Callable[[], bool]) -> int:
        """Forward the oldest entries; give how many there were."""
        entries = await self._inbox.oldest_waiting(BATCH)
        by_source: dict[str, list[InboxEntry]] = {}
        for entry in entries:
            by_source.setdefault(entry.source, []).append(entry)
        async with asyncio.TaskGroup() as sources:
            for queue in by_source.values():
                sources.create_task(self._forward_queue(queue, is_busy))
        if entries:
            log.info("forwarded from the inbox", entries=len(entries))
        return len(entries)

    async def _forward_queue(
        self, queue: Sequence[InboxEntry], is_busy: Callable[[], bool]
    ) -> None:
        done: list[int] = []
        try:
            for entry in queue:
                while is_busy():  # noqa: ASYNC110  # it is one place among many that frees
                    await asyncio.sleep(SHORTEST_PAUSE / 4)
                await self._forward(entry)
                done.append(entry.id)
        finally:
            await self._inbox.remove(*done)

    async def _forward(self, entry: InboxEntry) -> None:
        """Start the events of an entry; park those that Temporal refuses, to be replayed."""
        for event in entry.events:
            try:
                await self.start(event)
            except InvalidInputError as error:
                await self._inbox.park(entry.source, error.message, b"", {}, None, events=[event])

    async def start(self, event: RegistryEvent) -> AcceptedEvent:
        """Start one event, however long Temporal takes; raise InvalidInputError if refused."""
        started = await self._engine.start(event, timeout=RPC_TIMEOUT)
        return AcceptedEvent(id=started.event_id, duplicate=started.duplicate, state="started")
