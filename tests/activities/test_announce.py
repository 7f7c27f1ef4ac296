from datetime import UTC, datetime

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.admission import Admission
from activities.announce import Announce
from portcall.attempts import Outcome
from portcall.health import HealthChange
from portcall.own_events import OWN_SOURCE, GivenUp
from portcall.policies import Policy, Target
from portcall.ports import Permit
from tests.fakes import FakeEngine, FakeGate, FakeStore
from tests.workflows.scripted import an_event

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GIVEN_UP = GivenUp(
    event=an_event("e1"),
    policy="deploy",
    target="ci",
    outcome=Outcome.REJECTED,
    reason="HTTP 404 is not in retry_on",
    attempts=1,
    http_status=404,
)
TARGET = Target(name="ci", url="https://ci.example")
RECOVERED = HealthChange(type="target.recovered", target="ci", reason="it answers", at=NOW)
RESUMED = RECOVERED.model_copy(update={"type": "target.resumed"})
DISABLED = HealthChange(type="target.disabled", target="ci", reason="HTTP 410", at=NOW)


async def stored(**match: object) -> FakeStore:
    store = FakeStore()
    await store.targets.put(TARGET)
    await store.policies.put(
        Policy.model_validate({"name": "p", "targets": ["ci"], "match": match})
    )
    return store


async def announce(store: FakeStore, engine: FakeEngine) -> str | None:
    return await ActivityEnvironment().run(Announce(store, engine).announce_given_up, GIVEN_UP)


async def test_a_delivery_that_was_given_up_becomes_an_event_where_a_policy_wants_it() -> None:
    engine = FakeEngine()
    event_id = await announce(await stored(sources=["portcall"]), engine)
    [event] = engine.events.values()
    assert (event.id, event.type, event.source) == (event_id, "delivery.rejected", "portcall")
    info = ActivityEnvironment().info
    assert event.attributes["delivery_id"] == info.workflow_id
    assert event.occurred_at == info.scheduled_time


async def test_an_announcement_that_is_made_again_is_the_same_event() -> None:
    store, engine = await stored(sources=["portcall"]), FakeEngine()
    assert await announce(store, engine) == await announce(store, engine)
    assert len(engine.events) == 1


async def test_where_no_policy_names_portcall_nothing_is_started() -> None:
    engine = FakeEngine()
    assert await announce(await stored(), engine) is None
    assert engine.events == {}


async def test_while_the_database_or_temporal_is_away_temporal_tries_again() -> None:
    store, engine = await stored(sources=["portcall"]), FakeEngine(available=False)
    with pytest.raises(ApplicationError) as caught:
        await announce(store, engine)
    assert (caught.value.type, caught.value.non_retryable) == ("EngineUnavailableError", False)
    store.switch.available = False
    with pytest.raises(ApplicationError) as caught:
        await announce(store, engine)
    assert (caught.value.type, caught.value.non_retryable) == ("StoreUnavailableError", False)


async def test_what_temporal_refuses_is_not_tried_again() -> None:
    with pytest.raises(ApplicationError) as caught:
        await announce(await stored(sources=["portcall"]), FakeEngine(refuses=True))
    assert caught.value.non_retryable


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("eu", ["target.disabled", "target.recovered"]),
        # Were recoveries told here, a target that flaps would cause its own events for ever.
        (OWN_SOURCE, ["target.disabled"]),
    ],
)
async def test_what_an_attempt_shows_of_a_target_is_told(source: str, told: list[str]) -> None:
    engine = FakeEngine()
    admission = Admission(FakeGate(changes=(DISABLED, RECOVERED)), engine)
    await ActivityEnvironment().run(admission.leave, Permit(TARGET), None, an_event(source=source))
    assert [event.type for event in engine.events.values()] == told


@pytest.mark.parametrize(
    ("change", "woken"), [(DISABLED, []), (RECOVERED, ["ci"]), (RESUMED, ["ci"])]
)
async def test_the_queue_of_a_target_that_answers_again_does_not_sleep_the_pause_out(
    change: HealthChange, woken: list[str]
) -> None:
    engine = FakeEngine()
    admission = Admission(FakeGate(changes=(change,)), engine)
    await ActivityEnvironment().run(admission.leave, Permit(TARGET), None, an_event())
    assert engine.looked_again == woken
    assert len(engine.events) == (change is not RESUMED)


async def test_what_cannot_be_told_does_not_fail_the_attempt() -> None:
    admission = Admission(FakeGate(changes=(DISABLED, RECOVERED)), FakeEngine(available=False))
    await ActivityEnvironment().run(admission.leave, Permit(TARGET), None, an_event())
