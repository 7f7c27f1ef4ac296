"""Brings the tables up to date with Alembic; any number of processes may do so at once."""

from datetime import timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from portcall.adapters.database.connections import Connections
from portcall.errors import ConfigurationError

_LONGEST = timedelta(minutes=10)
_LOCK = 0x706F727463616C6C  # "portcall" in ASCII


async def migrate(url: str) -> None:
    """Make the tables, or bring them up to date; harmless where they are."""
    connections = Connections(url, _LONGEST)
    if connections.file:
        _make_folder(connections.file.parent)
    try:
        async with connections.writing() as connection:
            if connections.file is None:
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            await connection.run_sync(_upgrade)
    finally:
        await connections.engine.dispose()


async def check_schema(connections: Connections) -> None:
    """Raise ConfigurationError where the tables are not those that this version works with."""
    async with connections.reading() as connection:
        found = await connection.run_sync(_revision)
    expected = ScriptDirectory.from_config(_config()).get_current_head()
    if found != expected:
        raise ConfigurationError(
            f"The policy database has schema {found or 'none'}, this version of Portcall works"
            f" with {expected}: run `portcall init`."
        )


def _config() -> Config:
    config = Config()
    folder = str(Path(__file__).with_name("migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    return config


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"Cannot make the folder {folder}: {error.strerror}.") from error
