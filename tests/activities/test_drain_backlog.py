import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities.drain_backlog import FEWEST, DrainBacklog, Drained, DrainInput
from activities.heartbeats import HEARTBEAT_SECONDS
from activities.oldest_first import MOST, oldest_first
from portcall.ids import OUTCOME
from portcall.policies import Target
from tests.fakes import FakeStore
from tests.workflows.test_backlog import ScriptedStates

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
BOUND = re.compile(r"StartTime (<=|>) '([^']+)'")


@dataclass(frozen=True)
class Queued:
    """A delivery as Temporal describes it; `goes` is what a signal does to it."""

    run_id: str
    start_time: datetime
    outcome: str = "queued"
    status: WorkflowExecutionStatus = WorkflowExecutionStatus.RUNNING
    pending: bool = False
    goes: bool = True

    @property
    def id(self) -> str:
        return self.run_id

    @property
    def typed_search_attributes(self) -> Any:
        return {OUTCOME: self.outcome}

    @property
    def raw_description(self) -> Any:
        return SimpleNamespace(
            pending_activities=["attempt"] if self.pending else [], HasField=lambda _: False
        )


@dataclass
class Engine:
    """A client of Temporal with these deliveries, in no order; it notes how much it is asked."""

    deliveries: dict[str, Queued] = field(default_factory=dict)
    refusal: RPCStatusCode | None = None
    signalled: list[str] = field(default_factory=list)
    asked: str = ""
    counts: int = 0
    largest: int = 0
    takes: float = 0

    def _found(self, query: str) -> list[Queued]:
        found = [d for d in self.deliveries.values() if d.outcome == "queued"]
        for sign, text in BOUND.findall(query):
            bound = datetime.fromisoformat(text)
            found = [d for d in found if (d.start_time > bound) is (sign == ">")]
        return sorted(found, key=lambda d: d.run_id)

    async def count_workflows(self, query: str) -> Any:
        await asyncio.sleep(self.takes)
        self.counts += 1
        self.asked = query
        return SimpleNamespace(count=len(self._found(query)))

    async def list_workflows(self, query: str) -> AsyncIterator[Queued]:
        found = self._found(query)
        self.largest = max(self.largest, len(found))
        for delivery in found:
            yield delivery

    def get_workflow_handle(self, workflow_id: str, *, run_id: str) -> Any:
        del workflow_id

        async def describe() -> Queued:
            if self.refusal:
                raise RPCError("refused", self.refusal, b"")
            return self.deliveries[run_id]

        async def signal(name: str) -> None:
            assert name == "retry_now"
            self.signalled.append(run_id)
            if self.deliveries[run_id].goes:
                self.deliveries[run_id] = replace(self.deliveries[run_id], outcome="delivering")

        return SimpleNamespace(describe=describe, signal=signal)


def an_engine(*ages: float, **fields: Any) -> Engine:
    """Give an engine with deliveries that started so many seconds ago, named by their place."""
    now = datetime.now(UTC)
    deliveries = [
        Queued(f"{number:05d}", now - timedelta(seconds=age), **fields)
        for number, age in enumerate(ages)
    ]
    return Engine({delivery.run_id: delivery for delivery in deliveries})


async def drained(
    engine: Engine,
    *rooms: int,
    target: Target | None = None,
    budget: float = 0,
    waited: float = 0,
    again_in: timedelta = timedelta(milliseconds=20),
    on_heartbeat: Callable[..., None] = lambda *_: None,
    **known: Any,
) -> tuple[Drained, ScriptedStates]:
    store, states = FakeStore(), ScriptedStates(*rooms, again_in=again_in)
    if target:
        await store.targets.put(target)
    drain = DrainBacklog(store, states, budget=timedelta(seconds=budget))  # type: ignore[arg-type]
    environment = ActivityEnvironment(client=engine)  # type: ignore[arg-type]
    environment.on_heartbeat = on_heartbeat
    started = environment.info.started_time
    environment.info = replace(
        environment.info,
        current_attempt_scheduled_time=started - timedelta(seconds=waited),
    )
    given = DrainInput(target="ci", **known)
    return await environment.run(drain.drain_backlog, given), states


CI = Target(name="ci", url="https://ci.example/hook")


async def test_the_oldest_are_told_to_go_as_many_as_there_is_room_for() -> None:
    engine = an_engine(10, 40, 30, 20)
    found, states = await drained(engine, 2, target=CI)
    assert engine.signalled == ["00001", "00002"]
    assert (found.signalled, found.left) == (2, 2)
    assert found.again_in == timedelta(milliseconds=20)
    assert states.emptied_at == []
    assert "Target = 'ci' AND Outcome = 'queued' AND ExecutionStatus = 'Running'" in engine.asked


async def test_it_goes_on_for_as_long_as_its_budget_allows() -> None:
    engine = an_engine(10, 40, 30, 20)
    found, states = await drained(engine, 1, target=CI, budget=0.5)
    assert engine.signalled == ["00001", "00002", "00003", "00000"]
    assert (found.signalled, found.left) == (4, 0)
    assert states.emptied_at == [4]


