"""How targets answered, in SQL: summed up in memory, written every few seconds in one batch.

Each process has rows of its own, five minutes each, and writes them over as they grow. What a
process that dies has not written yet is lost: a few seconds of figures.
"""

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import delete, func, select

from portcall.adapters.database.connections import Connections
from portcall.adapters.database.tables import target_figures, targets
from portcall.attempts import AttemptOutcome, AttemptRecord
from portcall.errors import PortcallError
from portcall.latency import latency_class, merged, percentile
from portcall.ports import Figures

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 3.0
KEPT = timedelta(days=7)
_BUCKET_SECONDS = 300
_PRUNE_EVERY = timedelta(hours=1)


@dataclass
class _Sums:
    attempts: int = 0
    delivered: int = 0
    last_delivered_at: datetime | None = None
    latencies: Counter[int] = field(default_factory=Counter)
    unwritten: bool = True


class TargetFigures:
    """The figures of this process, and of all that have written theirs."""

    def __init__(self, connections: Connections, clock: Callable[[], datetime]) -> None:
        self._connections = connections
        self._clock = clock
        self._worker = uuid.uuid4().hex
        self._sums: dict[tuple[str, int], _Sums] = {}
        self._pruned_at: datetime | None = None
        self._flushing = asyncio.Lock()

    def note(self, target: str, record: AttemptRecord) -> None:
        """Count an attempt that was sent."""
        now = self._clock()
        key = target, _number(now)
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = _Sums()
        sums.attempts += 1
        if record.outcome is AttemptOutcome.DELIVERED:
            sums.delivered += 1
            sums.last_delivered_at = now
        if record.response:
            sums.latencies[latency_class(record.timings_ms.total)] += 1
        sums.unwritten = True

    async def read(self, target: str, since: datetime) -> Figures:
        """Give the figures of the attempts since then, by whichever process."""
        await self._flush()
        wanted = select(target_figures).where(
            target_figures.c.target == target,
            target_figures.c.began_at >= _began_at(_number(since)),
        )
        async with self._connections.reading() as connection:
            rows = (await connection.execute(wanted)).all()
        counted = merged(*(_counts(row.latencies) for row in rows))
        return Figures(
            attempts=sum(row.attempts for row in rows),
            delivered=sum(row.delivered for row in rows),
            p50=percentile(counted, 0.5),
            p90=percentile(counted, 0.9),
            p99=percentile(counted, 0.99),
        )

    async def last_delivered_at(self, target: str) -> datetime | None:
        """Give when the last delivery succeeded, within the days that are kept."""
        wanted = select(func.max(target_figures.c.last_delivered_at))
        wanted = wanted.where(target_figures.c.target == target)
        async with self._connections.reading() as connection:
            latest: datetime | None = await connection.scalar(wanted)
        return latest

    @contextlib.asynccontextmanager
    async def writer(self) -> AsyncIterator[None]:
        """Run the task that writes; what is left is written at the end."""
        task = asyncio.create_task(self._write_on())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self._try_to_flush()

    async def _write_on(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self._try_to_flush()

    async def _try_to_flush(self) -> None:
        try:
            await self._flush()
        except PortcallError as error:
            log.warning("the figures of targets are written later", why=error.message)
        except Exception:  # figures are worth no worker
            log.exception("the figures of targets could not be written")

    async def _flush(self) -> None:
        async with self._flushing:  # who reads waits for what is just being written
            await self._flush_alone(self._clock())

    async def _flush_alone(self, now: datetime) -> None:
        written = {key: sums for key, sums in self._sums.items() if sums.unwritten}
        if written:
            await self._write_or_keep(written, now)
        current = _number(now)
        over = [key for key, sums in self._sums.items() if key[1] < current and not sums.unwritten]
        for key in over:
            del self._sums[key]

    async def _write_or_keep(self, written: dict[tuple[str, int], _Sums], now: datetime) -> None:
        for sums in written.values():
            sums.unwritten = False
        try:
            await self._write(written, now)
        except BaseException:
            for sums in written.values():
                sums.unwritten = True
            raise

    async def _write(self, written: dict[tuple[str, int], _Sums], now: datetime) -> None:
        names = {name for name, _ in written}
        known = select(targets.c.name).where(targets.c.name.in_(names))
        async with self._connections.writing() as connection:
            there = set(await connection.scalars(known))
            rows = [self._row(key, sums) for key, sums in written.items() if key[0] in there]
            if rows:
                new = self._connections.insert(target_figures)
                values = {c.name: c for c in new.excluded if c.name in _SUMMED}
                key = ["target", "began_at", "worker"]
                upsert = new.on_conflict_do_update(index_elements=key, set_=values)
                await connection.execute(upsert, rows)
            if self._pruned_at is None or now - self._pruned_at > _PRUNE_EVERY:
                old = target_figures.c.began_at < now - KEPT
                await connection.execute(delete(target_figures).where(old))
                self._pruned_at = now

    def _row(self, key: tuple[str, int], sums: _Sums) -> dict[str, Any]:
        return {
            "target": key[0],
            "began_at": _began_at(key[1]),
            "worker": self._worker,
            "attempts": sums.attempts,
            "delivered": sums.delivered,
            "last_delivered_at": sums.last_delivered_at,
            "latencies": {str(number): count for number, count in sums.latencies.items()},
        }


_SUMMED = frozenset({"attempts", "delivered", "last_delivered_at", "latencies"})


def _number(when: datetime) -> int:
    return int(when.timestamp()) // _BUCKET_SECONDS


def _began_at(number: int) -> datetime:
    return datetime.fromtimestamp(number * _BUCKET_SECONDS, UTC)


def _counts(latencies: dict[str, int]) -> dict[int, int]:
    return {int(number): count for number, count in latencies.items()}
