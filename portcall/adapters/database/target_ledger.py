"""Where targets stand, in SQL: read, decided and written in one transaction for many at once.

Whoever comes while a transaction is under way is served by the next, so that a burst costs a
few commits. What is decided is left to those who ask.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from sqlalchemy import bindparam, delete, false, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from portcall.adapters.database.connections import Connections
from portcall.adapters.database.tables import target_health, target_leases, targets
from portcall.errors import ConflictError, PortcallError, StoreUnavailableError
from portcall.health import TargetHealth
from portcall.limits import Standing

log = structlog.get_logger(__name__)

ResultT = TypeVar("ResultT")
Change = Callable[[Standing, datetime], tuple[ResultT, Standing]]
"""Gives an answer and the standing that follows. It decides, and may be called again."""

_LONGEST_BATCH = 200
_HEALTH = tuple(TargetHealth.model_fields)
_GATE = ("rate_at", "backlog", "probe", "probe_until")
UNBLEMISHED = TargetHealth().model_dump() | {"probe": "", "probe_until": None}
"""The columns of a target that begins anew; limits and queue stay."""


_UNKNOWN = Standing(changed_at=datetime.max.replace(tzinfo=UTC))
"""Where a target stands that is not there any more: no attempt says anything of it."""


@dataclass(frozen=True)
class _Entry:
    target: str
    change: Change[Any]
    creates: bool
    done: asyncio.Future[Any]


class TargetLedger:
    """Changes where targets stand, in turn; `noted` is told each health that was written."""

    def __init__(
        self,
        connections: Connections,
        clock: Callable[[], datetime],
        noted: Callable[[str, TargetHealth], None],
    ) -> None:
        self._connections = connections
        self._clock = clock
        self._noted = noted
        self._entries: asyncio.Queue[_Entry] = asyncio.Queue()

    def submit(
        self, target: str, change: Change[ResultT], *, creates: bool = False
    ) -> asyncio.Future[ResultT]:
        """Have a change made; the future gives the answer, or StoreUnavailableError.

        `creates`: a target of which nothing is known yet is entered.
        """
        done: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        # An answer that nobody waits for any more is no reason to complain.
        done.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._entries.put_nowait(_Entry(target, change, creates, done))
        return done

    async def read(self, target: str) -> Standing:
        """Give where a target stands."""
        async with self._connections.reading() as connection:
            return (await self._standings(connection, [target])).get(target, Standing())

    @contextlib.asynccontextmanager
    async def writer(self) -> AsyncIterator[None]:
        """Run the task that makes the changes; what is asked for before the end is still made."""
        task = asyncio.create_task(self._serve_all())
        try:
            yield
            await self._entries.join()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _serve_all(self) -> None:
        while True:
            batch = [await self._entries.get(), *self._waiting(_LONGEST_BATCH)]
            try:
                answers = await self._serve_twice(batch)
            except Exception as error:  # this task must outlive a fault: nothing else writes here
                if not isinstance(error, PortcallError):
                    log.exception("where targets stand could not be written")
                # Who came meanwhile would only wait for the same.
                batch += self._waiting(self._entries.qsize())
                _fail(batch, error)
            else:
                for entry, answer in zip(batch, answers, strict=True):
                    if not entry.done.done():
                        entry.done.set_result(answer)
            for _ in batch:
                self._entries.task_done()

    def _waiting(self, most: int) -> list[_Entry]:
        return [self._entries.get_nowait() for _ in range(min(most, self._entries.qsize()))]

    async def _serve_twice(self, batch: Sequence[_Entry]) -> Sequence[Any]:
        try:
            return await self._serve(batch)
        except ConflictError:  # a target was deleted at the same moment
            return await self._serve(batch)

    async def _serve(self, batch: Sequence[_Entry]) -> Sequence[Any]:
        names = {entry.target for entry in batch}
        creating = {entry.target for entry in batch if entry.creates}
        answers = []
        async with self._connections.writing() as connection:
            before = await self._standings(connection, names, lock=True)
            if missing := creating - before.keys():
                await self._enter(connection, missing)
                before |= await self._standings(connection, missing, lock=True)
            after, now = dict(before), self._clock()
            for entry in batch:
                standing = after.get(entry.target, _UNKNOWN)
                answer, standing = entry.change(standing, now)
                answers.append(answer)
                if entry.target in before:
                    after[entry.target] = standing
            await self._write(connection, before, after, now)
        for name, standing in after.items():
            if standing.health != before[name].health:
                self._noted(name, standing.health)
        return answers

    async def _standings(
        self, connection: AsyncConnection, names: Iterable[str], *, lock: bool = False
    ) -> dict[str, Standing]:
        # In the order of names, so that two workers do not wait for each other.
        wanted = sorted(names)
        rows = select(target_health).where(target_health.c.target.in_(wanted))
        rows = rows.order_by(target_health.c.target)
        found = (await connection.execute(rows.with_for_update() if lock else rows)).all()
        if not found:
            return {}
        changed = select(targets.c.name, targets.c.updated_at).where(targets.c.name.in_(wanted))
        changed_at = {row.name: row.updated_at for row in await connection.execute(changed)}
        leases: dict[str, dict[str, datetime]] = {name: {} for name in wanted}
        held = select(target_leases).where(target_leases.c.target.in_(wanted))
        for lease in await connection.execute(held):
            leases[lease.target][lease.id] = lease.expires_at
        return {
            row.target: _standing(row, leases[row.target], changed_at.get(row.target))
            for row in found
        }

    async def _enter(self, connection: AsyncConnection, names: Iterable[str]) -> None:
        given = {"failures": 0, "strikes": 0, "pauses": 0, "probe": ""}
        known = (
            select(targets.c.name, *(literal(value) for value in given.values()), false())
            .where(targets.c.name.in_(sorted(names)))
            .order_by(targets.c.name)
        )
        new = self._connections.insert(target_health)
        new = new.from_select(["target", *given, "backlog"], known)
        await connection.execute(new.on_conflict_do_nothing())

    async def _write(
        self,
        connection: AsyncConnection,
        before: Mapping[str, Standing],
        after: Mapping[str, Standing],
        now: datetime,
    ) -> None:
        changed = {name: new for name, new in after.items() if new != before[name]}
        rows = [{"its_name": name, **_row(standing)} for name, standing in changed.items()]
        if rows:
            its_row = target_health.c.target == bindparam("its_name")
            await connection.execute(update(target_health).where(its_row), rows)
        taken = [
            {"id": lease, "target": name, "expires_at": until}
            for name, standing in changed.items()
            for lease, until in standing.leases.items()
            if lease not in before[name].leases
        ]
        if taken:
            await connection.execute(insert(target_leases), taken)
        over = [
            lease
            for name, standing in before.items()
            for lease, until in standing.leases.items()
            if lease not in after[name].leases or until <= now
        ]
        if over:
            await connection.execute(delete(target_leases).where(target_leases.c.id.in_(over)))


def _standing(row: Any, leases: Mapping[str, datetime], changed_at: datetime | None) -> Standing:
    return Standing(
        health=stored_health(row),
        leases=leases,
        changed_at=changed_at,
        **{name: getattr(row, name) for name in _GATE},
    )


def stored_health(row: Any) -> TargetHealth:
    """Make the health of a row."""
    return TargetHealth.model_construct(**{name: getattr(row, name) for name in _HEALTH})


def _row(standing: Standing) -> dict[str, Any]:
    health = {name: getattr(standing.health, name) for name in _HEALTH}
    return health | {name: getattr(standing, name) for name in _GATE}


def _fail(batch: Sequence[_Entry], error: Exception) -> None:
    for entry in batch:
        if not entry.done.done():
            why = error if isinstance(error, StoreUnavailableError) else _UNWRITTEN
            entry.done.set_exception(why)


_UNWRITTEN = StoreUnavailableError("Where targets stand could not be written.")
