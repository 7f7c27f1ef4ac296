from datetime import UTC, datetime

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.admission import Admission
from activities.attempt_delivery import AttemptDelivery, AttemptInput
from activities.sending import Sender
from portcall.attempts import AttemptOutcome, AttemptRecord, Timings
from portcall.formats.known import load_formats
from portcall.health import RESUMED, HealthChange
from portcall.pings import PING_POLICY, ping_event
from portcall.policies import Target
from portcall.ports import Closed, Exchange, NotYet, OutgoingRequest, ReceivedResponse
from tests.fakes import FakeAccessTokens, FakeEngine, FakeGate, FakeStore

RESUMED_NOW = HealthChange(type=RESUMED, target="ci", reason="it is there", at=datetime.now(UTC))
ENTRY_REFUSED = [NotYet("it is paused"), Closed("it answered 410 Gone")]


class Answering:
    """A `Transport` that answers 204 and remembers the requests."""

    def __init__(self) -> None:
        self.requests: list[OutgoingRequest] = []

    async def send(self, request: OutgoingRequest) -> Exchange:
        self.requests.append(request)
        return Exchange(ReceivedResponse(204, (), b"", truncated=False), None, Timings(), None)


async def attempt(
    gate: FakeGate,
    network: Answering,
    policy: str = PING_POLICY,
    engine: FakeEngine | None = None,
) -> AttemptRecord:
    store, engine = FakeStore(), engine or FakeEngine()
    await store.targets.create(Target(name="ci", url="https://ci.example"))
    sender = Sender(network, FakeAccessTokens())
    activity = AttemptDelivery(store, sender, load_formats(), Admission(gate, engine))
    given = AttemptInput(
        event=ping_event("ci", datetime.now(UTC)),
        policy=policy,
        target="ci",
        format="default",
        number=1,
    )
    return await ActivityEnvironment().run(activity.attempt_delivery, given)


@pytest.mark.parametrize("answer", ENTRY_REFUSED, ids=["paused", "disabled"])
async def test_a_test_event_goes_past_a_closed_gate_and_what_it_shows_counts(answer):
    gate, network = FakeGate(answer), Answering()
    record = await attempt(gate, network)
    assert record.outcome is AttemptOutcome.DELIVERED
    assert len(network.requests) == 1
    assert [seen and seen.http_status for seen in gate.left] == [204]


async def test_a_test_event_that_ends_a_pause_has_the_queue_look_again():
    """It sleeps until the pause would have been over."""
    engine, gate = FakeEngine(), FakeGate(NotYet("it is paused"), changes=[RESUMED_NOW])
    await attempt(gate, Answering(), engine=engine)
    assert engine.looked_again == ["ci"]


async def test_a_test_event_enters_like_any_other_where_the_gate_is_open():
    gate, network = FakeGate(), Answering()
    assert (await attempt(gate, network)).outcome is AttemptOutcome.DELIVERED
    assert gate.asked == [("ci", False)]


@pytest.mark.parametrize("answer", ENTRY_REFUSED, ids=["paused", "disabled"])
async def test_a_users_policy_does_not_get_a_test_event_past_it(answer):
    network = Answering()
    with pytest.raises(ApplicationError):
        await attempt(FakeGate(answer), network, policy="mine")
    assert network.requests == []
