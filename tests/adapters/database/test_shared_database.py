"""Several processes on one database, which what one process does in memory must not forget."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import delete, event
from sqlalchemy.exc import IntegrityError

from portcall.adapters.database import Database, open_database
from portcall.adapters.database.connections import Connections
from portcall.adapters.database.tables import targets
from portcall.errors import ConflictError
from tests.adapters.database.conftest import SECRET_KEY
from tests.adapters.database.test_inbox_contract import event as registry_event
from tests.adapters.database.test_inbox_contract import park
from tests.adapters.database.test_store_contract import policy, target

KEEP_AND_DIE = """
import asyncio, os, sys
from portcall.adapters.database import open_database
from tests.adapters.database.conftest import SECRET_KEY
from tests.adapters.database.test_inbox_contract import event

async def main():
    async with open_database(sys.argv[1], SECRET_KEY) as database:
        print(await database.inbox.keep_waiting("eu", [event(7)]), flush=True)
        os._exit(9)

asyncio.run(main())
"""


@pytest.fixture
async def here(clean_url: str) -> AsyncIterator[Database]:
    async with open_database(clean_url, SECRET_KEY) as opened:
        yield opened


@pytest.fixture
async def there(clean_url: str) -> AsyncIterator[Database]:
    async with open_database(clean_url, SECRET_KEY) as opened:
        yield opened


async def test_a_change_made_elsewhere_shows_within_a_second(
    here: Database, there: Database
) -> None:
    assert (await here.store.snapshot()).policies == ()
    await there.store.targets.put(target())
    await there.store.policies.put(policy())
    async with asyncio.timeout(1):
        while not (await here.store.snapshot()).policies:
            await asyncio.sleep(0.05)


async def test_snapshots_that_follow_one_another_ask_the_database_once(here: Database) -> None:
    await here.store.targets.put(target())
    statements: list[str] = []
    engine = here.store._connections.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    snapshots = await asyncio.gather(*(here.store.snapshot() for _ in range(20)))
    asked = [statement for statement in statements if statement.startswith("SELECT")]
    assert len(asked) == 3
    assert all(snapshot is snapshots[0] for snapshot in snapshots)


async def test_an_unchanged_database_is_asked_for_its_counter_alone(here: Database) -> None:
    before = await here.store.snapshot()
    await asyncio.sleep(0.55)
    statements: list[str] = []
    engine = here.store._connections.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    assert await here.store.snapshot() is before
    assert [s for s in statements if s.startswith("SELECT")] == [
        "SELECT changes.counter \nFROM changes"
    ]


async def test_the_database_itself_keeps_a_target_that_a_policy_uses(
    here: Database, clean_url: str
) -> None:
    await here.store.targets.put(target())
    await here.store.policies.put(policy())
    connections = Connections(clean_url)
    with pytest.raises(ConflictError) as refused:
        async with connections.writing() as connection:
            await connection.execute(delete(targets))
    await connections.engine.dispose()
    assert isinstance(refused.value.__cause__, IntegrityError)
    assert len(await here.store.targets.list()) == 1


async def test_a_target_in_use_is_kept_whoever_races(here: Database, there: Database) -> None:
    for _ in range(5):
        await here.store.targets.put(target())
        results = await asyncio.gather(
            here.store.policies.put(policy()),
            there.store.targets.delete("ci"),
            return_exceptions=True,
        )
        assert sum(isinstance(result, Exception) for result in results) == 1
        for row in await here.store.policies.list():
            await here.store.policies.delete(row.spec.name)


async def test_the_same_bytes_parked_by_two_processes_are_one_entry(
    here: Database, there: Database
) -> None:
    ids = await asyncio.gather(*(park(db.inbox) for db in (here, there) * 4))
    assert len(set(ids)) == 1
    assert (await here.inbox.get(ids[0])).count == 8


async def test_events_kept_by_two_processes_at_once_all_wait(
    here: Database, there: Database
) -> None:
    kept = [
        db.inbox.keep_waiting("eu", [registry_event(n)]) for n in range(20) for db in (here, there)
    ]
    ids = await asyncio.gather(*kept)
    assert [entry.id for entry in await here.inbox.oldest_waiting(100)] == sorted(ids)


async def test_what_was_kept_outlives_the_process_that_kept_it(
    clean_url: str, here: Database
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KEEP_AND_DIE, clean_url, stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": "."},
    )  # fmt: skip
    printed, _ = await process.communicate()
    assert process.returncode == 9
    assert (await here.inbox.get(int(printed))).events == (registry_event(7),)


async def test_events_whose_sender_gave_up_waiting_are_not_kept(here: Database) -> None:
    kept = [asyncio.create_task(here.inbox.keep_waiting("eu", [registry_event()])) for _ in "ab"]
    await asyncio.sleep(0)
    for task in kept:
        task.cancel()
    await asyncio.wait(kept)
    assert await here.inbox.keep_waiting("eu", [registry_event(2)])
    assert [entry.events for entry in await here.inbox.oldest_waiting(9)] == [(registry_event(2),)]