async def test_a_look_that_takes_its_time_is_not_taken_for_dead() -> None:
    engine, beats = an_engine(10), list[int]()
    engine.takes = HEARTBEAT_SECONDS * 1.5
    await drained(engine, 1, target=CI, on_heartbeat=lambda *_: beats.append(engine.counts))
    assert beats == [0]
    assert engine.signalled == ["00000"]


async def test_an_empty_queue_is_told_of() -> None:
    found, states = await drained(an_engine(), 5, target=CI)
    assert (found.signalled, found.left) == (0, 0)
    assert states.emptied_at == [1]


async def test_without_room_nothing_is_read_but_their_number() -> None:
    engine = an_engine(*range(50))
    found, _ = await drained(engine, 0, target=CI)
    assert found.left == 50
    assert found.again_in == timedelta(milliseconds=20)
    assert (engine.counts, engine.largest) == (1, 0)


async def test_however_long_a_pause_it_looks_again_within_minutes() -> None:
    found, _ = await drained(an_engine(10), 0, target=CI, again_in=timedelta(hours=24))
    assert found.again_in == timedelta(minutes=5)


@pytest.mark.parametrize(
    "gone",
    [
        {"outcome": "queued", "status": WorkflowExecutionStatus.COMPLETED},
        {"pending": True},
    ],
)
async def test_one_that_the_search_shows_though_it_is_on_its_way_is_passed_over(gone: Any) -> None:
    engine = an_engine(40, 30)
    engine.deliveries["00000"] = replace(engine.deliveries["00000"], **gone)
    found, _ = await drained(engine, 1, target=CI)
    assert engine.signalled == ["00001"]
    assert (found.signalled, found.left) == (1, 0)


async def test_one_that_ended_since_it_was_found_is_passed_over() -> None:
    engine = an_engine(40, 30)
    engine.refusal = RPCStatusCode.NOT_FOUND
    found, _ = await drained(engine, 1, target=CI)
    assert (found.signalled, engine.signalled) == (0, [])


async def test_an_outage_fails_the_walk_so_that_temporal_repeats_it() -> None:
    engine = an_engine(40, 30)
    engine.refusal = RPCStatusCode.UNAVAILABLE
    with pytest.raises(RPCError):
        await drained(engine, 1, target=CI)


@pytest.mark.parametrize(
    "target", [None, CI.model_copy(update={"enabled": False, "while_disabled": "hold"})]
)
async def test_where_the_target_is_gone_or_switched_off_all_find_out(target: Target | None) -> None:
    engine = an_engine(30, 20, 10)
    found, states = await drained(engine, 0, target=target)
    assert engine.signalled == ["00000", "00001", "00002"]
    assert found.left == 0
    assert states.looks == 0


async def test_few_go_at_first_and_twice_as_many_in_the_next_run() -> None:
    engine = an_engine(*range(100, 0, -1))
    found, _ = await drained(engine, 1000, target=CI)
    assert found.signalled == FEWEST
    found, _ = await drained(engine, 1000, target=CI, at_once=found.at_once)
    assert found.signalled == 2 * FEWEST
    assert engine.signalled == [f"{number:05d}" for number in range(3 * FEWEST)]


async def test_fewer_go_where_workers_are_busy_and_where_they_come_back() -> None:
    engine = an_engine(*range(100, 0, -1))
    found, _ = await drained(engine, 1000, target=CI, at_once=40, waited=2)
    assert found.signalled == 10
    many = an_engine(*range(100, 0, -1), goes=False)
    found, _ = await drained(many, 1000, target=CI, at_once=100, budget=1.2)
    assert 100 < len(many.signalled) < 110
    assert found.at_once < FEWEST


async def in_order(engine: Engine, since: datetime | None) -> list[str]:
    walk = oldest_first(
        engine,  # type: ignore[arg-type]
        "",
        count=len(engine.deliveries),
        since=since,
        until=NOW,
    )
    return [delivery.run_id async for found, _ in walk for delivery in found]


AGES = st.one_of(st.floats(0, 60), st.floats(0, 86_400), st.floats(0, 86_400 * 400))


@given(st.lists(AGES, max_size=60), st.none() | AGES)
async def test_any_queue_is_walked_over_whole_and_in_order(
    ages: list[float], since: float | None
) -> None:
    engine = Engine()
    for number, age in enumerate(ages * 10 if len(ages) > 50 else ages):
        started = NOW - timedelta(seconds=age, microseconds=number)
        engine.deliveries[str(number)] = Queued(str(number), started)
    expected = sorted(
        engine.deliveries.values(), key=lambda delivery: (delivery.start_time, delivery.run_id)
    )
    hint = None if since is None else NOW - timedelta(seconds=since)
    assert await in_order(engine, hint) == [delivery.run_id for delivery in expected]


@pytest.mark.parametrize("known", [True, False])
async def test_of_a_very_long_queue_only_the_head_is_read(known: bool) -> None:
    engine = an_engine(*(3 * number for number in range(10_000, 0, -1)))
    oldest = engine.deliveries["00000"].start_time
    found, _ = await drained(engine, 5, target=CI, oldest=oldest if known else None)
    assert engine.signalled == [f"{number:05d}" for number in range(5)]
    assert engine.largest <= MOST
    assert engine.counts < 20
    assert found.left == 9_995
    assert found.oldest == oldest
