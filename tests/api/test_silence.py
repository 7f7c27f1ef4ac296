import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from api.silence import Pace, Silence
from portcall.auth import NoAuth
from portcall.policies import Source
from tests.api.conftest import Backend
from tests.fakes import FakeSourceActivity
from tests.fixtures.portcall import push

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOON - timedelta(days=9)
HOUR = timedelta(hours=1)
PACE = Pace()
MOMENT = timedelta(milliseconds=10)
QUICK = Pace(note=MOMENT, look=MOMENT, slack=timedelta(), grace=timedelta())


class Watched:
    """A watcher of sources that were made at noon."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.activity = FakeSourceActivity(backend.store)
        self.silence = self.another_process()

    def another_process(self) -> Silence:
        store = self.backend.store
        return Silence(store.sources, self.activity, self.backend.services().intake)

    async def put(self, name: str = "eu", **changes: object) -> None:
        spec = Source.model_validate(
            {"name": name, "kind": "harbor", "auth": NoAuth(), "silent_after": "1h", **changes}
        )
        await self.backend.store.sources.put(spec)
        rows = self.backend.store.sources.rows
        rows[name] = replace(rows[name], created_at=NOON, updated_at=NOON)

    async def look(self, after: timedelta, started_at: datetime = LONG_AGO) -> list[str]:
        """Look so long after noon; give what has been told of by now."""
        await self.silence.look(NOON + after, started_at, PACE)
        return self.told()

    def told(self) -> list[str]:
        return [event.attributes["since"] for event in self.backend.engine.events.values()]


@pytest.fixture
async def watched(backend: Backend) -> Watched:
    watched = Watched(backend)
    await watched.put()
    return watched


async def test_a_source_that_was_never_heard_counts_from_when_it_was_made(
    watched: Watched,
) -> None:
    assert await watched.look(HOUR + PACE.slack) == []
    assert await watched.look(HOUR + PACE.slack + timedelta(seconds=1)) == [NOON.isoformat()]
    [event] = watched.backend.engine.events.values()
    assert (event.type, event.attributes["source"]) == ("source.silent", "eu")


async def test_a_silence_is_told_once_by_however_many_processes(watched: Watched) -> None:
    for hours in (2, 3, 4):
        assert len(await watched.look(hours * HOUR)) == 1
    watched.silence = watched.another_process()
    assert len(await watched.look(5 * HOUR)) == 1


async def test_a_source_that_was_heard_again_and_falls_silent_again_is_told_again(
    watched: Watched,
) -> None:
    await watched.look(2 * HOUR)
    later = NOON + 3 * HOUR
    await watched.activity.note({"eu": later})
    assert len(await watched.look(3.9 * HOUR)) == 1
    assert await watched.look(5 * HOUR) == [NOON.isoformat(), later.isoformat()]


async def test_who_changes_a_source_starts_its_time_anew(watched: Watched) -> None:
    await watched.activity.note({"eu": NOON - HOUR})
    assert await watched.look(0.9 * HOUR) == []


@pytest.mark.parametrize("changes", [{"enabled": False}, {"silent_after": None}])
async def test_a_source_that_is_off_or_may_be_silent_is_not_watched(
    watched: Watched, changes: dict[str, Any]
) -> None:
    await watched.put(**changes)
    assert await watched.look(99 * HOUR) == []


async def test_after_its_own_start_portcall_first_listens_for_a_while(watched: Watched) -> None:
    started_at = NOON + 2 * HOUR
    assert await watched.look(2 * HOUR + PACE.grace / 2, started_at) == []
    assert len(await watched.look(2 * HOUR + PACE.grace, started_at)) == 1


async def test_what_was_heard_is_noted_even_after_an_outage_of_the_database(
    watched: Watched,
) -> None:
    watched.silence.heard("eu")
    watched.backend.store.switch.available = False
    with capture_logs() as logs:
        await watched.silence._turn(None, PACE)
    assert "does not answer" in logs[0]["why"]
    watched.backend.store.switch.available = True
    await watched.silence.note()
    assert list(watched.activity.heard) == ["eu"]


async def test_where_neither_temporal_nor_the_database_takes_it_it_is_told_later(
    watched: Watched,
) -> None:
    watched.backend.engine.available = watched.backend.inbox.switch.available = False
    with capture_logs():
        await watched.silence._turn(LONG_AGO, PACE)
    assert watched.told() == []
    watched.backend.engine.available = True
    watched.silence = watched.another_process()
    assert len(await watched.look(2 * HOUR)) == 1


async def test_what_is_heard_is_noted_and_looked_at_until_the_end(watched: Watched) -> None:
    watched.silence.heard("eu")
    running = asyncio.create_task(watched.silence.run(QUICK))
    async with asyncio.timeout(5):
        while not watched.activity.heard:
            await asyncio.sleep(0.005)
        watched.activity.heard["eu"] = NOON
        while not watched.told():
            await asyncio.sleep(0.005)
    await watched.put("us")
    watched.silence.heard("us")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert set(watched.activity.heard) == {"eu", "us"}


LISTENING = Pace(MOMENT, MOMENT, slack=timedelta(seconds=0.2), grace=timedelta(seconds=0.5))


@contextlib.asynccontextmanager
async def watching(watched: Watched, pace: Pace) -> AsyncIterator[None]:
    running = asyncio.create_task(watched.silence.run(pace))
    try:
        yield
        async with asyncio.timeout(5):
            while not watched.told():
                await asyncio.sleep(0.005)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_after_an_outage_of_the_database_portcall_first_listens_for_a_while(
    watched: Watched,
) -> None:
    """What other processes heard meanwhile is not in it yet."""
    watched.backend.store.switch.available = False
    with capture_logs():
        async with watching(watched, LISTENING):
            await asyncio.sleep(0.6)
            watched.backend.store.switch.available = True
            await asyncio.sleep(0.2)
            assert watched.told() == []


async def test_a_process_that_stood_still_first_listens_for_a_while(watched: Watched) -> None:
    watched.activity.heard = {"eu": datetime.now(UTC)}
    with capture_logs():
        async with watching(watched, LISTENING):
            await asyncio.sleep(0.6)
            watched.activity.heard = {"eu": NOON}
            time.sleep(0.4)  # noqa: ASYNC251  # nothing else may run
            await asyncio.sleep(0.2)
            assert watched.told() == []


async def test_a_fault_of_ours_does_not_end_the_watch(watched: Watched) -> None:
    watched.activity.heard = {"eu": "noon"}  # type: ignore[dict-item]
    with capture_logs() as logs:
        await watched.silence._turn(LONG_AGO, PACE)
    assert logs[0]["event"] == "looking for silent sources failed"


async def test_only_what_was_accepted_counts_as_heard(backend: Backend) -> None:
    await backend.store.sources.create(Source(name="dist", kind="distribution", auth=NoAuth()))
    strict = Source(name="strict", kind="distribution", auth=NoAuth(), strict=True)
    await backend.store.sources.create(strict)
    async with backend.client() as api:
        services = api._transport.app.state.services  # type: ignore[attr-defined]
        assert (await api.post("/notifications/dist", json=push())).status_code == 202
        assert (await api.post("/notifications/strict", content=b"{")).status_code == 400
        assert (await api.post("/notifications/nobody", json=push())).status_code == 404
        await services.silence.note()
    assert list(services.activity.heard) == ["dist"]
