import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
from temporalio.activity import ActivityCancellationDetails
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    RetryState,
    TimeoutType,
)
from temporalio.exceptions import TimeoutError as TemporalTimeoutError
from temporalio.testing import ActivityEnvironment

from activities.admission import Admission
from activities.attempt_delivery import AttemptDelivery, AttemptInput
from activities.attempt_failure import Pause, record_of_failure
from activities.heartbeats import HEARTBEAT_SECONDS
from activities.sending import Sender
from portcall.attempts import (
    AttemptError,
    AttemptOutcome,
    AttemptRecord,
    ErrorType,
    Outcome,
    Timings,
)
from portcall.auth import BearerAuth
from portcall.errors import OutOfResourcesError
from portcall.events import RegistryEvent
from portcall.formats.known import load_formats
from portcall.ids import DeliveryKey, webhook_id
from portcall.policies import Policy, Target
from portcall.ports import Exchange, OutgoingRequest, ReceivedResponse
from tests.fakes import FakeAccessTokens, FakeEngine, FakeGate, FakeStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = "t0p-s3cr3t/token+="
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
EVENT = RegistryEvent(
    id="e1",
    source="eu",
    kind="distribution",
    type="artifact.pushed",
    occurred_at=NOW,
    received_at=NOW,
    repository="prod/app",
    tags=("v1",),
)
TARGET = Target(
    name="ci",
    url="https://ci.example/hook",
    auth=BearerAuth(token=TOKEN),
    secrets=[SECRET],
    timeout=timedelta(seconds=7),
)
ATTEMPT = AttemptInput(event=EVENT, policy="p", target="ci", format="default", number=3)


def answered(status, body=b"", headers=()):
    response = ReceivedResponse(status, tuple(headers), body, truncated=False)
    return Exchange(response, None, Timings(total=5.0), "192.0.2.7:443")


@dataclass
class Wire:
    """A transport that answers each request in turn, or `lacks` what it takes to."""

    answers: Sequence[Exchange] = (answered(200),)
    takes: float = 0
    lacks: OutOfResourcesError | None = None
    requests: list[OutgoingRequest] = field(default_factory=list)

    async def send(self, request: OutgoingRequest) -> Exchange:
        self.requests.append(request)
        await asyncio.sleep(self.takes)
        if self.lacks:
            raise self.lacks
        return self.answers[min(len(self.requests), len(self.answers)) - 1]


@pytest.fixture
async def store():
    store = FakeStore()
    await store.targets.put(TARGET)
    return store


async def make(store, wire, attempt=ATTEMPT, environment=None, gate=None):
    activity = AttemptDelivery(
        store,
        Sender(wire, FakeAccessTokens()),
        load_formats(),
        Admission(gate or FakeGate(), FakeEngine()),
    ).attempt_delivery
    return await (environment or ActivityEnvironment()).run(activity, attempt)


async def failed(store, wire, attempt=ATTEMPT, number=3, gate=None):
    """Make an attempt that fails; give the failure and the record that a workflow reads of it."""
    with pytest.raises(ApplicationError) as caught:
        await make(store, wire, attempt, gate=gate)
    error = await over_the_wire(caught.value)
    return caught.value, record_of_failure(error, number=number, started_at=NOW)


async def over_the_wire(cause):
    """Give the ActivityError that a workflow gets, its cause encoded and decoded by Temporal."""
    failure = Failure()
    await pydantic_data_converter.encode_failure(cause, failure)
    error = ActivityError(
        "Activity task failed",
        scheduled_event_id=5,
        started_event_id=6,
        identity="w",
        activity_type="attempt_delivery",
        activity_id="1",
        retry_state=RetryState.NON_RETRYABLE_FAILURE,
    )
    error.__cause__ = await pydantic_data_converter.decode_failure(failure)
    return error


