"""The snapshot under changes made by another process, and while it is being renewed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.effect import insert_policies
from portcall.adapters.database import Database, open_database
from portcall.adapters.database.connections import Connections
from portcall.adapters.database.snapshots import SnapshotCache
from portcall.adapters.database.tables import changes, policies, sources, targets
from portcall.errors import PreconditionError, UnreadableError
from portcall.secrets import split
from tests.adapters.database.conftest import SECRET_KEY
from tests.adapters.database.test_store_contract import policy, source, target

STALE = 0.3
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Gated(Connections):
    """Connections that can only be had while the gate is open."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.gate = asyncio.Event()
        self.gate.set()
        self.lent = 0

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        self.lent += 1
        await self.gate.wait()
        async with super().reading() as connection:
            yield connection


@pytest.fixture
async def gated(clean_sqlite_url: str) -> AsyncIterator[Gated]:
    connections = Gated(clean_sqlite_url)
    yield connections
    await connections.engine.dispose()


@pytest.fixture
async def here(clean_url: str) -> AsyncIterator[Database]:
    async with open_database(clean_url, SECRET_KEY) as opened:
        yield opened


@pytest.fixture
async def there(clean_url: str) -> AsyncIterator[Database]:
    async with open_database(clean_url, SECRET_KEY) as opened:
        yield opened


async def change(connections: Connections) -> None:
    """Switch a target off as another process would."""
    async with connections.writing() as connection:
        values = {"spec": split(target(enabled=False))[0], "version": 1}
        now = {"created_at": EPOCH, "updated_at": EPOCH}
        await connection.execute(insert(targets).values(name="ci", **values, **now))
        await connection.execute(update(changes).values(counter=changes.c.counter + 1))


async def test_a_change_leaves_the_other_policies_as_they_were_read(
    here: Database, there: Database
) -> None:
    await there.store.targets.put(target())
    for name in "abc":
        await there.store.policies.put(policy(name))
    before = (await here.store.snapshot()).policies
    await there.store.policies.put(policy("b", description="another"))
    await asyncio.sleep(STALE)
    after = (await here.store.snapshot()).policies
    assert [a is b for a, b in zip(after, before, strict=True)] == [True, False, True]
    assert after[1].description == "another"


async def test_a_policy_made_anew_under_an_old_name_is_the_new_one(
    here: Database, there: Database
) -> None:
    await there.store.targets.put(target())
    await there.store.policies.put(policy(description="old"))
    assert [p.description for p in (await here.store.snapshot()).policies] == ["old"]
    await there.store.policies.delete("prod")
    made = await there.store.policies.put(policy(description="new"))
    assert made.version == 1
    await asyncio.sleep(STALE)
    assert [p.description for p in (await here.store.snapshot()).policies] == ["new"]


async def test_more_policies_than_a_page_are_all_read(here: Database, clean_url: str) -> None:
    await here.store.targets.put(target())
    await insert_policies(clean_url, [policy(f"p{number:03}") for number in range(501)])
    await asyncio.sleep(STALE)
    names = [found.name for found in (await here.store.snapshot()).policies]
    assert names == [f"p{number:03}" for number in range(501)]


async def test_during_a_renewal_the_snapshot_serves_until_it_is_a_second_old(
    gated: Gated,
) -> None:
    cache = SnapshotCache(gated)
    before = await cache.get()
    await change(gated)
    await asyncio.sleep(STALE)
    gated.gate.clear()
    renewing = asyncio.create_task(cache.get())
    await asyncio.sleep(0)
    assert await cache.get() is before
    await asyncio.sleep(1.05 - STALE)
    late = asyncio.create_task(cache.get())
    done, _ = await asyncio.wait([late], timeout=0.05)
    assert not done
    gated.gate.set()
    assert (await late).disabled_targets == (await renewing).disabled_targets == {"ci"}


async def test_all_who_wait_for_a_renewal_are_served_by_it(gated: Gated) -> None:
    cache = SnapshotCache(gated)
    gated.gate.clear()
    waiting = [asyncio.create_task(cache.get()) for _ in range(50)]
    await asyncio.sleep(0)
    gated.gate.set()
    snapshots = await asyncio.gather(*waiting)
    assert all(snapshot is snapshots[0] for snapshot in snapshots)
    assert gated.lent == 3


async def test_who_comes_late_in_a_long_renewal_sees_what_changed_since_it_began(
    gated: Gated,
) -> None:
    cache = SnapshotCache(gated)
    gated.gate.clear()
    first = asyncio.create_task(cache.get())
    await asyncio.sleep(STALE)
    late = [asyncio.create_task(cache.get()) for _ in range(50)]
    await asyncio.sleep(0)
    gated.gate.set()
    await asyncio.gather(first, *late)
    assert gated.lent == 4


async def test_a_policy_of_another_version_leaves_the_others_at_work_and_can_be_deleted(
    here: Database, there: Database, clean_url: str
) -> None:
    await there.store.targets.put(target())
    for name in ("good", "strange"):
        await there.store.policies.put(policy(name))
    connections = Connections(clean_url)
    async with connections.changing() as connection:
        strange = split(policy("strange"))[0] | {"moon": "full"}
        changed = update(policies).where(policies.c.name == "strange")
        await connection.execute(changed.values(spec=strange, version=2))
    await connections.engine.dispose()
    await asyncio.sleep(STALE)
    snapshot = await here.store.snapshot()
    assert [p.name for p in snapshot.policies] == ["good"]
    assert list(snapshot.unreadable) == ["strange"]
    assert "moon: " in snapshot.unreadable["strange"]
    with pytest.raises(UnreadableError, match="The policy strange was stored by another version"):
        await here.store.policies.get("strange")
    with pytest.raises(PreconditionError):
        await here.store.policies.delete("strange", if_version=1)
    await here.store.policies.delete("strange", if_version=2)
    assert not (await here.store.snapshot()).unreadable


async def test_a_source_of_another_version_does_not_keep_portcall_from_starting(
    clean_url: str,
) -> None:
    async with open_database(clean_url, SECRET_KEY) as database:
        await database.store.sources.put(source())
    connections = Connections(clean_url)
    async with connections.changing() as connection:
        strange = split(source())[0] | {"moon": "full"}
        await connection.execute(update(sources).values(spec=strange))
    await connections.engine.dispose()
    async with open_database(clean_url, SECRET_KEY) as database:
        with pytest.raises(UnreadableError, match=r"source eu .*moon: "):
            await database.store.sources.list()
