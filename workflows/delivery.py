"""One workflow per delivery: attempt, ask `portcall/retry.py`, wait, until it says stop.

Every attempt is an activity of its own with Temporal's retry off, so that history keeps each
request with its response. A delivery that is given up fails, so that the Web UI's filter
`Failed` is the list of failed deliveries; a reset to the first task sends it again.
"""

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy as NativeRetry
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.attempt_delivery import AttemptDelivery, AttemptInput
    from activities.attempt_failure import Pause, record_of_failure
    from portcall.attempts import AttemptRecord, Outcome
    from portcall.durations import format_duration
    from portcall.events import RegistryEvent, Value
    from portcall.ids import progress, without_attempt
    from portcall.policies import RetryPolicy
    from portcall.retry import Delivered, GiveUp, TryAgain, decide
    from workflows.cancellation import end_cancelled

ONCE = NativeRetry(maximum_attempts=1)
LONGEST_ATTEMPT = timedelta(minutes=10)
HEARTBEAT = timedelta(seconds=15)


class DeliveryInput(Value):
    """One event for one target of one policy; no secret. `retry` is the policy's as it was then.

    `held`: the policy was suspended then, and the delivery waits until it is resumed.
    """

    event: RegistryEvent
    policy: str
    target: str
    format: str = "default"
    retry: RetryPolicy = RetryPolicy()
    held: bool = False


class DeliveryResult(Value):
    """A delivery that arrived, after so many attempts."""

    attempts: int
    http_status: int | None = None


@workflow.defn
class DeliveryWorkflow:
    """Deliver one event to one target.

    Signals: `retry_now` ends the wait for the next attempt, or asks whether a suspension is
    over; `cancel` ends the delivery as Canceled, after an attempt under way has been recorded.
    Search attributes: those of the event, `Policy`, `Target`, `Outcome`, `HttpStatus`,
    `Attempts`, `NextAttemptAt`.
    """

    def __init__(self) -> None:
        """Start with nobody having asked for anything."""
        self._retry_now = False
        self._cancel = False
        self._held = False
        self._began = workflow.now()

    @workflow.signal
    def retry_now(self) -> None:
        """Make the next attempt at once."""
        self._retry_now = True

    @workflow.signal
    def cancel(self) -> None:
        """End the delivery without another attempt."""
        self._cancel = True

    @workflow.run
    async def run(self, delivery: DeliveryInput) -> DeliveryResult:
        """Attempt until delivered, given up or cancelled."""
        number = 0
        while True:
            number += 1
            record = await self._attempt(delivery, number)
            status, show = record.http_status, workflow.upsert_search_attributes
            elapsed = workflow.now() - self._began
            match decide(delivery.retry, number, record, elapsed, workflow.random().random()):
                case Delivered():
                    show(progress(Outcome.DELIVERED, number, status))
                    return DeliveryResult(attempts=number, http_status=status)
                case GiveUp(outcome=outcome, reason=reason):
                    show(progress(outcome, number, status))
                    raise ApplicationError(reason, type=f"Delivery{outcome.value.capitalize()}")
                case TryAgain(delay=delay):
                    show(progress(Outcome.RETRYING, number, status, workflow.now() + delay))
                    await self._wait(delay, f"attempt {number + 1} in {format_duration(delay)}")

    async def _attempt(self, delivery: DeliveryInput, number: int) -> AttemptRecord:
        """Make one attempt; what keeps us from it does not count as one and is waited out."""
        pauses = 0
        while True:
            self._retry_now = False
            started = workflow.now()
            handle = workflow.start_activity_method(
                AttemptDelivery.attempt_delivery,
                AttemptInput(**dict(delivery), number=number),
                start_to_close_timeout=LONGEST_ATTEMPT,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=ONCE,
                cancellation_type=workflow.ActivityCancellationType.ABANDON,
                summary=f"attempt {number} → {delivery.target}",
            )
            found = await self._recorded(handle, number, started)
            if isinstance(found, AttemptRecord):
                self._held = False
                return found
            pauses += 1
            await self._pause(found, pauses)

    async def _pause(self, pause: Pause, count: int) -> None:
        """Wait out an outage of ours, or a suspension, for which time stands still."""
        if not pause.held:
            await self._wait(timedelta(seconds=min(2**count, 300)), pause.reason)
            return
        if not self._held:
            self._held = True
            workflow.upsert_search_attributes(without_attempt(Outcome.HELD))
        paused_at, delay = workflow.now(), timedelta(minutes=min(2 ** (count - 1), 360))
        await self._wait(delay, pause.reason, signalled=self._retry_now)
        self._began += workflow.now() - paused_at

    async def _recorded(
        self, handle: workflow.ActivityHandle[AttemptRecord], number: int, started: datetime
    ) -> AttemptRecord | Pause:
        """Await the attempt, even when cancelled meanwhile: what was sent is recorded."""
        while True:
            try:
                return await asyncio.shield(handle)
            except ActivityError as error:
                return record_of_failure(error, number=number, started_at=started)
            except asyncio.CancelledError:
                self._cancel = True

    async def _wait(self, delay: timedelta, summary: str, *, signalled: bool = False) -> None:
        """Wait for the time, `retry_now` or a cancellation; the last raises CancelledError."""
        self._retry_now = signalled
        try:
            await workflow.wait_condition(
                lambda: self._retry_now or self._cancel, timeout=delay, timeout_summary=summary
            )
        except TimeoutError:
            return
        except asyncio.CancelledError:
            self._cancel = True
        if self._cancel:
            workflow.upsert_search_attributes(without_attempt(Outcome.CANCELLED))
            await end_cancelled()
