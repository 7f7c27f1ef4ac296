"""Test events on Temporal: a delivery like any other, that no policy has asked for."""

import asyncio
import contextlib
from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError

from portcall.adapters.temporal import translated
from portcall.events import RegistryEvent
from portcall.ids import TASK_QUEUE, delivery_attributes, delivery_title, delivery_workflow_id
from portcall.pings import ONE_ATTEMPT, PING_POLICY, ping_key
from workflows.delivery import DeliveryInput, DeliveryWorkflow


class TemporalPings:
    """`ports.Pings` on a Temporal client."""

    def __init__(self, client: Client, *, task_queue: str = TASK_QUEUE) -> None:
        """Start through `client`, to be run by the workers of `task_queue`."""
        self._client = client
        self._task_queue = task_queue

    async def ping(
        self, event: RegistryEvent, target: str, format_: str, *, wait: timedelta
    ) -> bool:
        """Start the delivery and await its end."""
        given = DeliveryInput(
            event=event, policy=PING_POLICY, target=target, format=format_, retry=ONE_ATTEMPT
        )
        with translated():
            handle = await self._client.start_workflow(
                DeliveryWorkflow.run,
                given,
                id=delivery_workflow_id(ping_key(event, target)),
                task_queue=self._task_queue,
                search_attributes=delivery_attributes(event, PING_POLICY, target),
                static_summary=delivery_title(event, PING_POLICY, target),
                rpc_timeout=timedelta(seconds=5),
            )
            with contextlib.suppress(WorkflowFailureError, TimeoutError):
                async with asyncio.timeout(wait.total_seconds()):
                    await handle.result()
            return (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING
