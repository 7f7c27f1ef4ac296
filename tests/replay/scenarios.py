"""What running deliveries and events look like: one recorded history per scenario.

`python -m tests.replay.scenarios [NAME...]` records them again from the code as it is. Do that only
for a change that no running workflow can notice, or together with a patch
(`workflow.patched`) that the older histories beside the new ones still replay under.
"""

import asyncio
import json
import socket
import sys
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.exceptions import ApplicationError

from activities.drain_backlog import Drained, DrainInput
from activities.gather import GroupInput
from activities.join_lane import LaneInput, Place
from portcall.adapters.devserver import start_dev_server
from portcall.adapters.tools import find_temporal
from portcall.attempts import ErrorType
from portcall.events import Verification
from portcall.gathering import Group
from portcall.grouping import Gathered
from portcall.ids import delivery_attributes, event_attributes
from portcall.matching import Match
from portcall.redeliveries import FailedFilter
from portcall.settings import load_settings
from tests.fixtures.temporal import connected
from tests.workflows.scripted import (
    PATIENT,
    QUICK,
    Answer,
    ScriptedAttempts,
    ScriptedMatches,
    ScriptedRegistry,
    an_event,
    scripted_worker,
)
from workflows.backlog import BacklogInput, BacklogWorkflow
from workflows.delivery import DeliveryInput, DeliveryWorkflow
from workflows.group import GroupWorkflow
from workflows.lane import LaneWorkflow
from workflows.redelivery import RedeliveryInput, RedeliveryWorkflow
from workflows.registry_event import RegistryEventInput, RegistryEventWorkflow
from workflows.release import ReleaseInput, ReleaseWorkflow

HISTORIES = Path(__file__).parent / "histories"
FINGERPRINTS = HISTORIES.parent / "fingerprints.json"
NOBODY = str(uuid.uuid4())
Scenario = Callable[[Client], Awaitable[WorkflowHistory]]


async def _ended(handle: WorkflowHandle[object, object]) -> WorkflowHistory:
    async with asyncio.timeout(20):
        while (await handle.describe()).close_time is None:
            await asyncio.sleep(0.05)
    return await handle.fetch_history()


def _delivery(*answers: Answer, signal: str | None = None) -> Scenario:
    """Make the scenario of a delivery whose attempts end so; a signal comes while it waits."""

    async def run(client: Client) -> WorkflowHistory:
        event = an_event()
        async with scripted_worker(client, ScriptedAttempts(*answers)) as queue:
            handle = await client.start_workflow(
                DeliveryWorkflow.run,
                DeliveryInput(
                    event=event, policy="p", target="ci", retry=PATIENT if signal else QUICK
                ),
                id=f"replay-{uuid.uuid4().hex}",
                task_queue=queue,
                search_attributes=delivery_attributes(event, "p", "ci"),
            )
            if signal:
                await asyncio.sleep(1)
                await (handle.cancel() if signal == "request" else handle.signal(signal))
            return await _ended(handle)

    return run


def _group(window: timedelta, most: int) -> Scenario:
    """Make the scenario of three pushes for a policy that gathers."""

    async def run(client: Client) -> WorkflowHistory:
        group = Group(window=window, max=most)
        match = Match(policy="p", target="a", retry=QUICK, group=group)
        async with scripted_worker(client) as queue:
            handle = await client.start_workflow(
                GroupWorkflow.run,
                GroupInput(group=group),
                id=f"replay-{uuid.uuid4().hex}",
                task_queue=queue,
            )
            await asyncio.sleep(1)
            for tag in ("v1", "v2", "v3"):
                event = an_event(tags=(tag,))
                given = Gathered(event=event, match=match, targets=("a", "b"))
                await handle.signal(GroupWorkflow.gather, given)
                await asyncio.sleep(0.3)
            return await _ended(handle)

    return run


async def _lane(client: Client) -> WorkflowHistory:
    """Run the scenario of two ordered deliveries and one that does not exist."""
    return (await _in_lane(client))[0]


async def _delivery_ordered(client: Client) -> WorkflowHistory:
    """Run the scenario of a delivery that waits for its turn."""
    return (await _in_lane(client))[1]


