"""What every `TargetStates` does with a gate before it, the fake one included."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from portcall.adapters.database.connections import Connections
from portcall.adapters.database.secret_key import SecretBox
from portcall.adapters.database.store import SqlPolicyStore
from portcall.adapters.database.target_states import SqlTargetStates
from portcall.adapters.gate import SharedGate
from portcall.attempts import (
    AttemptError,
    AttemptOutcome,
    AttemptRecord,
    ErrorType,
    ResponseRecord,
    Timings,
)
from portcall.health import TargetHealth, TargetState
from portcall.limits import BATCH, MANY, lease_time
from portcall.policies import Target
from portcall.ports import Closed, Figures, NotYet, Permit, PolicyStore, Room
from portcall.receiving import Breaker
from tests.adapters.database.conftest import SECRET_KEY
from tests.fakes import FakeStates, FakeStore

SECOND = timedelta(seconds=1)


@dataclass
class Clock:
    """A clock that a test sets; it begins after everything that tests store."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(minutes=1))

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, by: timedelta = SECOND) -> None:
        self.now += by


@dataclass
class Worker:
    """The states and the gate of one worker, and the store beside them."""

    clock: Clock
    store: PolicyStore
    states: SqlTargetStates
    gate: SharedGate

    async def attempts(self, target: Target, *ends: int | ErrorType | None) -> list[str]:
        """Make attempts one after another; give what is told of them."""
        told = []
        for end in ends:
            permit = await self.gate.enter(target, queued=True)
            assert isinstance(permit, Permit)
            self.clock.go_on()
            told += [change.type for change in await self.gate.leave(permit, self.ended(end))]
        return told

    def ended(self, end: int | ErrorType | None, milliseconds: float = 5.0) -> AttemptRecord | None:
        """Make the record of an attempt that ends now with a status or an error."""
        if end is None:
            return None
        timings = Timings(total=milliseconds)
        if isinstance(end, ErrorType):
            why = AttemptError(type=end, message="it went wrong")
            return AttemptRecord(
                number=1, started_at=self.clock(), outcome=AttemptOutcome.FAILED, error=why,
                timings_ms=timings,
            )  # fmt: skip
        outcome = AttemptOutcome.DELIVERED if end == 200 else AttemptOutcome.FAILED
        return AttemptRecord(
            number=1, started_at=self.clock(), outcome=outcome,
            response=ResponseRecord(status=end), timings_ms=timings,
        )  # fmt: skip


@contextlib.asynccontextmanager
async def a_worker(url: str, clock: Clock) -> AsyncIterator[Worker]:
    connections = Connections(url)
    states = SqlTargetStates(connections, clock)
    store = SqlPolicyStore(connections, SecretBox(SECRET_KEY))
    async with states.writer():
        yield Worker(clock, store, states, SharedGate(states))
    await connections.engine.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def worker(contract_url: str | None, clock: Clock) -> AsyncIterator[Worker]:
    if contract_url is None:
        states = FakeStates(clock=clock)
        yield Worker(clock, FakeStore(), states, SharedGate(states))  # type: ignore[arg-type]
        return
    async with a_worker(contract_url, clock) as opened:
        yield opened


async def stored(worker: Worker, name: str = "ci", **more: object) -> Target:
    target = Target(name=name, url="https://ci.example/hook", **more)
    return (await worker.store.targets.put(target)).spec


async def test_of_a_target_that_nothing_was_sent_to_nothing_is_known(worker: Worker) -> None:
    await stored(worker)
    assert await worker.states.health("ci") == TargetHealth()
    assert await worker.states.health("nobody") == TargetHealth()
    assert await worker.states.unhealthy() == {}
    assert await worker.states.reset("ci") == TargetHealth()
    assert await worker.states.figures("ci", worker.clock() - SECOND) == Figures()
    await worker.states.emptied("ci")


async def test_a_failure_is_known_until_a_success(worker: Worker) -> None:
    target = await stored(worker)
    began = worker.clock() + SECOND
    await worker.attempts(target, 404, ErrorType.TIMEOUT)
    health = await worker.states.health("ci")
    assert health == TargetHealth(
        failing_since=began,
        failures=2,
        strikes=1,
        last_failure_at=worker.clock(),
        last_error="timeout: it went wrong",
    )
    assert await worker.states.unhealthy() == {"ci": health}
    assert await worker.attempts(target, 200) == []
    assert (await worker.states.health("ci")).is_healthy
    assert await worker.states.unhealthy() == {}


async def test_a_paused_target_is_tried_by_one_and_recovers(worker: Worker) -> None:
    target = await stored(worker, breaker=Breaker(failures=3))
    assert await worker.attempts(target, 503, 503, 503) == []
    assert (await worker.states.health("ci")).state is TargetState.PAUSED
    answer = await worker.gate.enter(target, queued=False)
    assert isinstance(answer, NotYet)
    assert answer.reason.endswith("UTC: 3 failures in a row, the last: HTTP 503")
    assert await worker.states.room(target) == Room(0, timedelta(seconds=10), answer.reason)
    worker.clock.go_on(timedelta(seconds=10))
    assert (await worker.states.room(target)).now == 1
    first = await worker.gate.enter(target, queued=True)
    assert isinstance(first, Permit)
    assert isinstance(await worker.gate.enter(target, queued=True), NotYet)
    assert (await worker.states.room(target)).now == 0
    worker.clock.go_on()
    [change] = await worker.gate.leave(first, worker.ended(200))
    assert (change.type, change.target) == ("target.recovered", "ci")
    assert (await worker.states.room(target)).now == BATCH
    assert isinstance(await worker.gate.enter(target, queued=False), Permit)


async def test_a_try_that_was_not_sent_leaves_the_turn_to_another(worker: Worker) -> None:
    target = await stored(worker, breaker=Breaker(failures=1))
    await worker.attempts(target, 503)
    worker.clock.go_on(timedelta(seconds=10))
    assert await worker.attempts(target, None, None, 200) == ["target.recovered"]


async def test_the_turn_of_a_worker_that_died_while_it_tried_passes_on(worker: Worker) -> None:
    target = await stored(worker, breaker=Breaker(failures=1))
    await worker.attempts(target, 503)
    worker.clock.go_on(timedelta(seconds=10))
    assert isinstance(await worker.gate.enter(target, queued=True), Permit)
    worker.clock.go_on(lease_time(target))
    assert isinstance(await worker.gate.enter(target, queued=True), Permit)


async def test_a_disabled_target_is_closed_until_it_is_reset(worker: Worker) -> None:
    target = await stored(worker)
    assert await worker.attempts(target, 410) == ["target.disabled"]
    assert await worker.gate.enter(target, queued=False) == Closed(
        "Portcall has disabled the target ci: it answered 410 Gone"
    )
    assert (await worker.states.room(target)).now == MANY
    was = await worker.states.reset("ci")
    assert was.disabled_reason == "it answered 410 Gone"
    assert await worker.states.health("ci") == TargetHealth()
    assert isinstance(await worker.gate.enter(target, queued=False), Permit)


async def test_the_attempts_of_a_target_are_limited_and_the_rest_is_queued(worker: Worker) -> None:
    target = await stored(worker, max_concurrent=2)
    permits = [await worker.gate.enter(target, queued=False) for _ in range(2)]
    assert all(isinstance(permit, Permit) for permit in permits)
    assert (await worker.states.room(target)).now == 0
    assert isinstance(await worker.gate.enter(target, queued=False), NotYet)
    await worker.gate.leave(permits[0], worker.ended(200))  # type: ignore[arg-type]
    assert (await worker.states.room(target)).now == 1
    answer = await worker.gate.enter(target, queued=False)
    assert answer == NotYet("others are queued for the target ci")
    assert isinstance(await worker.gate.enter(target, queued=True), Permit)
    await worker.gate.leave(permits[1], None)  # type: ignore[arg-type]
    await worker.states.emptied("ci")
    assert isinstance(await worker.gate.enter(target, queued=False), Permit)


async def test_leases_of_a_worker_that_died_run_out(worker: Worker) -> None:
    target = await stored(worker, max_concurrent=1)
    await worker.gate.enter(target, queued=True)
    worker.clock.go_on(lease_time(target) - SECOND)
    assert isinstance(await worker.gate.enter(target, queued=True), NotYet)
    worker.clock.go_on()
    assert (await worker.states.room(target)).now == 1
    assert isinstance(await worker.gate.enter(target, queued=True), Permit)
    assert isinstance(await worker.gate.enter(target, queued=True), NotYet)


async def test_a_rate_is_kept(worker: Worker) -> None:
    target = await stored(worker, rate="4/s")
    let_in = 0
    for _ in range(40):
        let_in += isinstance(await worker.gate.enter(target, queued=True), Permit)
        worker.clock.go_on(timedelta(milliseconds=100))
    assert let_in == 4 + 4 * 4 - 1


async def test_the_figures_are_those_of_what_was_sent(worker: Worker) -> None:
    target = await stored(worker)
    began = worker.clock()
    for number in range(1, 101):
        permit = await worker.gate.enter(target, queued=False)
        assert isinstance(permit, Permit)
        end = 200 if number % 4 else 404
        await worker.gate.leave(permit, worker.ended(end, number))
    await worker.attempts(target, ErrorType.CONNECT, ErrorType.INTERNAL, None)
    found = await worker.states.figures("ci", began)
    assert (found.attempts, found.delivered) == (101, 75)
    assert found.p50 == pytest.approx(50, rel=0.06)
    assert found.p90 == pytest.approx(90, rel=0.06)
    assert found.p99 == pytest.approx(99, rel=0.06)
    worker.clock.go_on(timedelta(minutes=10))
    assert await worker.states.figures("ci", worker.clock()) == Figures()
    await worker.attempts(target, 200)
    assert (await worker.states.figures("ci", worker.clock() - SECOND)).attempts == 1
    assert (await worker.states.figures("ci", began)).attempts == 102