async def test_a_2xx_gives_the_record_of_request_and_response(store):
    wire = Wire([answered(202, b'{"ok": 1}', [("X-Id", "7")])])
    record = await make(store, wire)
    assert (record.number, record.outcome) == (3, AttemptOutcome.DELIVERED)
    assert record.run_id == ActivityEnvironment().info.workflow_run_id
    assert record.response.model_dump() == {
        "status": 202,
        "headers": (("X-Id", "7"),),
        "body": '{"ok": 1}',
        "body_encoding": "utf-8",
        "body_bytes": 9,
        "truncated": False,
    }
    assert json.loads(record.request.body)["events"][0]["eventType"] == "PUSH"
    assert record.request.url == "https://ci.example/hook"
    assert record.peer == "192.0.2.7:443"
    assert record.timings_ms == Timings(total=5.0)
    assert abs(record.started_at - datetime.now(UTC)) < timedelta(seconds=20)


async def test_the_request_is_signed_with_the_deliverys_id_and_carries_the_credential(store):
    wire = Wire()
    await make(store, wire)
    [request] = wire.requests
    headers = dict(request.headers)
    standardwebhooks.Webhook(SECRET).verify(request.body, headers)
    assert headers["webhook-id"] == webhook_id(DeliveryKey("eu", "e1", "p", "ci"))
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.timeout == timedelta(seconds=7)


async def test_no_secret_is_in_the_record_even_if_the_receiver_answers_with_it(store):
    echo = json.dumps({"you sent": f"Bearer {TOKEN}", "key": SECRET}).encode()
    wire = Wire([answered(401, echo, [("X-Echo", TOKEN), ("Set-Cookie", "a=b")])])
    failure, record = await failed(store, wire)
    shown = record.model_dump_json() + str(failure.details) + str(failure)
    for secret in (TOKEN, SECRET.removeprefix("whsec_"), "a=b"):
        assert secret not in shown
    assert ("Authorization", "[redacted]") in record.request.headers
    assert record.response.body == '{"you sent": "Bearer [redacted]", "key": "[redacted]"}'


async def test_every_attempt_has_the_same_id_and_reads_the_target_afresh(store):
    wire = Wire()
    await make(store, wire)
    await store.targets.put(TARGET.model_copy(update={"url": "https://new.example/"}))
    await make(store, wire, ATTEMPT.model_copy(update={"number": 4}))
    first, second = (dict(request.headers) for request in wire.requests)
    assert first["webhook-id"] == second["webhook-id"]
    assert wire.requests[1].url == "https://new.example/"


@pytest.mark.parametrize(
    ("exchange", "outcome", "summary"),
    [
        (answered(503, b"busy"), AttemptOutcome.FAILED, "HTTP 503"),
        (answered(302), AttemptOutcome.FAILED, "HTTP 302"),
        (
            Exchange(
                None, AttemptError(type=ErrorType.TIMEOUT, message="late"), Timings(), None
            ),
            AttemptOutcome.FAILED,
            "timeout: late",
        ),
        (
            Exchange(None, AttemptError(type=ErrorType.BLOCKED, message="no"), Timings(), None),
            AttemptOutcome.BLOCKED,
            "blocked: no",
        ),
    ],
)  # fmt: skip
async def test_any_other_end_is_a_benign_failure_whose_record_the_workflow_reads_back(
    store, exchange, outcome, summary
):
    failure, record = await failed(store, Wire([exchange]))
    assert failure.type == "AttemptFailed"
    assert failure.non_retryable
    assert failure.category is ApplicationErrorCategory.BENIGN
    assert failure.message == summary
    assert record == failure.details[0]
    assert (record.outcome, record.number, record.summary()) == (outcome, 3, summary)
    assert record.request.headers


async def test_retry_after_is_kept_with_the_record(store):
    wire = Wire([answered(429, headers=[("Retry-After", "120")])])
    _, record = await failed(store, wire)
    assert record.retry_after == timedelta(minutes=2)


@pytest.mark.parametrize(
    ("target", "message"),
    [("gone", "the target gone does not exist"), ("off", "the target off is disabled")],
)
async def test_a_target_that_is_missing_or_disabled_blocks_and_nothing_is_sent(
    store, target, message
):
    await store.targets.put(TARGET.model_copy(update={"name": "off", "enabled": False}))
    wire = Wire()
    _, record = await failed(store, wire, ATTEMPT.model_copy(update={"target": target}))
    assert record.outcome is AttemptOutcome.BLOCKED
    assert record.error == AttemptError(type=ErrorType.BLOCKED, message=message)
    assert wire.requests == []


