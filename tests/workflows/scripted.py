"""Activities under their real names that end as a test says, and a worker that runs them."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.attempt_delivery import AttemptInput
from activities.gather import gather_event
from activities.join_lane import is_under_way, join_lane
from activities.match_policies import MatchInput
from activities.redeliver import Redeliver
from activities.release_held import release_held
from activities.request_cancellation import request_cancellation
from activities.verify_event import VerifyInput
from portcall.adapters.failed_deliveries import TemporalFailedDeliveries
from portcall.attempts import (
    AttemptError,
    AttemptOutcome,
    AttemptRecord,
    ErrorType,
    RequestRecord,
    ResponseRecord,
)
from portcall.events import RegistryEvent, Verification
from portcall.ids import verification_queue
from portcall.matching import Match, MatchResult
from portcall.own_events import GivenUp
from portcall.policies import RetryPolicy
from worker.wiring import WORKFLOWS

PASSED_THROUGH = (
    "portcall",  # values and decisions: deterministic, no I/O (import contract)
    "activities",  # typed references and their inputs
    "pydantic",  # reads annotations when a module is loaded; slow to load for every run
    "pydantic_core",
    "annotated_types",  # what pydantic's constraints are made of
    "re2",  # a C++ extension under portcall.conditions
)

Answer = int | ErrorType | Exception

QUICK = RetryPolicy(
    initial_interval=timedelta(milliseconds=20),
    backoff_coefficient=1,
    maximum_interval=timedelta(milliseconds=20),
    maximum_attempts=3,
    jitter=0,
)
PATIENT = QUICK.model_copy(
    update={"initial_interval": timedelta(minutes=1), "maximum_interval": timedelta(minutes=1)}
)


def an_event(event_id: str | None = None, **fields: object) -> RegistryEvent:
    """Give an event like a push, with an id of its own."""
    now = datetime.now(UTC)
    values = {
        "id": event_id or uuid.uuid4().hex,
        "source": "dist",
        "kind": "distribution",
        "type": "artifact.pushed",
        "occurred_at": now,
        "received_at": now,
        "repository": "prod/app",
        "tags": ("v1",),
        "digest": "sha256:" + "1" * 64,
        **fields,
    }
    return RegistryEvent.model_validate(values)


class ScriptedAttempts:
    """Attempts that end with each answer in turn, the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.inputs: list[AttemptInput] = []
        self.started = asyncio.Event()
        self.proceed = asyncio.Event()
        self.proceed.set()

    @activity.defn(name="attempt_delivery")
    async def attempt_delivery(self, attempt: AttemptInput) -> AttemptRecord:
        self.inputs.append(attempt)
        self.started.set()
        await self.proceed.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        record = a_record(answer, attempt.number, activity.info().workflow_run_id or "")
        if record.outcome is AttemptOutcome.DELIVERED:
            return record
        raise ApplicationError(
            record.summary(),
            record,
            type="AttemptFailed",
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,
        )


def a_record(answer: int | ErrorType, number: int, run_id: str) -> AttemptRecord:
    """Give the record of an attempt that ended with a status or an error."""
    base = {
        "number": number,
        "run_id": run_id,
        "started_at": datetime.now(UTC),
        "request": RequestRecord(url="http://receiver.test/hook", body="{}", body_bytes=2),
    }
    if isinstance(answer, ErrorType):
        blocked = answer is ErrorType.BLOCKED
        outcome = AttemptOutcome.BLOCKED if blocked else AttemptOutcome.FAILED
        error = AttemptError(type=answer, message="as the script says")
        return AttemptRecord(**base, outcome=outcome, error=error)
    outcome = AttemptOutcome.DELIVERED if answer < 300 else AttemptOutcome.FAILED
    return AttemptRecord(**base, outcome=outcome, response=ResponseRecord(status=answer))


class ScriptedMatches:
    """A match activity that gives the same matches for every event, or fails first."""

    def __init__(self, *matches: Match, failures: int = 0) -> None:
        self.matches = matches
        self.failures = failures
        self.inputs: list[MatchInput] = []

    @activity.defn(name="match_policies")
    async def match_policies(self, given: MatchInput) -> MatchResult:
        self.inputs.append(given)
        if self.failures:
            self.failures -= 1
            raise ApplicationError("the database is away", type="StoreUnavailable")
        return MatchResult(matches=self.matches)


class ScriptedAnnouncements:
    """An announce activity that remembers what it was told, or fails for good."""

    def __init__(self, *, failure: str | None = None) -> None:
        self.failure = failure
        self.told: list[GivenUp] = []

    @activity.defn(name="announce_given_up")
    async def announce_given_up(self, given_up: GivenUp) -> str | None:
        if self.failure:
            raise ApplicationError(self.failure, type="Bug", non_retryable=True)
        self.told.append(given_up)
        return None


class ScriptedRegistry:
    """A verify activity that fails so often, then gives the event so, with these facts."""

    def __init__(self, state: str = "verified", *, failures: int = 0, **facts: object) -> None:
        self.failures = failures
        self.facts = {**facts, "verification": Verification.model_validate({"state": state})}
        self.inputs: list[VerifyInput] = []

    @activity.defn(name="verify_event")
    async def verify_event(self, given: VerifyInput) -> RegistryEvent:
        self.inputs.append(given)
        if len(self.inputs) <= self.failures:
            raise ApplicationError("registry.test: connection refused", type="UnavailableError")
        return given.event.model_copy(update=self.facts)


def sandbox() -> SandboxedWorkflowRunner:
    """Give the sandbox in which workflow code cannot do what it must not, unnoticed."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    return SandboxedWorkflowRunner(restrictions=restrictions)


@asynccontextmanager
async def scripted_worker(
    client: Client,
    attempts: ScriptedAttempts | None = None,
    matches: ScriptedMatches | None = None,
    *,
    announcements: ScriptedAnnouncements | None = None,
    verify: Callable[..., object] | None = None,
    more: Sequence[Callable[..., object]] = (),
    join: Callable[..., object] = join_lane,
    page: int = 500,
    queue: str | None = None,
) -> AsyncIterator[str]:
    """Run the real workflows on scripted activities, and `more`; give the queue of their own."""
    queue = queue or f"test-{uuid.uuid4().hex}"
    redeliver = Redeliver(TemporalFailedDeliveries(client, page=page))
    async with Worker(
        client,
        task_queue=queue,
        workflows=WORKFLOWS,
        activities=[
            (attempts or ScriptedAttempts(200)).attempt_delivery,
            (matches or ScriptedMatches()).match_policies,
            (announcements or ScriptedAnnouncements()).announce_given_up,
            request_cancellation,
            release_held,
            gather_event,
            join,
            is_under_way,
            redeliver.count_failed,
            redeliver.find_failed,
            redeliver.send_again,
            *more,
        ],
        workflow_runner=sandbox(),
    ):
        if not verify:
            yield queue
            return
        asking = Worker(client, task_queue=verification_queue(queue), activities=[verify])
        async with asking:
            yield queue


async def details(handle: WorkflowHandle[Any, Any]) -> str:
    """Give what the Web UI shows of a workflow as its current details."""
    return str(await handle.query("__temporal_workflow_metadata"))
