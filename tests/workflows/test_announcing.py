"""What a delivery that is given up tells, and that no loop can come of it: on a real server.

The store is in memory, the targets are a script, all else is what runs in earnest.
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import Worker

from activities.admission import Admission
from activities.announce import Announce
from activities.attempt_delivery import AttemptDelivery
from activities.match_policies import MatchPolicies
from activities.sending import Sender
from portcall import ids
from portcall.adapters.temporal import TemporalEngine
from portcall.attempts import AttemptRecord, Timings
from portcall.conditions.block import Match
from portcall.formats.known import load_formats
from portcall.health import HealthChange
from portcall.own_events import OWN_SOURCE
from portcall.policies import Policy, Target
from portcall.ports import Closed, Exchange, NotYet, OutgoingRequest, Permit, ReceivedResponse
from tests.fakes import FakeAccessTokens, FakeStore
from tests.workflows.scripted import (
    QUICK,
    ScriptedAnnouncements,
    ScriptedAttempts,
    an_event,
    sandbox,
    scripted_worker,
)
from worker.wiring import WORKFLOWS
from workflows.delivery import DeliveryInput, DeliveryWorkflow


async def given_up(client: Client, *sources: str) -> ScriptedAnnouncements:
    """Give up a delivery of one event of each source; give what was announced."""
    announcements = ScriptedAnnouncements()
    events = [an_event(source=source) for source in sources]
    delivery = DeliveryInput(
        event=events[0], more=tuple(events[1:]), policy="p", target="ci", retry=QUICK
    )
    async with scripted_worker(client, ScriptedAttempts(404), announcements=announcements) as queue:
        with pytest.raises(WorkflowFailureError):
            await client.execute_workflow(
                DeliveryWorkflow.run, delivery, id=f"test-{uuid.uuid4().hex}", task_queue=queue
            )
    return announcements


async def test_of_a_group_the_first_event_that_is_not_portcalls_own_is_announced(
    temporal_client: Client,
) -> None:
    announcements = await given_up(temporal_client, OWN_SOURCE, "eu", OWN_SOURCE, "us")
    [told] = announcements.told
    assert (told.event.source, told.more) == ("eu", 1)


async def test_of_a_group_of_portcalls_own_events_nothing_is_announced(
    temporal_client: Client,
) -> None:
    assert (await given_up(temporal_client, OWN_SOURCE, OWN_SOURCE)).told == []


@dataclass
class Receivers:
    """A transport to receivers by their host: what each answers to a message, time after time."""

    answers: Mapping[str, Sequence[int]]
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def send(self, request: OutgoingRequest) -> Exchange:
        name = request.url.partition("//")[2].partition(".")[0]
        message = dict(request.headers)["webhook-id"]
        statuses, before = self.answers[name], self.asked[name, message]
        self.asked[name, message] += 1
        status = statuses[min(before, len(statuses) - 1)]
        response = ReceivedResponse(status, (), b"", truncated=False)
        return Exchange(response, None, Timings(total=1.0), "192.0.2.7:443")


@dataclass
class TalkativeGate:
    """A gate that disables on the first 410, and tells of each success after a failure."""

    failing: set[str] = field(default_factory=set)
    disabled: set[str] = field(default_factory=set)

    async def enter(
        self,
        target: Target,
        *,
        queued: bool,  # noqa: ARG002
    ) -> Permit | NotYet | Closed:
        return Closed("it answered 410") if target.name in self.disabled else Permit(target)

    async def leave(self, permit: Permit, record: AttemptRecord | None) -> Sequence[HealthChange]:
        name, status = permit.target.name, record and record.http_status
        what = None
        if status == 410 and name not in self.disabled:
            self.disabled.add(name)
            what = "target.disabled"
        elif status == 200 and name in self.failing:
            self.failing.remove(name)
            what = "target.recovered"
        elif status != 200:
            self.failing.add(name)
        now = datetime.now(UTC)
        return [HealthChange(type=what, target=name, reason="so", at=now)] if what else []


@asynccontextmanager
async def running(
    client: Client, answers: Mapping[str, Sequence[int]], store: FakeStore
) -> AsyncIterator[str]:
    """Run the real activities against these receivers; give the task queue."""
    queue, formats = f"test-{uuid.uuid4().hex}", load_formats()
    engine = TemporalEngine(client, task_queue=queue)
    sender = Sender(Receivers(answers), FakeAccessTokens())
    admission = Admission(TalkativeGate(), engine)
    async with Worker(
        client,
        task_queue=queue,
        workflows=WORKFLOWS,
        activities=[
            MatchPolicies(store, formats).match_policies,
            AttemptDelivery(store, sender, formats, admission).attempt_delivery,
            Announce(store, engine).announce_given_up,
        ],
        workflow_runner=sandbox(),
    ):
        yield queue


async def all_that_came_of_it(client: Client, queue: str) -> Counter[tuple[str, str]]:
    """Wait until nothing runs and nothing is new; count what there is by type and target."""
    before: Counter[tuple[str, str]] = Counter()
    while True:
        found = [w async for w in client.list_workflows(f"TaskQueue = '{queue}'")]
        shown = [w.typed_search_attributes for w in found]
        now = Counter((a[ids.EVENT_TYPE], a.get(ids.TARGET) or "") for a in shown)
        if now and now == before and all(w.close_time for w in found):
            return now
        before = now
        await asyncio.sleep(0.7)


async def test_own_events_that_fail_flap_and_end_on_410_come_to_an_end(
    temporal_client: Client,
) -> None:
    answers = {
        "busy": (503,), "gone": (410,), "shaky": (503, 200),
        "missing": (404,), "no-more": (410,), "flapping": (503, 200),
    }  # fmt: skip
    store = FakeStore()
    for name in answers:
        await store.targets.put(Target(name=name, url=f"https://{name}.test", disable_after=None))
    everything = Policy(name="all", targets=["busy", "gone", "shaky"], retry=QUICK)
    alerts = everything.model_copy(
        update={
            "name": "alerts",
            "match": Match(sources=["portcall"]),
            "targets": ["missing", "no-more", "flapping"],
        }
    )
    await store.policies.put(everything)
    await store.policies.put(alerts)
    async with running(temporal_client, answers, store) as queue:
        await TemporalEngine(temporal_client, task_queue=queue).start(
            an_event(), timeout=timedelta(seconds=5)
        )
        came = await all_that_came_of_it(temporal_client, queue)
    events = {"artifact.pushed": 1, **TOLD}
    assert {what: n for (what, target), n in came.items() if not target} == events
    alerted = Counter({target: sum(TOLD.values()) for target in alerts.targets})
    delivered = Counter(target for _, target in came.elements() if target)
    assert delivered == alerted + Counter(everything.targets)


TOLD = {
    "delivery.exhausted": 1,  # to busy
    "delivery.rejected": 1,  # to gone
    "target.recovered": 1,  # shaky
    "target.disabled": 2,  # gone, and no-more by an own event
}
