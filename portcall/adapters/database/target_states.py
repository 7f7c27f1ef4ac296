"""The states of targets in SQL, and what of them this process knows without asking.

A healthy target without limits costs no query: who is not healthy is read once a second for
all. Everything else is asked of the ledger, so that nothing is refused on old knowledge.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import or_, select

from portcall.adapters.database.connections import Connections
from portcall.adapters.database.tables import target_health
from portcall.adapters.database.target_figures import TargetFigures
from portcall.adapters.database.target_ledger import TargetLedger, stored_health
from portcall.attempts import AttemptOutcome, AttemptRecord
from portcall.errors import StoreUnavailableError
from portcall.health import HealthChange, TargetHealth, after_unnoticed_success, counts
from portcall.limits import Standing, admit, begun_anew, is_limited, room, settle
from portcall.policies import Target
from portcall.ports import Closed, Figures, NotYet, Permit, Room

log = structlog.get_logger(__name__)

RENEWED_AFTER = 1.0
_TOO_OLD = 1.5
_LONGEST_WAIT = 1.0
_UNNOTICED = timedelta(minutes=1)
"""Whatever failed before a success has long been written after so long."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SqlTargetStates:
    """`TargetStates` in SQL, and what the gate asks of them."""

    def __init__(self, connections: Connections, clock: Callable[[], datetime] = _utc_now) -> None:
        self._connections = connections
        self._clock = clock
        self._ledger = TargetLedger(connections, clock, self._note_health)
        self._figures = TargetFigures(connections, clock)
        self._unhealthy: dict[str, TargetHealth] = {}
        self._noted: dict[str, TargetHealth] = {}
        self._succeeded: dict[str, datetime] = {}
        self._read_at: float | None = None
        self._reading: asyncio.Task[StoreUnavailableError | None] | None = None

    async def health(self, name: str) -> TargetHealth:
        """Give one target's; a healthy one where nothing is known."""
        health = (await self._ledger.read(name)).health
        delivered_at = await self._figures.last_delivered_at(name)
        known = [when for when in (health.last_success_at, delivered_at) if when]
        return health.model_copy(update={"last_success_at": max(known, default=None)})

    async def unhealthy(self) -> Mapping[str, TargetHealth]:
        """Give those that are not healthy, by name."""
        table = target_health.c
        wanted = select(target_health).where(
            or_(
                table.failing_since.is_not(None),
                table.paused_until.is_not(None),
                table.disabled_at.is_not(None),
            )
        )
        async with self._connections.reading() as connection:
            rows = await connection.execute(wanted.order_by(table.target))
            return {row.target: stored_health(row) for row in rows}

    async def reset(self, name: str) -> TargetHealth:
        """Begin anew: neither failing nor paused nor disabled. Give what it was."""
        return await self._ledger.submit(name, lambda s, _: (s.health, begun_anew(s)))

    async def figures(self, name: str, since: datetime) -> Figures:
        """Give the figures of the attempts since then, to about five minutes."""
        return await self._figures.read(name, since)

    async def room(self, target: Target) -> Room:
        """Say how many of the target's queued deliveries may go now."""
        return room(await self._ledger.read(target.name), target, self._clock())

    async def emptied(self, name: str) -> None:
        """Note that nothing is queued for the target any more."""
        await self._ledger.submit(name, lambda s, _: (None, replace(s, backlog=False)))

    async def is_free(self, target: Target) -> bool:
        """Whether it is healthy and has no limits, as far as this process knows."""
        await self._renew()
        return target.name not in self._unhealthy and not is_limited(target)

    async def admit(self, target: Target, *, queued: bool) -> Permit | NotYet | Closed:
        """Let an attempt to a target in that is not free, or say why not."""
        lease = uuid.uuid4().hex
        asked = self._ledger.submit(
            target.name,
            lambda standing, now: admit(standing, target, lease, now, queued=queued),
            creates=is_limited(target),
        )
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            asked.add_done_callback(self._give_back)
            raise

    async def settle(self, permit: Permit, record: AttemptRecord | None) -> Sequence[HealthChange]:
        """Note how an attempt ended, and take the permit back."""
        name = permit.target.name
        told = None
        if record and counts(record):
            self._figures.note(name, record)
            failed = record.outcome is not AttemptOutcome.DELIVERED
            if failed or permit.probe or name in self._unhealthy:
                told = record
            else:
                self._succeeded[name] = self._clock()
        if told is None and not permit.lease:
            return ()
        return await asyncio.shield(
            self._ledger.submit(
                name,
                lambda standing, now: settle(standing, permit, told, now),
                creates=told is not None,
            )
        )

    @contextlib.asynccontextmanager
    async def writer(self) -> AsyncIterator[None]:
        """Run what writes."""
        try:
            async with self._figures.writer(), self._ledger.writer():
                yield
        finally:
            if self._reading:
                self._reading.cancel()
                await asyncio.wait({self._reading})

    def _give_back(self, asked: "asyncio.Future[Permit | NotYet | Closed]") -> None:
        if asked.cancelled() or asked.exception():
            return
        permit = asked.result()
        if isinstance(permit, Permit) and permit.lease:
            self._ledger.submit(
                permit.target.name, lambda standing, now: settle(standing, permit, None, now)
            )

    def _note_health(self, name: str, health: TargetHealth) -> None:
        self._noted[name] = health
        self._unhealthy.pop(name, None)
        if not health.is_healthy:
            self._unhealthy[name] = health

    async def _renew(self) -> None:
        """Read who is not healthy if that is due, in the background where there is time."""
        now = time.monotonic()
        age = float("inf") if self._read_at is None else now - self._read_at
        if age < RENEWED_AFTER:
            return
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        if self._read_at is None:
            error = await asyncio.shield(self._reading)
            if error:
                raise error
        elif age > _TOO_OLD:
            await asyncio.wait({self._reading}, timeout=_LONGEST_WAIT)

    async def _read(self) -> StoreUnavailableError | None:
        began = time.monotonic()
        self._noted = {}
        try:
            found = await self.unhealthy()
        except StoreUnavailableError as error:
            log.warning("which targets are well is not known anew", why=error.message)
            return error
        # What was written meanwhile is newer than what was read.
        found = {**found, **self._noted}
        self._unhealthy = {name: it for name, it in found.items() if not it.is_healthy}
        self._read_at = began
        self._tell_successes()
        return None

    def _tell_successes(self) -> None:
        """Tell of successes that came before this process knew that the target was failing."""
        for name, health in self._unhealthy.items():
            at = self._succeeded.get(name)
            if at and after_unnoticed_success(health, at) != health:
                self._ledger.submit(name, _unnoticed(at))
        since = self._clock() - _UNNOTICED
        self._succeeded = {name: at for name, at in self._succeeded.items() if at > since}


def _unnoticed(at: datetime) -> Callable[[Standing, datetime], tuple[None, Standing]]:
    return lambda s, _: (None, replace(s, health=after_unnoticed_success(s.health, at)))
