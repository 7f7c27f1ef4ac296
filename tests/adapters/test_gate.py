"""The places of one worker, and the gate over states that are kept in memory."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcall.adapters.gate import MOST, PLACES, Places, SharedGate
from portcall.attempts import AttemptOutcome, AttemptRecord, ResponseRecord
from portcall.errors import StoreUnavailableError
from portcall.health import TargetHealth
from portcall.policies import Target
from portcall.ports import Closed, NotYet, Permit
from tests.fakes import FakeStates

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def target(name: str = "ci", **more: object) -> Target:
    return Target(name=name, url="https://ci.example/hook", **more)


def answered(status: int) -> AttemptRecord:
    outcome = AttemptOutcome.DELIVERED if status == 200 else AttemptOutcome.FAILED
    response = ResponseRecord(status=status)
    return AttemptRecord(number=1, started_at=NOW, outcome=outcome, response=response)


def hang(places: Places, *names: str) -> dict[str, int]:
    """Let targets take all that they can get, in turn, and never give it back."""
    taken = dict.fromkeys(names, 0)
    going = list(names)
    while going:
        for name in tuple(going):
            if places.take(name):
                taken[name] += 1
            else:
                going.remove(name)
    return taken


@given(st.integers(min_value=1, max_value=60), st.integers(min_value=0, max_value=60))
def test_however_many_targets_hang_one_with_nothing_under_way_finds_a_place(
    size: int, hung: int
) -> None:
    places = Places(size)
    hang(places, *(f"hung-{n}" for n in range(min(hung, size))))
    assert places.take("well")


@given(
    st.integers(min_value=1, max_value=20),
    st.lists(st.tuples(st.integers(min_value=0, max_value=30), st.booleans()), max_size=200),
)
def test_in_whatever_order_they_come_and_go_one_with_nothing_under_way_finds_a_place(
    size: int, steps: list[tuple[int, bool]]
) -> None:
    places, taken = Places(size), {}
    for number, comes in steps:
        name = f"target-{number % size}"
        if comes:
            if places.take(name):
                taken[name] = taken.get(name, 0) + 1
            else:
                assert taken.get(name)
        elif taken.get(name):
            places.give_back(name)
            taken[name] -= 1
        assert sum(taken.values()) <= 2 * size


def test_a_hung_target_takes_half_of_the_places_and_two_take_a_third_each() -> None:
    assert hang(Places(), "a") == {"a": PLACES // 2}
    assert hang(Places(), "a", "b") == {"a": 167, "b": 167}


def test_more_than_the_most_are_never_under_way() -> None:
    places = Places()
    taken = hang(places, *map(str, range(3 * PLACES)))
    assert sum(taken.values()) == MOST
    assert not places.take("another")


async def test_a_place_is_given_back_whatever_the_answer() -> None:
    states = FakeStates(known={"off": TargetHealth(disabled_at=NOW, disabled_reason="so")})
    gate = SharedGate(states, places=2)
    for _ in range(5):
        assert isinstance(await gate.enter(target("off"), queued=False), Closed)
    states.available = False
    for _ in range(5):
        with pytest.raises(StoreUnavailableError):
            await gate.enter(target("ci"), queued=False)
    states.available = True
    assert isinstance(await gate.enter(target("ci"), queued=False), Permit)


async def test_who_finds_no_place_waits_and_goes_when_one_is_given_back() -> None:
    gate = SharedGate(FakeStates(), places=2)
    permit = await gate.enter(target(), queued=False)
    answer = await gate.enter(target(), queued=True)
    assert answer == NotYet("this worker has no place left for the target ci")
    assert await gate.leave(permit, answered(200)) == ()
    assert isinstance(await gate.enter(target(), queued=True), Permit)


async def test_leaving_never_fails_and_gives_the_place_back() -> None:
    class Broken(FakeStates):
        async def settle(self, *_: object) -> tuple[()]:
            raise ZeroDivisionError

    for states in (FakeStates(), Broken()):
        gate = SharedGate(states, places=2)
        permit = await gate.enter(target(), queued=False)
        states.available = False
        assert await gate.leave(permit, answered(503)) == ()
        states.available = True
        assert isinstance(await gate.enter(target(), queued=False), Permit)


async def test_what_became_of_the_target_is_told_to_who_leaves() -> None:
    gate = SharedGate(FakeStates())
    permit = await gate.enter(target(), queued=False)
    assert [change.type for change in await gate.leave(permit, answered(410))] == [
        "target.disabled"
    ]


async def test_a_test_event_takes_no_place_and_counts() -> None:
    states = FakeStates()
    gate = SharedGate(states, places=2)
    first = await gate.enter(target(), queued=False)
    await gate.leave(Permit(target(), is_test=True), answered(503))
    assert (await states.health("ci")).failures == 1
    assert isinstance(await gate.enter(target(), queued=False), NotYet)
    await gate.leave(first, None)


async def test_an_attempt_that_is_cancelled_while_it_asks_gives_its_place_back() -> None:
    class Slow(FakeStates):
        async def is_free(self, *_: object) -> bool:
            await asyncio.sleep(60)
            return True

    gate = SharedGate(Slow(), places=2)
    for _ in range(5):
        asked = asyncio.create_task(gate.enter(target(), queued=False))
        await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
    assert gate._places.take("ci")
