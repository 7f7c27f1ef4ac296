"""What every `SourceActivity` does, the fake one included."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from portcall.adapters.database import Database, open_database
from tests.adapters.database.conftest import SECRET_KEY
from tests.adapters.database.test_store_contract import source

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOON + timedelta(microseconds=1)


@pytest.fixture
async def sources(database: Database) -> Database:
    for name in ("eu", "us"):
        await database.store.sources.create(source(name=name))
    return database


async def test_a_source_that_sent_nothing_has_no_time(sources: Database) -> None:
    await sources.activity.note({})
    assert await sources.activity.last_heard() == {}


async def test_the_latest_time_is_kept_to_the_microsecond(sources: Database) -> None:
    await sources.activity.note({"us": NOON, "eu": LATER})
    await sources.activity.note({"us": LATER, "eu": NOON})
    assert await sources.activity.last_heard() == {"eu": LATER, "us": LATER}


async def test_one_source_that_is_gone_does_not_keep_the_others_from_being_noted(
    sources: Database,
) -> None:
    await sources.activity.note({"eu": NOON, "gone": NOON})
    assert await sources.activity.last_heard() == {"eu": NOON}


async def test_a_source_that_is_made_anew_has_not_been_heard(sources: Database) -> None:
    await sources.activity.note({"eu": NOON})
    await sources.store.sources.delete("eu")
    assert await sources.activity.last_heard() == {}


async def test_hearing_a_source_changes_nothing_of_its_spec(sources: Database) -> None:
    before = await sources.store.sources.get("eu")
    await sources.activity.note({"eu": NOON})
    assert await sources.store.sources.get("eu") == before


async def test_several_processes_may_note_the_same_sources_at_once(clean_url: str) -> None:
    async with (
        open_database(clean_url, SECRET_KEY) as here,
        open_database(clean_url, SECRET_KEY) as there,
    ):
        names = [f"s{number}" for number in range(20)]
        for name in names:
            await here.store.sources.create(source(name=name))
        heard = dict.fromkeys(names, NOON), dict.fromkeys(reversed(names), LATER)
        for _ in range(5):
            await asyncio.gather(here.activity.note(heard[0]), there.activity.note(heard[1]))
        assert await here.activity.last_heard() == heard[1]
