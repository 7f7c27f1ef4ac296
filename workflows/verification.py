"""The first step of an event whose source does not trust: have the registry asked.

What is asked and what the answer means is left to the activity.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.verify_event import VerifyEvent, VerifyInput
    from portcall.events import RegistryEvent
    from portcall.ids import verification_queue


async def verified_event(event: RegistryEvent) -> RegistryEvent:
    """Give the event as its registry has it, however long it is away; at once where none is asked.

    Events of histories from before there was this step are never pending.
    """
    if not event.verification or event.verification.state != "pending":
        return event
    seen = await workflow.execute_activity_method(
        VerifyEvent.verify_event,
        VerifyInput(event=event.without_raw()),
        task_queue=verification_queue(workflow.info().task_queue),
        start_to_close_timeout=timedelta(minutes=5),
        heartbeat_timeout=timedelta(seconds=15),
        retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=1)),
        summary="ask the registry",
    )
    return seen.model_copy(update={"raw": event.raw})
