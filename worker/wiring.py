"""Builds what the activities need and the worker that runs them; the only place that does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.attempt_delivery import AttemptDelivery
from activities.match_policies import MatchPolicies
from activities.request_cancellation import request_cancellation
from portcall.adapters.database import open_database, the_secret_key
from portcall.adapters.http import HttpTransport
from portcall.formats.known import load_formats
from portcall.ids import TASK_QUEUE
from portcall.ports import PolicyStore, Transport
from portcall.settings import Settings
from workflows.delivery import DeliveryWorkflow
from workflows.registry_event import RegistryEventWorkflow

WORKFLOWS = (RegistryEventWorkflow, DeliveryWorkflow)
GRACE = timedelta(seconds=20)
"""How long attempts under way may go on when the worker is told to stop."""

PASSED_THROUGH = (
    "portcall",  # values and decisions: deterministic, no I/O (import contract)
    "activities",  # typed references and their inputs
    "pydantic",  # reads annotations when a module is loaded; slow to load for every run
    "pydantic_core",
    "annotated_types",  # what pydantic's constraints are made of
    "re2",  # a C++ extension under portcall.conditions
    "standardwebhooks",  # under portcall.signing
)


def workflow_runner() -> SandboxedWorkflowRunner:
    """Give the sandbox that keeps workflows deterministic, our pure modules passed through."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    return SandboxedWorkflowRunner(restrictions=restrictions)


def build_worker(
    client: Client, store: PolicyStore, transport: Transport, *, task_queue: str = TASK_QUEUE
) -> Worker:
    """Make a worker for all workflows and activities of Portcall."""
    formats = load_formats()
    return Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        activities=[
            MatchPolicies(store, formats).match_policies,
            AttemptDelivery(store, transport, formats).attempt_delivery,
            request_cancellation,
        ],
        workflow_runner=workflow_runner(),
        # Under a burst autoscaling pollers left a quarter of the processor idle.
        workflow_task_poller_behavior=PollerBehaviorSimpleMaximum(20),
        activity_task_poller_behavior=PollerBehaviorSimpleMaximum(10),
        max_concurrent_activities=200,
        max_concurrent_workflow_tasks=100,
        graceful_shutdown_timeout=GRACE,
    )


@asynccontextmanager
async def running_worker(settings: Settings, client: Client) -> AsyncIterator[Worker]:
    """Run the worker on the database and network that the settings name."""
    url = settings.resolved_database_url
    secret_key = the_secret_key(settings.secret_key, url, settings.data_dir)
    async with (
        open_database(url, secret_key) as database,
        HttpTransport(settings.allowed_networks) as transport,
        build_worker(client, database.store, transport) as worker,
    ):
        yield worker
