"""The connection to Temporal, and the start of workflows on it."""

import asyncio
import contextlib
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from temporalio.client import Client, GrpcCompression
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.runtime import Runtime
from temporalio.service import RetryConfig, RPCError, RPCStatusCode

from portcall.errors import (
    ConfigurationError,
    EngineUnavailableError,
    InvalidInputError,
    NotFoundError,
)
from portcall.events import RegistryEvent
from portcall.ids import (
    TASK_QUEUE,
    backlog_workflow_id,
    event_attributes,
    event_title,
    event_workflow_id,
    fair_share,
    release_workflow_id,
)
from portcall.ports import Held, Started
from portcall.sources.repeats import WINDOW, id_before
from workflows.backlog import BacklogInput, BacklogWorkflow
from workflows.registry_event import RegistryEventInput, RegistryEventWorkflow
from workflows.release import ReleaseInput, ReleaseWorkflow

ASKED_EVERY = 3.0
"""Seconds between two requests for the same target's queue; its walk looks for twice as long."""
DEFAULT_ADDRESS = "localhost:7233"
_LOOPBACK = ("localhost:", "127.0.0.1:", "[::1]:")


async def connect(*, lazy: bool = False, runtime: Runtime | None = None) -> Client:
    """Connect as the SDK's own variables say (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, ...).

    `lazy` connects at the first call, so that the API starts while Temporal is away. Raise
    EngineUnavailableError otherwise, and ConfigurationError where the variables are wrong. On
    loopback compression would be processor time for nothing.
    """
    try:
        config = ClientConfig.load_client_connect_config()
    except RuntimeError as error:
        raise ConfigurationError(f"how to connect to Temporal is not clear: {error}") from error
    address = config.setdefault("target_host", DEFAULT_ADDRESS)
    compression = GrpcCompression.NONE if address.startswith(_LOOPBACK) else GrpcCompression.GZIP
    try:
        return await Client.connect(
            **config,
            data_converter=pydantic_data_converter,
            lazy=lazy,
            # Who asks the API waits for the answer: ten seconds of retries would be silence.
            retry_config=RetryConfig(max_elapsed_time_millis=2000) if lazy else None,
            runtime=runtime,
            grpc_compression=compression,
        )
    except RuntimeError as error:
        raise EngineUnavailableError(f"Temporal does not answer at {address}: {error}") from error


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the SDK raises into Portcall's errors; the only place that does."""
    try:
        yield
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND and "namespace" not in error.message.lower():
            raise NotFoundError("Temporal knows no such workflow.") from error
        if "search attribute" in error.message.lower():
            # A namespace without ours takes no event at all, until somebody mends it.
            raise EngineUnavailableError(
                f"Temporal's namespace is not prepared, `portcall init` does it: {error.message}"
            ) from error
        if error.status is RPCStatusCode.INVALID_ARGUMENT:
            raise InvalidInputError(f"Temporal refuses this: {error.message}") from error
        raise EngineUnavailableError(f"Temporal: {error.message}") from error
    except TimeoutError as error:
        raise EngineUnavailableError("Temporal did not answer in time.") from error
    except RuntimeError as error:
        # A lazy client raises it for as long as it cannot connect.
        raise EngineUnavailableError(f"Temporal does not answer: {error}") from error


class TemporalEngine:
    """`ports.Engine` on a Temporal client."""

    def __init__(self, client: Client, *, task_queue: str = TASK_QUEUE) -> None:
        """Start event workflows through `client`, to be run by the workers of `task_queue`."""
        self._client = client
        self._task_queue = task_queue
        self._asked: dict[str, float] = {}

    async def start(self, event: RegistryEvent, *, timeout: timedelta) -> Started:
        """Start the event's workflow, or see that it was started before."""
        with translated():
            try:
                async with asyncio.timeout(timeout.total_seconds()):
                    before = await self._repeated(event, timeout)
                    if before:
                        return Started(before, duplicate=True)
                    await self._client.start_workflow(
                        RegistryEventWorkflow.run,
                        RegistryEventInput(event=event),
                        id=event_workflow_id(event.source, event.id),
                        task_queue=self._task_queue,
                        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                        search_attributes=event_attributes(event),
                        memo=event_memo(event),
                        static_summary=event_title(event),
                        priority=fair_share(event.repository or event.source),
                        rpc_timeout=timeout,
                    )
            except WorkflowAlreadyStartedError:
                return Started(event.id, duplicate=True)
        return Started(event.id, duplicate=False)

    async def _repeated(self, event: RegistryEvent, timeout: timedelta) -> str | None:
        """Give the id of the event that this one repeats over the edge of a window."""
        before = id_before(event.id)
        if before is None:
            return None
        handle = self._client.get_workflow_handle(event_workflow_id(event.source, before))
        try:
            with translated():
                came = await (await handle.describe(rpc_timeout=timeout)).memo_value("received_at")
        except (NotFoundError, KeyError):
            return None
        gap = event.received_at - datetime.fromisoformat(came)
        return before if gap.total_seconds() <= WINDOW else None

    async def release(self, noun: Held, name: str) -> None:
        """Start the walk over held deliveries, from the beginning where one is under way."""
        with translated():
            await self._client.start_workflow(
                ReleaseWorkflow.run,
                ReleaseInput(noun=noun, name=name),
                id=release_workflow_id(noun, name),
                task_queue=self._task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
                static_summary=f"deliveries held for the {noun} {name} go on",
                rpc_timeout=timedelta(seconds=5),
            )

    async def drain(self, target: str, *, look_now: bool = False) -> None:
        """Start the walk over the target's queue; one that is under way will look again.

        It does so for longer than `ASKED_EVERY`, so a queue that grows is asked for that often.
        """
        now = time.monotonic()
        if not look_now and now - self._asked.get(target, -math.inf) < ASKED_EVERY:
            return
        self._asked[target] = now
        try:
            with translated():
                await self._client.start_workflow(
                    BacklogWorkflow.run,
                    BacklogInput(target=target),
                    id=backlog_workflow_id(target),
                    task_queue=self._task_queue,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    start_signal="more",
                    start_signal_args=[look_now],
                    static_summary=f"deliveries queued for the target {target}",
                    rpc_timeout=timedelta(seconds=5),
                )
        except BaseException:
            self._asked.pop(target, None)
            raise

    async def look_again(self, target: str) -> None:
        """Wake the walk over the target's queue, if one is under way."""
        handle = self._client.get_workflow_handle(backlog_workflow_id(target))
        with contextlib.suppress(NotFoundError), translated():
            await handle.signal(BacklogWorkflow.more, True, rpc_timeout=timedelta(seconds=5))


def event_memo(event: RegistryEvent) -> dict[str, str | None]:
    """Give what the list of events shows and no search attribute holds."""
    return {
        "project": event.project,
        "actor": event.actor,
        "occurred_at": event.occurred_at.isoformat(),
        "received_at": event.received_at.isoformat(),
    }