async def _in_lane(client: Client) -> tuple[WorkflowHistory, WorkflowHistory]:
    lane, policy = f"replay-{uuid.uuid4().hex}", f"p-{uuid.uuid4().hex}"
    attempts, now = ScriptedAttempts(503, 200), datetime.now(UTC)
    async with scripted_worker(client, attempts) as queue:
        nobody = Place(delivery="nobody", run_id=NOBODY, occurred_at=now, received_at=now)
        await client.start_workflow(
            LaneWorkflow.run,
            LaneInput(),
            id=lane,
            task_queue=queue,
            start_signal="join",
            start_signal_args=[nobody],
        )
        deliveries = []
        for _ in range(2):
            event = an_event()
            deliveries.append(
                await client.start_workflow(
                    DeliveryWorkflow.run,
                    DeliveryInput(event=event, policy=policy, target="a", retry=QUICK, lane=lane),
                    id=f"delivery:replay:{event.id}:{policy}:a",
                    task_queue=queue,
                    search_attributes=delivery_attributes(event, policy, "a"),
                )
            )
            await asyncio.sleep(0.3)
        second = await _ended(deliveries[1])
        return await _ended(client.get_workflow_handle(lane)), second


def _event(*matches: Match, verification: Verification | None = None) -> Scenario:
    """Make the scenario of an event that these policies match, after its registry was asked."""

    async def run(client: Client) -> WorkflowHistory:
        event = an_event(verification=verification)
        verify = ScriptedRegistry(failures=1).verify_event
        async with scripted_worker(
            client, matches=ScriptedMatches(*matches), verify=verify
        ) as queue:
            handle = await client.start_workflow(
                RegistryEventWorkflow.run,
                RegistryEventInput(event=event),
                id=f"replay-{uuid.uuid4().hex}",
                task_queue=queue,
                search_attributes=event_attributes(event),
            )
            return await _ended(handle)

    return run


async def _release(client: Client) -> WorkflowHistory:
    """Run the scenario of a policy that is switched on again."""
    async with scripted_worker(client) as queue:
        handle = await client.start_workflow(
            ReleaseWorkflow.run,
            ReleaseInput(noun="policy", name="p", search_lag=timedelta(milliseconds=50)),
            id=f"replay-{uuid.uuid4().hex}",
            task_queue=queue,
        )
        return await _ended(handle)


async def _redelivery(client: Client) -> WorkflowHistory:
    """Run the scenario of two deliveries to a target that failed."""
    attempts, target = ScriptedAttempts(404), f"replay-{uuid.uuid4().hex[:8]}"
    async with scripted_worker(client, attempts) as queue:
        for _ in range(2):
            event = an_event()
            delivery = await client.start_workflow(
                DeliveryWorkflow.run,
                DeliveryInput(event=event, policy="p", target=target, retry=QUICK),
                id=f"delivery:replay:{event.id}:p:{target}",
                task_queue=queue,
                search_attributes=delivery_attributes(event, "p", target),
            )
            await _ended(delivery)
        failed = f"Target = '{target}' AND ExecutionStatus = 'Failed' AND Outcome = 'rejected'"
        async with asyncio.timeout(20):
            while (await client.count_workflows(failed)).count < 2:
                await asyncio.sleep(0.1)
        handle = await client.start_workflow(
            RedeliveryWorkflow.run,
            RedeliveryInput(filter=FailedFilter(target=target), reason="a replay", per_second=1000),
            id=f"replay-{uuid.uuid4().hex}",
            task_queue=queue,
        )
        return await _ended(handle)


async def _backlog(client: Client) -> WorkflowHistory:
    """Run the scenario of a queue that is empty at the second look."""
    looks = iter((Drained(signalled=2, left=1, again_in=timedelta(milliseconds=50)), Drained()))

    @activity.defn(name="drain_backlog")
    async def drain_backlog(given: DrainInput) -> Drained:
        del given
        return next(looks)

    async with scripted_worker(client, more=[drain_backlog]) as queue:
        handle = await client.start_workflow(
            BacklogWorkflow.run,
            BacklogInput(target="ci", search_lag=timedelta(), settle=timedelta(milliseconds=50)),
            id=f"replay-{uuid.uuid4().hex}",
            task_queue=queue,
        )
        return await _ended(handle)


