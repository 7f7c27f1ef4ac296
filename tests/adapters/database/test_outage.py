"""The database away, silent, locked or not what its URL says."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from portcall.adapters.database import Database, migrate, open_database
from portcall.adapters.database.connections import Connections
from portcall.errors import ConfigurationError, StoreUnavailableError
from tests.adapters.database.conftest import SECRET_KEY
from tests.adapters.database.test_inbox_contract import event, park
from tests.adapters.database.test_store_contract import target
from tests.fixtures.postgres import PASSWORD, PostgresServer


class Line:
    """A TCP line to a server that can fall silent."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.open = asyncio.Event()
        self.open.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", self.port)
        pumps = [
            asyncio.create_task(self._pump(reader, there[1])),
            asyncio.create_task(self._pump(there[0], writer)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        writer.close()
        there[1].close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self.open.wait()
            writer.write(data)


@pytest.fixture
def restarted(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """The cluster for a test that stops it."""
    yield postgres
    if not postgres.is_running():
        postgres.start()


@pytest.fixture
async def on_postgres(clean_postgres_url: str) -> AsyncIterator[Database]:
    async with open_database(clean_postgres_url, SECRET_KEY) as opened:
        yield opened


async def say(database: Database) -> None:
    """Ask for everything once."""
    await database.store.targets.list()
    await database.store.snapshot()
    await database.store.ping()
    await database.inbox.counts()
    await park(database.inbox)
    await database.inbox.keep_waiting("eu", [event()])


async def test_a_stopped_server_is_told_at_once(
    restarted: PostgresServer, on_postgres: Database
) -> None:
    await say(on_postgres)
    restarted.stop()
    began = time.monotonic()
    for ask in (
        on_postgres.store.targets.get("ci"),
        on_postgres.store.targets.put(target()),
        on_postgres.store.ping(),
        park(on_postgres.inbox),
        on_postgres.inbox.keep_waiting("eu", [event()]),
        on_postgres.inbox.oldest_waiting(1),
    ):
        with pytest.raises(StoreUnavailableError, match=r"not available|in time"):
            await ask
    assert time.monotonic() - began < 3


async def test_a_restarted_server_costs_no_failed_request(
    restarted: PostgresServer, on_postgres: Database
) -> None:
    await asyncio.gather(*(on_postgres.store.ping() for _ in range(5)))
    await say(on_postgres)
    restarted.stop()
    restarted.start()
    await asyncio.gather(*(say(on_postgres) for _ in range(3)))


async def test_a_worker_that_freezes_in_a_transaction_does_not_keep_its_locks(
    clean_postgres_url: str,
) -> None:
    """One that was frozen held up every target with limits until TCP noticed, two hours later."""
    connections = Connections(clean_postgres_url)
    longest = text("SELECT current_setting('idle_in_transaction_session_timeout')")
    async with connections.writing() as connection:
        assert await connection.scalar(longest) == "9s"
    await connections.engine.dispose()


async def test_what_was_kept_is_there_after_a_crash(
    restarted: PostgresServer, on_postgres: Database
) -> None:
    entry_id = await on_postgres.inbox.keep_waiting("eu", [event(5)])
    restarted.stop("immediate")
    restarted.start()
    assert (await on_postgres.inbox.get(entry_id)).events == (event(5),)


async def test_a_silent_server_is_told_within_the_time_that_a_sender_waits(
    postgres: PostgresServer, clean_postgres_url: str
) -> None:
    line = Line(postgres.port)
    server = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = make_url(clean_postgres_url).set(port=port).render_as_string(hide_password=False)
    async with server, open_database(url, SECRET_KEY) as database:
        await say(database)
        line.open.clear()
        began = time.monotonic()
        asked = [
            park(database.inbox),
            *(database.inbox.keep_waiting("eu", [event()]) for _ in "ab"),
        ]
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert time.monotonic() - began < 0.9
        assert [type(result) for result in results] == [StoreUnavailableError] * 3
        line.open.set()
        await say(database)


async def test_a_locked_sqlite_file_is_told_within_the_time_that_a_sender_waits(
    clean_sqlite_url: str,
) -> None:
    locking = sqlite3.connect(make_url(clean_sqlite_url).database, isolation_level=None)
    async with open_database(clean_sqlite_url, SECRET_KEY) as database:
        locking.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            await database.inbox.keep_waiting("eu", [event()])
        with pytest.raises(StoreUnavailableError, match="locked"):
            await park(database.inbox)
        assert time.monotonic() - began < 1.8
        assert await database.inbox.counts() == {"waiting": 0, "parked": 0}
        locking.execute("ROLLBACK")
        locking.close()
        await say(database)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "portcall.db",
        "mysql://portcall@localhost/portcall",
        "postgresql+psycopg2://localhost/portcall",
        "postgresql://localhost:port/portcall",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
async def test_a_url_that_cannot_be_used_is_refused_by_the_name_of_its_variable(url: str) -> None:
    with pytest.raises(ConfigurationError, match="PORTCALL_DATABASE_URL"):
        await migrate(url)


async def refusal(url: str) -> str:
    with pytest.raises(StoreUnavailableError) as refused:
        async with open_database(url, SECRET_KEY):
            pass
    with pytest.raises(StoreUnavailableError) as again:
        await migrate(url)
    assert again.value.message == refused.value.message
    return refused.value.message


async def test_a_wrong_password_is_told_without_the_password(postgres: PostgresServer) -> None:
    message = await refusal(postgres.url(password="planted"))
    assert "password authentication failed" in message
    assert "planted" not in message
    assert "\n" not in message


async def test_a_missing_database_is_named(postgres: PostgresServer) -> None:
    assert 'database "nowhere" does not exist' in await refusal(postgres.url("nowhere"))


async def test_an_unreachable_server_is_named_without_the_password() -> None:
    message = await refusal(f"postgres://ann:{PASSWORD}@127.0.0.1:1/portcall")
    assert "127.0.0.1:1/portcall is not available" in message
    assert PASSWORD not in message


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "portcall.db").write_text("This is no SQLite file. " * 100)
    assert "not a database" in await refusal(f"sqlite:///{tmp_path}/portcall.db")


async def test_libpq_parameters_of_a_url_are_understood(clean_postgres_url: str) -> None:
    async with open_database(f"{clean_postgres_url}?sslmode=prefer", SECRET_KEY) as database:
        await database.store.ping()
