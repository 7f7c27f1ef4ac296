"""The policy database three times: in memory, in SQLite, in PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from portcall.adapters.database import Database, migrate, open_database
from portcall.adapters.database.tables import changes, metadata
from tests.fakes import FakeInbox, FakeSourceActivity, FakeStates, FakeStore
from tests.fixtures.postgres import PostgresServer

SECRET_KEY = SecretStr("a passphrase of the tests")
INBOX_LIMIT = 10
PATIENT = timedelta(seconds=20)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'portcall.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database of each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(scope="session")
async def migrated_on_postgres(postgres: PostgresServer) -> str:
    postgres.execute("CREATE DATABASE migrated")
    await migrate(postgres.url("migrated"))
    return postgres.url("migrated")


@pytest.fixture
def clean_postgres_url(postgres: PostgresServer, migrated_on_postgres: str) -> str:
    """The URL of a database with empty tables, much quicker than a new one."""
    tables = [table.name for table in metadata.sorted_tables if table is not changes]
    postgres.execute(f"TRUNCATE {', '.join(tables)}", "migrated")
    return migrated_on_postgres


@pytest.fixture
async def clean_sqlite_url(sqlite_url: str) -> str:
    await migrate(sqlite_url)
    return sqlite_url


@pytest.fixture(params=["sqlite", "postgres"])
def clean_url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated, empty database of each kind."""
    return str(request.getfixturevalue(f"clean_{request.param}_url"))


@pytest.fixture(params=["fake", "sqlite", "postgres"])
def contract_url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "fake":
        return None
    return str(request.getfixturevalue(f"clean_{request.param}_url"))


@pytest.fixture
async def database(contract_url: str | None) -> AsyncIterator[Database]:
    """Store and inbox; what passes in memory and on both databases is the ports' contract."""
    if contract_url is None:
        store = FakeStore()
        yield Database(
            store=store,
            inbox=FakeInbox(INBOX_LIMIT),
            states=FakeStates(),
            activity=FakeSourceActivity(store),
        )
        return
    async with open_database(
        contract_url, SECRET_KEY, inbox_limit=INBOX_LIMIT, inbox_timeout=PATIENT
    ) as opened:
        yield opened
