"""The configured sources as intake needs them: at most a second old, stale rather than absent.

Intake must answer while the policy database is away, so what was read last is kept.
"""

import asyncio
import time
from dataclasses import dataclass

import structlog

from portcall.errors import NotFoundError, StoreUnavailableError, UnreadableError
from portcall.policies import Source
from portcall.ports import Collection

FRESH = 1.0
PATIENCE = 0.3

log = structlog.get_logger(__name__)


@dataclass
class _Known:
    source: Source | None
    read_at: float


class KnownSources:
    """Sources by name, read through a cache of one second."""

    def __init__(self, sources: Collection[Source]) -> None:
        """Read from `sources`."""
        self._sources = sources
        self._known: dict[str, _Known] = {}
        self._reading: dict[str, asyncio.Task[_Known]] = {}
        self._away_until = 0.0

    async def get(self, name: str) -> Source:
        """Give the source; raise NotFoundError, StoreUnavailableError where it was never read."""
        now = time.monotonic()
        known = self._known.get(name)
        if known is None or now - known.read_at > FRESH:
            known = await self._one_refresh(name, known, now)
        if known.source is None or not known.source.enabled:
            log.warning("sender refused", source=name[:100], why="there is no such enabled source")
            raise NotFoundError(f"There is no enabled source {name}.")
        return known.source

    async def _one_refresh(self, name: str, known: _Known | None, now: float) -> _Known:
        """Read once for all requests that wait for the same name: a burst is one query."""
        reading = self._reading.get(name)
        if reading is None:
            reading = asyncio.create_task(self._refresh(name, known, now))
            self._reading[name] = reading
            reading.add_done_callback(lambda _: self._reading.pop(name, None))
        return await asyncio.shield(reading)

    async def _refresh(self, name: str, known: _Known | None, now: float) -> _Known:
        if known is not None and now < self._away_until:
            return known
        try:
            async with asyncio.timeout(PATIENCE):
                source = (await self._sources.get(name)).spec
        except NotFoundError:
            # Names of no source are not kept, so that strangers cannot fill the memory.
            self._known.pop(name, None)
            return _Known(None, now)
        except (StoreUnavailableError, TimeoutError) as error:
            if isinstance(error, UnreadableError):
                log.warning("a stored source cannot be read", source=name, why=error.message)
            else:
                self._away_until = now + FRESH
            if known is None:
                raise StoreUnavailableError("The policy database does not answer.") from error
            return known
        self._known[name] = _Known(source, now)
        return self._known[name]