async def test_an_outage_of_the_policy_database_is_no_attempt(store):
    store.switch.available = False
    failure, record = await failed(store, Wire())
    assert failure.type == "StoreUnavailable"
    assert failure.category is ApplicationErrorCategory.BENIGN
    assert record == Pause("The policy database does not answer.", None)


async def test_a_worker_without_a_file_left_makes_no_attempt(store):
    gate = FakeGate()
    wire = Wire(lacks=OutOfResourcesError("nothing could be sent: too many open files"))
    failure, record = await failed(store, wire, gate=gate)
    assert failure.type == "OutOfResources"
    assert record == Pause("nothing could be sent: too many open files", None)
    assert gate.left == [None]


async def suspended(store, **changed):
    """Switch the target `ci` and the policy `p` as the test says; both are on otherwise."""
    for name, collection, spec in (
        ("target", store.targets, TARGET),
        ("policy", store.policies, Policy(name="p", targets=["ci"])),
    ):
        await collection.put(spec.model_copy(update=changed.get(name, {})))


OFF = {"enabled": False}
HOLDING = {"enabled": False, "while_disabled": "hold"}
HELD = ATTEMPT.model_copy(update={"held": True, "number": 1})


@pytest.mark.parametrize(
    ("attempt", "changed", "who"),
    [
        (ATTEMPT, {"target": HOLDING}, "target ci"),
        (HELD, {"target": HOLDING}, "target ci"),
        (HELD, {"policy": HOLDING}, "policy p"),
    ],
)
async def test_what_is_suspended_and_holds_makes_the_delivery_wait_and_nothing_is_sent(
    store, attempt, changed, who
):
    await suspended(store, **changed)
    wire = Wire()
    failure, pause = await failed(store, wire, attempt)
    assert failure.type == "DeliveryHeld"
    assert failure.category is ApplicationErrorCategory.BENIGN
    assert pause == Pause(f"the {who} is disabled and holds its deliveries", Outcome.HELD)
    assert wire.requests == []


@pytest.mark.parametrize(
    ("attempt", "changed"),
    [
        (HELD, {}),
        (ATTEMPT, {"policy": HOLDING}),
        (HELD.model_copy(update={"number": 2}), {"policy": OFF}),
    ],
    ids=["resumed", "matched before the suspension", "already under way"],
)
async def test_a_suspended_policy_stops_only_what_it_held_and_has_not_let_go(
    store, attempt, changed
):
    await suspended(store, **changed)
    assert (await make(store, Wire(), attempt)).outcome is AttemptOutcome.DELIVERED


async def test_what_a_policy_held_is_blocked_once_the_policy_skips(store):
    await suspended(store, policy=OFF)
    _, record = await failed(store, Wire(), HELD, number=1)
    assert record.summary() == "blocked: the policy p is disabled"


async def test_what_a_policy_held_is_blocked_once_the_policy_is_gone(store):
    _, record = await failed(store, Wire(), HELD, number=1)
    assert record.summary() == "blocked: the policy p does not exist"


async def test_a_format_that_the_worker_lacks_is_our_own_fault_and_repeated(store):
    failure, record = await failed(store, Wire(), ATTEMPT.model_copy(update={"format": "morse"}))
    assert failure.type == "UnknownFormat"
    assert record.outcome is AttemptOutcome.FAILED
    assert record.error.type is ErrorType.INTERNAL
    assert record.error.message.endswith("this worker knows no format morse")


OWN = ATTEMPT.model_copy(update={"format": "template"})


def own(body):
    return Policy(name="p", targets=["ci"], format="template", template={"body": body})


async def test_a_template_is_read_anew_for_each_attempt(store):
    wire = Wire()
    for body in ('{"a": 1}', '{"b": "{{ event.repository }}"}'):
        await store.policies.put(own(body))
        await make(store, wire, OWN)
    assert [request.body for request in wire.requests] == [b'{"a": 1}', b'{"b": "prod/app"}']


async def test_a_template_that_fails_for_an_event_blocks_and_says_where(store):
    await store.policies.put(own("x\n{% if event.size < 5 %}{% endif %}"))
    wire = Wire()
    _, record = await failed(store, wire, OWN)
    assert record.summary().startswith("blocked: the template of the policy p: line 2: '<' not")
    assert wire.requests == []


