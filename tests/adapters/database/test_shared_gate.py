"""Two workers on one database: what each lets in holds over both."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select, update

from portcall.adapters.database.tables import (
    changes,
    target_figures,
    target_health,
    target_leases,
    targets,
)
from portcall.errors import StoreUnavailableError
from portcall.health import TargetHealth
from portcall.policies import Target
from portcall.ports import Closed, NotYet, Permit
from portcall.receiving import Breaker
from tests.adapters.database.test_target_states import SECOND, Clock, Worker, a_worker, stored
from tests.fixtures.postgres import PostgresServer

one_database = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=8
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def here(clean_url: str, clock: Clock) -> AsyncIterator[Worker]:
    async with a_worker(clean_url, clock) as worker:
        yield worker


@pytest.fixture
async def there(clean_url: str, clock: Clock) -> AsyncIterator[Worker]:
    async with a_worker(clean_url, clock) as worker:
        yield worker


@contextlib.contextmanager
def statements(worker: Worker) -> Any:
    """Collect what a worker asks the database."""
    asked: list[str] = []
    engine = worker.states._connections.engine.sync_engine

    def note(*call: Any) -> None:
        asked.append(call[2])

    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


async def scalar(worker: Worker, wanted: Any) -> Any:
    async with worker.states._connections.reading() as connection:
        return await connection.scalar(wanted)


async def test_never_more_than_max_concurrent_are_under_way_in_both(
    here: Worker, there: Worker
) -> None:
    target = await stored(here, max_concurrent=3)
    under_way = most = done = 0
    chance = random.Random(5)  # noqa: S311

    async def deliver(worker: Worker) -> None:
        nonlocal under_way, most, done
        while not isinstance(permit := await worker.gate.enter(target, queued=True), Permit):
            await asyncio.sleep(0.005)
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(chance.uniform(0, 0.01))
        under_way -= 1
        await worker.gate.leave(permit, worker.ended(chance.choice([200, 503, 404])))
        done += 1

    await asyncio.gather(*(deliver(worker) for worker in (here, there) * 12))
    assert (most, done) == (3, 24)
    assert await scalar(here, select(func.count()).select_from(target_leases)) == 0


async def test_the_rate_holds_over_both(here: Worker, there: Worker) -> None:
    target = await stored(here, rate="5/s")
    let_in = 0
    for _ in range(20):
        answers = await asyncio.gather(
            *(worker.gate.enter(target, queued=True) for worker in (here, there) * 2)
        )
        let_in += sum(isinstance(answer, Permit) for answer in answers)
        here.clock.go_on(timedelta(milliseconds=100))
    assert let_in == 5 + 9


@one_database
@given(st.lists(st.sampled_from([200, 503, 404, 410, None]), min_size=2, max_size=8))
async def test_only_one_tries_after_a_pause_whoever_asks(
    here: Worker, there: Worker, ends: list[int | None]
) -> None:
    target = await stored(here, breaker=Breaker(failures=1))
    await here.states.reset("ci")
    await here.attempts(target, 503)
    for end in ends:
        health = await here.states.health("ci")
        if health.disabled_at or not health.paused_until:
            break
        here.clock.now = max(here.clock.now, health.paused_until)
        await there.states._read()
        answers = await asyncio.gather(
            *(worker.gate.enter(target, queued=True) for worker in (here, there) * 4)
        )
        [permit] = [answer for answer in answers if isinstance(answer, Permit)]
        await there.gate.leave(permit, there.ended(end))


async def test_no_failure_is_lost_and_each_change_is_told_once(here: Worker, there: Worker) -> None:
    target = await stored(here)
    permits = [await here.gate.enter(target, queued=False) for _ in range(30)]
    ends = [503] * 26 + [410] * 4
    random.Random(5).shuffle(ends)  # noqa: S311
    told = await asyncio.gather(
        *(
            worker.gate.leave(permit, worker.ended(end))
            for worker, permit, end in zip((here, there) * 15, permits, ends, strict=True)
            if isinstance(permit, Permit)
        )
    )
    assert [change.type for found in told for change in found] == ["target.disabled"]
    await here.states.reset("ci")
    permits = [await here.gate.enter(target, queued=False) for _ in range(30)]
    await asyncio.gather(
        *(
            worker.gate.leave(permit, worker.ended(503))
            for worker, permit in zip((here, there) * 15, permits, strict=True)
            if isinstance(permit, Permit)
        )
    )
    assert (await there.states.health("ci")).failures == 30


async def test_what_one_worker_learns_the_other_knows_a_second_later(
    here: Worker, there: Worker
) -> None:
    target = await stored(here)
    assert isinstance(await there.gate.enter(target, queued=False), Permit)
    await here.attempts(target, 410)
    async with asyncio.timeout(3):
        while not isinstance(await there.gate.enter(target, queued=False), Closed):
            await asyncio.sleep(0.1)
    await here.states.reset("ci")
    assert isinstance(await there.gate.enter(target, queued=False), Permit)


async def test_a_healthy_target_without_limits_costs_no_query_and_no_write(here: Worker) -> None:
    target = await stored(here)
    await here.attempts(target, 200)
    with statements(here) as asked:
        await here.attempts(target, *[200] * 50)
    assert asked == []


async def test_a_change_of_the_target_begins_anew_and_the_same_again_does_not(
    here: Worker, there: Worker
) -> None:
    target = await stored(here)
    await here.attempts(target, 410)
    await stored(there)
    assert (await here.states.health("ci")).disabled_at
    changed = await stored(there, headers={"X-Team": "a"})
    assert await here.states.health("ci") == TargetHealth()
    assert isinstance(await here.gate.enter(changed, queued=False), Permit)


async def test_an_attempt_that_began_before_the_change_is_not_held_against_it(
    here: Worker,
) -> None:
    target = await stored(here)
    permit = await here.gate.enter(target, queued=False)
    assert isinstance(permit, Permit)
    gone = here.ended(410)
    async with here.states._connections.writing() as connection:
        later = here.clock() + SECOND
        await connection.execute(update(targets).values(updated_at=later))
    assert await here.gate.leave(permit, gone) == ()
    assert await here.states.health("ci") == TargetHealth()


async def test_what_is_noted_of_targets_is_no_change_of_the_configuration(here: Worker) -> None:
    target = await stored(here, rate="10/s", max_concurrent=2)
    before = await scalar(here, select(changes.c.counter))
    await here.attempts(target, 503, 200, 410)
    await here.states.reset("ci")
    await here.states.figures("ci", here.clock())
    assert await scalar(here, select(changes.c.counter)) == before


async def test_a_target_that_is_deleted_takes_all_with_it(here: Worker) -> None:
    target = await stored(here, max_concurrent=2)
    permits = [await here.gate.enter(target, queued=False) for _ in range(2)]
    await here.gate.leave(permits[0], here.ended(503))  # type: ignore[arg-type]
    await here.states.figures("ci", here.clock())
    await here.store.targets.delete("ci")
    for table in (target_health, target_leases, target_figures):
        assert await scalar(here, select(func.count()).select_from(table)) == 0
    assert await here.gate.leave(permits[1], here.ended(410)) == ()  # type: ignore[arg-type]
    assert isinstance(await here.gate.enter(target, queued=False), Permit)
    await here.states.figures("ci", here.clock())
    assert await here.states.health("ci") == TargetHealth()


async def test_targets_are_changed_and_deleted_while_attempts_are_under_way(
    here: Worker, there: Worker
) -> None:
    async def deliver(worker: Worker, target: Target) -> None:
        permit = await worker.gate.enter(target, queued=True)
        if isinstance(permit, Permit):
            await worker.gate.leave(permit, worker.ended(503))

    async def change(worker: Worker) -> None:
        for number in range(4):
            await stored(worker, "a", max_concurrent=50, description=f"{number}")
            await worker.store.targets.delete("a")

    one, other = await stored(here, "a", max_concurrent=50), await stored(here, "b", rate="99/s")
    for _ in range(5):
        done = await asyncio.gather(
            *(deliver(w, t) for w in (here, there) for t in (one, other) * 5), change(here)
        )
    assert set(done) == {None}


async def test_who_is_cancelled_while_it_asks_keeps_no_lease(here: Worker) -> None:
    target = await stored(here, max_concurrent=1)
    for _ in range(3):
        asked = asyncio.create_task(here.gate.enter(target, queued=True))
        await asyncio.sleep(0.002)
        asked.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            permit = await asked
            await here.gate.leave(permit, None)  # type: ignore[arg-type]
    async with asyncio.timeout(2):
        while not isinstance(await here.gate.enter(target, queued=True), Permit):
            await asyncio.sleep(0.01)


async def test_a_success_before_this_worker_knew_of_a_failure_elsewhere_is_told_later(
    here: Worker, there: Worker
) -> None:
    target = await stored(here)
    await there.attempts(target, 200)
    await here.attempts(target, 503)
    assert there.states._unhealthy == {}
    here.clock.go_on()
    await there.attempts(target, 200)
    await there.states._read()
    async with asyncio.timeout(2):
        while not (await here.states.health("ci")).is_healthy:
            await asyncio.sleep(0.01)


async def test_a_try_that_succeeds_ends_the_pause_though_this_worker_did_not_know_of_it(
    here: Worker, there: Worker
) -> None:
    target = await stored(here, max_concurrent=1, breaker=Breaker(failures=1))
    await there.attempts(target, 200)
    await here.attempts(target, 503)
    assert there.states._unhealthy == {}
    here.clock.go_on(timedelta(seconds=10))
    assert await there.attempts(target, 200) == ["target.recovered"]
    assert (await here.states.health("ci")).is_healthy


async def test_the_last_success_is_known_of_a_healthy_target_too(
    here: Worker, there: Worker
) -> None:
    target = await stored(here)
    await here.attempts(target, 200)
    await here.states.figures("ci", here.clock())
    assert (await there.states.health("ci")).last_success_at == here.clock()


async def test_figures_add_up_over_both_and_are_forgotten_after_a_week(
    here: Worker, there: Worker, clean_url: str, clock: Clock
) -> None:
    target = await stored(here)
    began = here.clock()
    await here.attempts(target, 200, 503)
    await there.attempts(target, 200)
    await there.states.figures("ci", began)
    found = await here.states.figures("ci", began)
    assert (found.attempts, found.delivered) == (3, 2)
    here.clock.go_on(timedelta(days=8))
    async with a_worker(clean_url, clock) as another:
        await another.attempts(target, 200)
    assert (await here.states.figures("ci", began)).attempts == 1


async def test_what_is_written_of_a_target_does_not_stay_in_memory(here: Worker) -> None:
    await here.attempts(await stored(here), 200)
    await here.states.figures("ci", here.clock())
    here.clock.go_on(timedelta(minutes=6))
    await here.attempts(await stored(here, "other"), 200)
    await here.states.figures("ci", here.clock())
    await here.states._read()
    assert {name for name, _ in here.states._figures._sums} == {"other"}
    assert here.states._succeeded.keys() == {"other"}


async def test_while_the_database_is_away_only_who_needs_it_is_refused(
    postgres: PostgresServer, clean_postgres_url: str, clock: Clock
) -> None:
    async with a_worker(clean_postgres_url, clock) as worker:
        free, limited = await stored(worker), await stored(worker, "slow", max_concurrent=1)
        permit = await worker.gate.enter(free, queued=False)
        leased = await worker.gate.enter(limited, queued=False)
        assert isinstance(permit, Permit)
        assert isinstance(leased, Permit)
        postgres.stop()
        try:
            worker.states._read_at -= 2
            assert isinstance(await worker.gate.enter(free, queued=False), Permit)
            worker.states._read_at -= 60
            assert isinstance(await worker.gate.enter(free, queued=False), Permit)
            with pytest.raises(StoreUnavailableError):
                await worker.gate.enter(limited, queued=False)
            assert await worker.gate.leave(leased, worker.ended(200)) == ()
            assert await worker.gate.leave(permit, worker.ended(503)) == ()
        finally:
            postgres.start()
        assert isinstance(await worker.gate.enter(limited, queued=False), NotYet)
        assert (await worker.states.figures("slow", worker.clock() - SECOND)).attempts == 1


async def test_a_worker_that_knows_nothing_yet_refuses_while_the_database_is_away(
    postgres: PostgresServer, clean_postgres_url: str, clock: Clock
) -> None:
    async with a_worker(clean_postgres_url, clock) as worker:
        target = await stored(worker)
        postgres.stop()
        try:
            with pytest.raises(StoreUnavailableError):
                await worker.gate.enter(target, queued=False)
        finally:
            postgres.start()
        assert isinstance(await worker.gate.enter(target, queued=False), Permit)


async def test_a_fault_in_deciding_is_told_and_stops_nobody_else(here: Worker) -> None:
    await stored(here)

    def broken(*_: object) -> Any:
        raise ZeroDivisionError

    with pytest.raises(StoreUnavailableError, match="could not be written"):
        await here.states._ledger.submit("ci", broken)
    assert await here.states.reset("ci") == TargetHealth()


async def test_what_was_asked_for_before_the_end_is_written(clean_url: str, clock: Clock) -> None:
    async with a_worker(clean_url, clock) as worker:
        target = await stored(worker)
        permit = await worker.gate.enter(target, queued=False)
        leaving = asyncio.create_task(worker.gate.leave(permit, worker.ended(503)))  # type: ignore[arg-type]
        await asyncio.sleep(0)
    await leaving
    async with a_worker(clean_url, clock) as another:
        assert (await another.states.health("ci")).failures == 1
        began = datetime.now(UTC) - timedelta(hours=1)
        assert (await another.states.figures("ci", began)).attempts == 1
