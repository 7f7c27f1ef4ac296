"""The inbox in SQL: what was answered 202 but did not reach Temporal, or was not understood.

Entries that wait are written in batches, each in one transaction: under a burst one flush to
the disk serves everybody who waits for it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import TypeAdapter
from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from portcall.adapters.database.connections import Connections
from portcall.adapters.database.tables import inbox
from portcall.errors import (
    ConflictError,
    NotFoundError,
    PortcallError,
    StoreUnavailableError,
    UnavailableError,
)
from portcall.events import RegistryEvent
from portcall.ids import derived_id
from portcall.ports import InboxEntry

log = structlog.get_logger(__name__)

_EVENTS = TypeAdapter(tuple[RegistryEvent, ...])
_LONGEST_BATCH = 100
_SUMMARY = [column for column in inbox.c if column.name not in ("body", "events")]

_Arrival = tuple[dict[str, Any], asyncio.Future[int]]


class SqlInbox:
    """An `Inbox` of at most `limit` entries; at most half of these may be parked.

    Whatever is to be kept goes over `keeping`, whose time-out is short: a sender waits.
    """

    def __init__(self, connections: Connections, keeping: Connections, limit: int) -> None:
        self._connections = connections
        self._keeping = keeping
        self._limit = limit
        self._arrivals: asyncio.Queue[_Arrival] = asyncio.Queue()

    async def keep_waiting(self, source: str, events: Sequence[RegistryEvent]) -> int:
        """Keep events until Temporal is back; give the id. Raise UnavailableError when full."""
        kept = _EVENTS.dump_json(tuple(events)).decode()
        row = _row(source=source, state="waiting", events=kept, size=len(kept))
        written: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._arrivals.put_nowait((row, written))
        try:
            async with asyncio.timeout(self._keeping.timeout.total_seconds()):
                return await written
        except TimeoutError:
            raise StoreUnavailableError("The inbox was not written to in time.") from None

    async def park(
        self,
        source: str,
        reason: str,
        body: bytes,
        headers: Mapping[str, str],
        hint: str | None,
        *,
        events: Sequence[RegistryEvent] = (),
    ) -> int:
        """Keep a notification that was not understood; the same bytes twice are one entry."""
        row = _row(
            source=source,
            state="parked",
            reason=_storable(reason),
            headers=dict(headers),
            body=body,
            hint=None if hint is None else _storable(hint),
            events=_EVENTS.dump_json(tuple(events)).decode(),
            size=len(body),
            fingerprint=derived_id([source, hint or "", body, *(event.id for event in events)]),
        )
        # What has waited in here, and Temporal refuses, must not stand in front of all else.
        has_room = bool(events)
        try:
            return await self._park(row, has_room=has_room)
        except ConflictError:  # another process parked the same bytes at the same moment
            return await self._park(row, has_room=has_room)

    async def oldest_waiting(self, limit: int) -> Sequence[InboxEntry]:
        """Give the entries that wait for Temporal, oldest first."""
        waiting = select(inbox).where(inbox.c.state == "waiting").order_by(inbox.c.id).limit(limit)
        async with self._connections.reading() as connection:
            return [_entry(row) for row in (await connection.execute(waiting)).mappings()]

    async def get(self, entry_id: int) -> InboxEntry:
        """Give one entry; raise NotFoundError."""
        async with self._connections.reading() as connection:
            wanted = select(inbox).where(inbox.c.id == entry_id)
            row = (await connection.execute(wanted)).mappings().one_or_none()
        if row is None:
            raise NotFoundError(f"There is no inbox entry {entry_id}.")
        return _entry(row)

    async def list(
        self, *, state: str | None = None, before: int | None = None, limit: int = 50
    ) -> Sequence[InboxEntry]:
        """Give entries newest first, those with an id below `before`, without body and events."""
        wanted = select(*_SUMMARY).order_by(inbox.c.id.desc()).limit(limit)
        if state is not None:
            wanted = wanted.where(inbox.c.state == state)
        if before is not None:
            wanted = wanted.where(inbox.c.id < before)
        async with self._connections.reading() as connection:
            return [_entry(row) for row in (await connection.execute(wanted)).mappings()]

    async def remove(self, *entry_ids: int) -> None:
        """Forget entries; one that is gone already is not an error."""
        if entry_ids:
            async with self._connections.writing() as connection:
                await connection.execute(delete(inbox).where(inbox.c.id.in_(entry_ids)))

    async def counts(self) -> Mapping[str, int]:
        """Give the number of entries by state, `waiting` and `parked` always among them."""
        counted = select(inbox.c.state, func.count().label("held")).group_by(inbox.c.state)
        async with self._connections.reading() as connection:
            rows = (await connection.execute(counted)).all()
        return {"waiting": 0, "parked": 0} | {row.state: row.held for row in rows}

    @contextlib.asynccontextmanager
    async def writer(self) -> AsyncIterator[None]:
        """Run the task that writes the batches."""
        task = asyncio.create_task(self._write_batches())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _park(self, row: dict[str, Any], *, has_room: bool) -> int:
        known = (
            update(inbox)
            .where(inbox.c.fingerprint == row["fingerprint"])
            .values(count=inbox.c.count + 1, reason=row["reason"], last_seen_at=row["last_seen_at"])
            .returning(inbox.c.id)
        )
        async with self._keeping.writing() as connection:
            entry_id = await connection.scalar(known)
            if entry_id is None:
                if not has_room:
                    await self._check_room_to_park(connection)
                entry_id = await connection.scalar(insert(inbox).values(row).returning(inbox.c.id))
        return int(entry_id)

    async def _write_batches(self) -> None:
        while True:
            batch = [await self._arrivals.get()]
            while len(batch) < _LONGEST_BATCH and not self._arrivals.empty():
                batch.append(self._arrivals.get_nowait())
            # Who gave up in the meantime was answered 503 and will send again.
            batch = [arrival for arrival in batch if not arrival[1].done()]
            try:
                await self._write(batch)
            except PortcallError as error:
                _fail(batch, error)
            except Exception:  # this task must outlive a fault: nothing else writes the inbox
                log.exception("writing to the inbox failed")
                _fail(batch, StoreUnavailableError("The inbox could not be written to."))

    async def _write(self, batch: Sequence[_Arrival]) -> None:
        if not batch:
            return
        added = insert(inbox).returning(inbox.c.id, sort_by_parameter_order=True)
        async with self._keeping.writing() as connection:
            fitting = batch[: await self._room(connection)]
            ids = await connection.scalars(added, [row for row, _ in fitting])
        for (_, written), entry_id in zip(fitting, ids, strict=True):
            if not written.done():
                written.set_result(entry_id)
        _fail(batch[len(fitting) :], self._full())

    async def _room(self, connection: AsyncConnection) -> int:
        """Give how many entries fit; raise UnavailableError where none does."""
        count = await connection.scalar(select(func.count()).select_from(inbox))
        room = self._limit - (count or 0)
        if room <= 0:
            raise self._full()
        return room

    async def _check_room_to_park(self, connection: AsyncConnection) -> None:
        """Raise UnavailableError where it is full, or would be of what nobody understood."""
        await self._room(connection)
        parked = select(func.count()).where(inbox.c.state == "parked")
        if (await connection.scalar(parked) or 0) >= self._limit // 2:
            raise UnavailableError(
                f"The inbox is full: {self._limit // 2} notifications in it were not understood."
            )

    def _full(self) -> UnavailableError:
        return UnavailableError(f"The inbox is full: it holds {self._limit} notifications.")


def _fail(batch: Sequence[_Arrival], error: PortcallError) -> None:
    for _, written in batch:
        if not written.done():
            written.set_exception(error)


def _row(**given: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "reason": "",
        "received_at": now,
        "last_seen_at": now,
        "count": 1,
        "headers": {},
        "hint": None,
        "body": b"",
        "events": "[]",
        "fingerprint": None,
    } | given


def _storable(text: str) -> str:
    """Take out what PostgreSQL's text cannot hold, and a sender may have put in."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _entry(row: RowMapping) -> InboxEntry:
    kept = {key: value for key, value in row.items() if key != "fingerprint"}
    events = _EVENTS.validate_json(kept.pop("events", "[]"))
    return InboxEntry(**{"body": b""} | kept, events=events)