async def test_a_template_whose_policy_is_gone_blocks(store):
    _, record = await failed(store, Wire(), OWN)
    assert record.summary() == "blocked: the policy p, which has the template, is gone"


@pytest.mark.parametrize(
    "cause",
    [
        RuntimeError("a bug"),
        ApplicationError("a bug", type="AttemptFailed"),
        ApplicationError("a bug", {"not": "a record"}, type="AttemptFailed"),
        ApplicationError("a bug", "text", type="Other"),
        CancelledError("a bug"),
    ],
    ids=["other error", "no details", "other details", "text", "cancelled"],
)
async def test_any_other_failure_is_our_own_fault(cause):
    error = await over_the_wire(cause)
    record = record_of_failure(error, number=2, started_at=NOW)
    assert (record.number, record.started_at) == (2, NOW)
    assert record.outcome is AttemptOutcome.FAILED
    assert record.error.type is ErrorType.INTERNAL
    assert "a bug" in record.error.message


@pytest.mark.parametrize("kind", [TimeoutType.HEARTBEAT, TimeoutType.START_TO_CLOSE])
async def test_a_worker_that_died_leaves_a_lost_attempt(kind):
    cause = TemporalTimeoutError("timed out", type=kind, last_heartbeat_details=[])
    record = record_of_failure(await over_the_wire(cause), number=2, started_at=NOW)
    assert (record.number, record.started_at) == (2, NOW)
    assert record.outcome is AttemptOutcome.LOST
    assert record.error.type is ErrorType.LOST


async def cancelled_while_sending(store, details):
    environment = ActivityEnvironment()
    wire = Wire(takes=60)
    running = asyncio.ensure_future(make(store, wire, environment=environment))
    while not wire.requests:
        await asyncio.sleep(0)
    environment.cancel(details)
    return await running


async def test_a_worker_that_shuts_down_while_sending_says_that_the_attempt_is_lost(store):
    with pytest.raises(ApplicationError) as caught:
        await cancelled_while_sending(store, ActivityCancellationDetails(worker_shutdown=True))
    error = await over_the_wire(caught.value)
    record = record_of_failure(error, number=3, started_at=NOW)
    assert record.outcome is AttemptOutcome.LOST
    assert record.run_id


async def test_what_was_delivered_is_so_also_where_the_worker_shuts_down_just_then(store):
    gate, environment = FakeGate(), ActivityEnvironment()
    gate.leaving.clear()
    running = asyncio.ensure_future(make(store, Wire(), environment=environment, gate=gate))
    while not gate.left:
        await asyncio.sleep(0)
    environment.cancel(ActivityCancellationDetails(worker_shutdown=True))
    assert (await running).outcome is AttemptOutcome.DELIVERED


async def test_the_permit_of_an_attempt_that_is_cancelled_is_given_back(store):
    gate, environment, wire = FakeGate(), ActivityEnvironment(), Wire(takes=60)
    running = asyncio.ensure_future(make(store, wire, environment=environment, gate=gate))
    while not wire.requests:
        await asyncio.sleep(0)
    environment.cancel(ActivityCancellationDetails(cancel_requested=True))
    with pytest.raises(asyncio.CancelledError):
        await running
    assert gate.left == [None]


async def test_a_cancelled_attempt_ends_as_cancelled(store):
    with pytest.raises(asyncio.CancelledError):
        await cancelled_while_sending(store, ActivityCancellationDetails(cancel_requested=True))


async def test_only_a_long_attempt_heartbeats(store):
    beats = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *_: beats.append(1)
    await make(store, Wire(takes=0.1), environment=environment)
    assert beats == []
    await make(store, Wire(takes=HEARTBEAT_SECONDS * 1.5), environment=environment)
    assert beats == [1]


async def test_a_record_survives_the_journey_through_history_whole(store):
    _, record = await failed(store, Wire([answered(500, bytes(range(256)) * 300)]))
    assert record.response.body_bytes == 76800
    assert AttemptRecord.model_validate_json(record.model_dump_json()) == record