SCENARIOS: dict[str, Scenario] = {
    "delivery_delivered": _delivery(200),
    "delivery_after_two_failures": _delivery(503, ErrorType.CONNECT, 200),
    "delivery_exhausted": _delivery(503),
    "delivery_rejected": _delivery(404),
    "delivery_blocked": _delivery(ErrorType.BLOCKED),
    "delivery_after_our_outage": _delivery(
        ApplicationError("the policy database is away", type="StoreUnavailable"), 200
    ),
    "delivery_retried_now": _delivery(503, 200, signal="retry_now"),
    "delivery_cancelled_by_signal": _delivery(503, signal="cancel"),
    "delivery_cancelled_by_request": _delivery(503, signal="request"),
    "delivery_held": _delivery(
        ApplicationError("the target ci is disabled and holds", type="DeliveryHeld"),
        200,
        signal="retry_now",
    ),
    "event_matched": _event(Match(policy="p", target="a"), Match(policy="p", target="b")),
    "delivery_ordered": _delivery_ordered,
    "event_unmatched": _event(),
    "event_grouped": _event(
        Match(policy="p", target="a", group=Group(window=timedelta(milliseconds=100))),
        Match(policy="q", target="a"),
    ),
    "group_full": _group(timedelta(hours=1), 3),
    "group_window": _group(timedelta(seconds=3), 50),
    "lane": _lane,
    "event_verified": _event(
        Match(policy="p", target="a"), verification=Verification(state="pending")
    ),
    "delivery_queued": _delivery(
        ApplicationError("the target ci is paused", type="DeliveryQueued", non_retryable=True),
        200,
        signal="retry_now",
    ),
    "release": _release,
    "backlog": _backlog,
    "redelivery": _redelivery,
}


def fingerprint(history: WorkflowHistory) -> list[str]:
    """Give the commands that the workflow's code gave, in order: what a patch must keep."""
    commands = []
    for event in history.events:
        name = (event.WhichOneof("attributes") or "").removesuffix("_event_attributes")
        match name:
            case "activity_task_scheduled":
                kind = event.activity_task_scheduled_event_attributes.activity_type.name
                commands.append(f"activity {kind}")
            case "start_child_workflow_execution_initiated":
                commands.append("child workflow")
            case "timer_started" | "timer_canceled" | "marker_recorded":
                commands.append(name.replace("_", " "))
            case "signal_external_workflow_execution_initiated":
                commands.append("signal")
            case "workflow_properties_modified":
                commands.append("memo")
            case "upsert_workflow_search_attributes":
                commands.append("search attributes")
            case "workflow_execution_completed" | "workflow_execution_failed":
                commands.append(name.rpartition("_")[2])
            case "workflow_execution_canceled":
                commands.append("canceled")
            case "workflow_execution_continued_as_new":
                commands.append("continued as new")
    return commands


def _without_machine(value: Any) -> Any:
    """Leave out where it was recorded: stack traces with paths, names of processes."""
    if isinstance(value, dict):
        return {
            key: "recorded" if key == "identity" else _without_machine(part)
            for key, part in value.items()
            if key != "stackTrace"
        }
    if isinstance(value, str):
        return value.replace(f"@{socket.gethostname()}", "@recorded")
    return [_without_machine(part) for part in value] if isinstance(value, list) else value


async def record(names: Sequence[str]) -> None:
    """Run these scenarios, all unless any is named, on a real server and keep their histories."""
    program = find_temporal(load_settings().cache_dir, print)
    with tempfile.TemporaryDirectory() as folder:
        server = await start_dev_server(program, Path(folder))
        try:
            client = await connected(server)
            HISTORIES.mkdir(exist_ok=True)
            kept_before = json.loads(FINGERPRINTS.read_text()) if names else {}
            fingerprints = {name: kept_before[name] for name in SCENARIOS if name in kept_before}
            for name in names or SCENARIOS:
                history = await SCENARIOS[name](client)
                kept = json.dumps(_without_machine(json.loads(history.to_json())), indent=1)
                (HISTORIES / f"{name}.json").write_text(kept + "\n")
                fingerprints[name] = fingerprint(history)
            FINGERPRINTS.write_text(json.dumps(fingerprints, indent=1) + "\n")
        finally:
            await server.stop(0)


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:]))
