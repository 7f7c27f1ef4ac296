"""The command `init`: makes the database's tables and Temporal's namespace, or updates them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from portcall.adapters.database import migrate, open_database, the_secret_key
from portcall.adapters.provision import provision
from portcall.adapters.temporal import connect
from portcall.cli.progress import shown_progress
from portcall.cli.up import DataDir
from portcall.errors import UnavailableError
from portcall.settings import Settings, load_settings

T = TypeVar("T")


def init(
    data_dir: DataDir = None,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for the database and for Temporal.")
    ] = 0,
) -> None:
    """Prepare the database and Temporal's namespace; does no harm where they are prepared."""
    settings = load_settings(data_dir=data_dir)
    deadline = time.monotonic() + wait
    asyncio.run(_prepare_database(settings, deadline))
    asyncio.run(_prepare_temporal(settings, deadline))


async def _prepare_database(settings: Settings, deadline: float) -> None:
    url = settings.resolved_database_url
    await _patiently(lambda: migrate(url), deadline)
    secret_key = the_secret_key(settings.secret_key, url, settings.data_dir)
    async with open_database(url, secret_key) as database:
        await database.store.renew_secrets()
    print("database: tables are up to date, secrets are encrypted with the newest key")


async def _prepare_temporal(settings: Settings, deadline: float) -> None:
    async def prepare() -> list[str]:
        client = await connect()
        return await provision(client, client.namespace, settings.log_retention)

    for done in await _patiently(prepare, deadline):
        print(f"Temporal: {done}")
    print("Temporal: the namespace is up to date")


async def _patiently(work: Callable[[], Awaitable[T]], deadline: float) -> T:
    with shown_progress() as show:
        while True:
            try:
                return await work()
            except UnavailableError as error:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise
                show(f"{error.message}; waiting {left:.0f} s more")
                await asyncio.sleep(min(1, left))
