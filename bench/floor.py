"""The floor: event workflow, match activity, abandoned child, one send; nothing else.

Run as a process it is the worker; `start` is what stands for accepting an event.
"""

import asyncio
import os
from datetime import timedelta

import httpx
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.worker import PollerBehaviorSimpleMaximum, UnsandboxedWorkflowRunner, Worker

QUEUE = "floor"
URL = os.environ.get("FLOOR_URL", "")


@activity.defn
async def match(number: int) -> list[str]:
    return [URL]


class Sender:
    def __init__(self) -> None:
        self.client = httpx.AsyncClient()

    @activity.defn
    async def send(self, url: str, number: int) -> int:
        answer = await self.client.post(url, json={"imageId": f"{number:064x}"})
        return answer.status_code


@workflow.defn
class FloorDelivery:
    @workflow.run
    async def run(self, url: str, number: int) -> int:
        return await workflow.execute_activity_method(
            Sender.send,
            args=[url, number],
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )


@workflow.defn
class FloorEvent:
    @workflow.run
    async def run(self, number: int) -> int:
        urls = await workflow.execute_activity(
            match, number, start_to_close_timeout=timedelta(seconds=30)
        )
        for url in urls:
            await workflow.start_child_workflow(
                FloorDelivery.run,
                args=[url, number],
                id=f"floor-delivery-{number}",
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            )
        return len(urls)


async def start(client: Client, number: int) -> None:
    await client.start_workflow(FloorEvent.run, number, id=f"floor-{number}", task_queue=QUEUE)


async def main() -> None:
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[FloorEvent, FloorDelivery],
        activities=[match, Sender().send],
        workflow_runner=UnsandboxedWorkflowRunner(),
        workflow_task_poller_behavior=PollerBehaviorSimpleMaximum(20),
        activity_task_poller_behavior=PollerBehaviorSimpleMaximum(10),
    )
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main())
