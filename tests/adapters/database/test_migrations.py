import asyncio
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, func, select

from portcall.adapters.database import migrate, open_database
from portcall.adapters.database.connections import Connections
from portcall.adapters.database.tables import changes, metadata
from portcall.errors import ConfigurationError
from tests.adapters.database.conftest import SECRET_KEY
from tests.adapters.database.test_store_contract import source

MIGRATE = """
import asyncio, sys
from portcall.adapters.database import migrate
asyncio.run(migrate(sys.argv[1]))
"""


def differences(connection: Connection) -> list[object]:
    return compare_metadata(MigrationContext.configure(connection), metadata)


async def test_the_migrations_make_the_tables_that_the_code_works_with(url: str) -> None:
    await migrate(url)
    connections = Connections(url)
    async with connections.reading() as connection:
        assert await connection.run_sync(differences) == []
    await connections.engine.dispose()


async def test_migrating_again_changes_nothing(url: str) -> None:
    await migrate(url)
    async with open_database(url, SECRET_KEY) as database:
        stored = await database.store.sources.create(source())
    await migrate(url)
    async with open_database(url, SECRET_KEY) as database:
        assert await database.store.sources.list() == [stored]


async def test_several_processes_may_migrate_at_once(url: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", MIGRATE, url) for _ in range(2)
    ]
    assert [await process.wait() for process in processes] == [0, 0]
    connections = Connections(url)
    async with connections.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(changes)) == 1
    await connections.engine.dispose()


async def test_migrating_makes_the_folder_of_a_sqlite_file(tmp_path: Path) -> None:
    await migrate(f"sqlite:///{tmp_path}/a/b/portcall.db")
    assert (tmp_path / "a" / "b" / "portcall.db").exists()


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="file/folder"):
        await migrate(f"sqlite:///{tmp_path}/file/folder/portcall.db")


async def test_a_database_without_tables_says_how_to_make_them(url: str) -> None:
    with pytest.raises(ConfigurationError, match="run `portcall init`"):
        async with open_database(url, SECRET_KEY):
            pass
