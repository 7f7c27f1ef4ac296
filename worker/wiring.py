"""Builds what the activities need and the worker that runs them; the only place that does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.request import getproxies_environment

from temporalio.client import Client
from temporalio.worker import PollerBehaviorSimpleMaximum, UnsandboxedWorkflowRunner, Worker

from activities.admission import Admission
from activities.announce import Announce
from activities.attempt_delivery import AttemptDelivery
from activities.drain_backlog import DrainBacklog
from activities.gather import gather_event
from activities.join_lane import is_under_way, join_lane
from activities.match_policies import MatchPolicies
from activities.redeliver import Redeliver
from activities.release_held import release_held
from activities.request_cancellation import request_cancellation
from activities.sending import Sender
from activities.verify_event import VerifyEvent
from portcall.adapters.database import open_database, the_secret_key
from portcall.adapters.failed_deliveries import TemporalFailedDeliveries
from portcall.adapters.gate import MOST, SharedGate
from portcall.adapters.http import HttpTransport
from portcall.adapters.oauth2 import OAuth2Tokens
from portcall.adapters.proxies import EnvironmentProxies
from portcall.adapters.registry_api import RegistryApi
from portcall.adapters.temporal import TemporalEngine
from portcall.formats.known import load_formats
from portcall.ids import TASK_QUEUE, verification_queue
from portcall.ports import PolicyStore, TargetGate, TargetStates, Transport
from portcall.settings import Settings
from workflows.backlog import BacklogWorkflow
from workflows.delivery import DeliveryWorkflow
from workflows.group import GroupWorkflow
from workflows.lane import LaneWorkflow
from workflows.redelivery import RedeliveryWorkflow
from workflows.registry_event import RegistryEventWorkflow
from workflows.release import ReleaseWorkflow

WORKFLOWS = (
    RegistryEventWorkflow,
    DeliveryWorkflow,
    ReleaseWorkflow,
    BacklogWorkflow,
    RedeliveryWorkflow,
    GroupWorkflow,
    LaneWorkflow,
)
GRACE = timedelta(seconds=20)
"""How long attempts under way may go on when the worker is told to stop."""


def build_worker(
    client: Client,
    store: PolicyStore,
    transport: Transport,
    gate: TargetGate,
    states: TargetStates,
    *,
    task_queue: str = TASK_QUEUE,
) -> Worker:
    """Make a worker for all workflows, and all activities but verification."""
    formats = load_formats()
    engine = TemporalEngine(client, task_queue=task_queue)
    sender = Sender(transport, OAuth2Tokens(transport))
    admission = Admission(gate, engine)
    redeliver = Redeliver(TemporalFailedDeliveries(client))
    return Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        activities=[
            MatchPolicies(store, formats).match_policies,
            AttemptDelivery(store, sender, formats, admission).attempt_delivery,
            DrainBacklog(store, states).drain_backlog,
            Announce(store, engine).announce_given_up,
            request_cancellation,
            release_held,
            gather_event,
            join_lane,
            is_under_way,
            redeliver.count_failed,
            redeliver.find_failed,
            redeliver.send_again,
        ],
        # The sandbox costs a third of the worker's processor time (docs/figures.md). What it
        # would catch is caught before: all workflow tests and replays run inside it.
        workflow_runner=UnsandboxedWorkflowRunner(),
        # Under a burst autoscaling pollers left a quarter of the processor idle.
        workflow_task_poller_behavior=PollerBehaviorSimpleMaximum(20),
        activity_task_poller_behavior=PollerBehaviorSimpleMaximum(10),
        # The gate says who waits, so that slow targets leave places for all others.
        max_concurrent_activities=MOST + 200,
        max_concurrent_workflow_tasks=100,
        graceful_shutdown_timeout=GRACE,
    )


def build_verification_worker(client: Client, store: PolicyStore, transport: Transport) -> Worker:
    """Make the worker that asks registries, with places of its own."""
    return Worker(
        client,
        task_queue=verification_queue(TASK_QUEUE),
        activities=[VerifyEvent(store, RegistryApi(transport)).verify_event],
        activity_task_poller_behavior=PollerBehaviorSimpleMaximum(2),
        max_concurrent_activities=50,
        graceful_shutdown_timeout=GRACE,
    )


@asynccontextmanager
async def running_worker(settings: Settings, client: Client) -> AsyncIterator[Worker]:
    """Run the worker on the database and network that the settings name."""
    url = settings.resolved_database_url
    secret_key = the_secret_key(settings.secret_key, url, settings.data_dir)
    async with (
        open_database(url, secret_key) as database,
        HttpTransport(
            settings.allowed,
            proxies=EnvironmentProxies(getproxies_environment()),
            proxy_resolves=settings.proxy_resolves,
        ) as transport,
        build_verification_worker(client, database.store, transport),
        build_worker(
            client, database.store, transport, SharedGate(database.states), database.states
        ) as worker,
    ):
        yield worker
