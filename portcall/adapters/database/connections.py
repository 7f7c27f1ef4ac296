"""Connections to the policy database, SQLite or PostgreSQL; the only place that knows which.

Foreign errors become Portcall's in here, and nowhere else. What is read and written is left
to the stores.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import URL, Connection, Table, event, make_url, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, IntegrityError, InterfaceError
from sqlalchemy.exc import OperationalError as SqlOperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from portcall.adapters.database.tables import changes
from portcall.errors import ConfigurationError, ConflictError, StoreUnavailableError

VARIABLE = "PORTCALL_DATABASE_URL"
TIMEOUT = timedelta(seconds=5)
_CONNECT_SECONDS = 3
_LONGEST_SILENCE = "9s"
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "postgresql+asyncpg": "postgresql",
}
# A lost or refusing server by SQLSTATE class: connection, authorization, no such database,
# rolled back, no resources, locked, operator intervention, system, internal.
_AWAY = frozenset({"08", "28", "3D", "40", "53", "55", "57", "58", "XX"})


class Connections:
    """A pool of connections to one database. Every operation ends within `timeout`."""

    def __init__(self, url: str, timeout: timedelta = TIMEOUT) -> None:
        self._url = _parsed(url)
        self.timeout = timeout
        self.engine = _engine(self._url, timeout)
        self._writing = self.engine.execution_options(begin="BEGIN IMMEDIATE")
        self.changed_here = 0

    @property
    def file(self) -> Path | None:
        """The file that a SQLite database is in."""
        is_sqlite = self.engine.dialect.name == "sqlite"
        return Path(self._url.database or "") if is_sqlite else None

    def insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """Begin an INSERT that knows ON CONFLICT, which both databases have."""
        return postgresql.insert(table) if self.file is None else sqlite.insert(table)

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection to read with."""
        async with self._bounded(), self.engine.connect() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection in a transaction, committed at the end."""
        async with self._bounded(), self._writing.begin() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def changing(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection to change sources, targets or policies with.

        Counting the change first locks the counter's row, so that such transactions follow
        one another and may look before they write.
        """
        async with self.writing() as connection:
            await connection.execute(update(changes).values(counter=changes.c.counter + 1))
            yield connection
        self.changed_here += 1

    @contextlib.asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.timeout.total_seconds()):
                yield
        except IntegrityError as error:
            raise ConflictError("Somebody else changed the same thing; try again.") from error
        except (
            DBAPIError, PoolTimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError,
        ) as error:  # fmt: skip
            if isinstance(error, DBAPIError) and not _is_away(error):
                raise
            raise StoreUnavailableError(
                f"The policy database {_place(self._url)} is not available: {_reason(error)}."
            ) from error


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        driver = _DRIVERS[parsed.drivername]
    except (ArgumentError, KeyError, ValueError):
        raise ConfigurationError(
            f"{VARIABLE} must look like sqlite:////path/to/portcall.db or"
            " postgresql://user:password@host:5432/database."
        ) from None
    if driver.startswith("sqlite") and (parsed.database or ":memory:") == ":memory:":
        raise ConfigurationError(f"{VARIABLE} must name a file: SQLite in memory keeps nothing.")
    return parsed.set(drivername=driver)


def _engine(url: URL, timeout: timedelta) -> AsyncEngine:
    seconds = timeout.total_seconds()
    if url.drivername == "postgresql":
        return _postgres_engine(url.render_as_string(hide_password=False), seconds)
    return _sqlite_engine(url, seconds)


class _QuicklyClosed(asyncpg.Connection):  # type: ignore[misc]
    """Gives a silent server little time to say goodbye, after a time-out that is over already.

    SQLAlchemy allows 2 s, which whoever waits for the answer would wait too.
    """

    async def close(self, *, timeout: float | None = None) -> None:
        await super().close(timeout=None if timeout is None else min(timeout, 0.05))


def _postgres_engine(dsn: str, seconds: float) -> AsyncEngine:
    async def connect() -> "asyncpg.Connection[Any]":
        # asyncpg reads the URL itself, so that libpq's parameters (sslmode, ...) work.
        connection = await asyncpg.connect(
            dsn,
            timeout=_CONNECT_SECONDS,
            command_timeout=seconds,
            connection_class=_QuicklyClosed,
        )
        # A machine that dies or freezes must not keep what it has locked until TCP notices. Said
        # here and not as a parameter of the start, which poolers like PgBouncer refuse.
        await connection.execute(f"SET idle_in_transaction_session_timeout = '{_LONGEST_SILENCE}'")
        return connection

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_timeout=seconds,
        max_overflow=5,
    )


def _sqlite_engine(url: URL, seconds: float) -> AsyncEngine:
    engine = create_async_engine(url, hide_parameters=True, pool_timeout=seconds)
    # SQLite gives up waiting for a lock a little before we give up waiting for SQLite: its
    # thread cannot be interrupted, and closing the connection would wait for it.
    busy_timeout = f"busy_timeout={seconds * 800:.0f}"

    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        cursor = connection.cursor()
        for pragma in (busy_timeout, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail where another wrote in
    # between (SQLITE_BUSY_SNAPSHOT), whatever the busy_timeout: writers take the lock first.
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _is_away(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None) or ""
    return (
        isinstance(error, SqlOperationalError | InterfaceError)
        or type(error) is DatabaseError  # SQLite's word for a file that is broken or none
        or error.connection_invalidated
        or state[:2] in _AWAY
    )


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError | PoolTimeoutError):
        return "no answer in time"
    cause: BaseException | None = error
    if isinstance(error, DBAPIError) and error.orig:
        cause = error.orig.__cause__ or error.orig
    return (str(cause).splitlines() or [type(cause).__name__])[0].rstrip(".")


def _place(url: URL) -> str:
    host = f"{url.host or 'localhost'}:{url.port or 5432}/"
    return (host if url.drivername == "postgresql" else "") + (url.database or "")
