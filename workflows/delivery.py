"""One workflow per delivery: attempt, ask `portcall/retry.py`, wait, until it says stop.

Every attempt is an activity of its own with Temporal's retry off, so that history keeps each
request with its response. A delivery that is given up fails, so that the Web UI's filter
`Failed` is the list of failed deliveries; a reset to the first task sends it again.
"""

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import Priority
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
    from portcall.retry import AT_ONCE, Decision, Delivered, GiveUp, TryAgain, decide, expired
    from workflows.announcing import announce_given_up
    from workflows.turns import turn
    from workflows.waiting import Waiting

ONCE = NativeRetry(maximum_attempts=1)
LONGEST_ATTEMPT = timedelta(minutes=10)
HEARTBEAT = timedelta(seconds=15)


class DeliveryInput(Value):
    """One event for one target of one policy; no secret. `retry` is the policy's as it was then.

    `held`: the policy was suspended then, and the delivery waits until it is resumed. `more` are
    the other events of a group, which as a whole has the id `group_id`. `lane` is the workflow
    that gives an ordered delivery its turn.
    """

    event: RegistryEvent
    policy: str
    target: str
    format: str = "default"
    retry: RetryPolicy = RetryPolicy()
    held: bool = False
    more: tuple[RegistryEvent, ...] = ()
    group_id: str | None = None
    lane: str | None = None


class DeliveryResult(Value):
    """A delivery that arrived, after so many attempts."""

    attempts: int
    http_status: int | None = None


@workflow.defn
class DeliveryWorkflow:
    """Deliver one event to one target.

    Signals: `retry_now` ends the wait for the next attempt, or asks whether a suspension is
    over, the target has room or the turn has come; `your_turn` is an ordered delivery's; `cancel`
    ends the delivery as Canceled, after an attempt under way has been recorded.
    Search attributes: those of the event, `Policy`, `Target`, `Outcome`, `HttpStatus`,
    `Attempts`, `NextAttemptAt`.
    """

    def __init__(self) -> None:
        """Start with nothing to wait for."""
        self._waiting = Waiting()
        self._paused: Outcome | None = None
        self._shown: Outcome | None = None
        self._reconnected = False
        self._began = workflow.now()

    @workflow.signal
    def retry_now(self) -> None:
        """Make the next attempt at once."""
        self._waiting.go_on = True

    @workflow.signal
    def your_turn(self) -> None:
        """Begin: what was ordered before this has ended."""
        self._waiting.turn = True

    @workflow.signal
    def cancel(self) -> None:
        """End the delivery without another attempt."""
        self._waiting.cancel = True

    @workflow.run
    async def run(self, delivery: DeliveryInput) -> DeliveryResult:
        """Attempt until delivered, given up or cancelled."""
        async with turn(delivery.lane, delivery.event, self._waiting):
            self._began = workflow.now()
            return await self._deliver(delivery)

    async def _deliver(self, delivery: DeliveryInput) -> DeliveryResult:
        number, status, show = 1, None, workflow.upsert_search_attributes
        while True:
            found = await self._attempt(delivery, number)
            if isinstance(found, AttemptRecord):
                status, decision = found.http_status, self._decide(delivery.retry, number, found)
            else:
                number, decision = number - 1, found
            match decision:
                case Delivered():
                    show(progress(Outcome.DELIVERED, number, status))
                    return DeliveryResult(attempts=number, http_status=status)
                case GiveUp(outcome=outcome, reason=reason):
                    show(progress(outcome, number, status))
                    await announce_given_up(delivery, outcome, reason, number, status)
                    raise ApplicationError(reason, type=f"Delivery{outcome.value.capitalize()}")
                case TryAgain(delay=delay):
                    show(progress(Outcome.RETRYING, number, status, workflow.now() + delay))
                    summary = f"attempt {number + 1} in {format_duration(delay)}"
                    await self._waiting.wait(delay, summary)
                    number += 1

    def _decide(self, retry: RetryPolicy, number: int, record: AttemptRecord) -> Decision:
        elapsed, chance = workflow.now() - self._began, workflow.random().random()
        decision = decide(retry, number, record, elapsed, chance, reconnected=self._reconnected)
        self._reconnected = self._reconnected or decision == AT_ONCE
        return decision

    async def _attempt(self, delivery: DeliveryInput, number: int) -> AttemptRecord | GiveUp:
        """Make one attempt; what keeps us from it does not count as one and is waited out."""
        pauses = 0
        while True:
            self._waiting.go_on = False
            started = workflow.now()
            handle = workflow.start_activity_method(
                AttemptDelivery.attempt_delivery,
                AttemptInput(
                    **dict(delivery), number=number, queued=self._paused is Outcome.QUEUED
                ),
                start_to_close_timeout=LONGEST_ATTEMPT,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=ONCE,
                cancellation_type=workflow.ActivityCancellationType.ABANDON,
                summary=f"attempt {number} → {delivery.target}",
                priority=Priority(fairness_key=delivery.target),
            )
            found = await self._recorded(handle, number, started)
            if isinstance(found, AttemptRecord):
                self._paused = self._shown = None
                return found
            left = delivery.retry.expires_after - (workflow.now() - self._began)
            if found.outcome is Outcome.QUEUED and left <= timedelta():
                return expired(delivery.retry, found.reason)
            pauses += 1
            await self._pause(found, pauses, left)

    async def _pause(self, pause: Pause, count: int, left: timedelta) -> None:
        """Wait out an outage of ours, a queue, or a suspension, for which time stands still."""
        if pause.outcome is None:
            delay = timedelta(seconds=min(2**count, 300))
            await self._waiting.wait(delay, pause.reason)
            return
        self._paused = pause.outcome
        self._show(pause.outcome)
        paused_at, delay = workflow.now(), timedelta(minutes=min(2 ** (count - 1), 360))
        if pause.outcome is Outcome.QUEUED:
            delay = min(delay, left)
        await self._waiting.wait(delay, pause.reason, signalled=self._waiting.go_on)
        if pause.outcome is Outcome.HELD:
            self._began += workflow.now() - paused_at
        elif self._waiting.go_on:
            # It has left the queue, so that the walk over it finds the next one at its head.
            self._show(Outcome.DELIVERING)

    def _show(self, outcome: Outcome) -> None:
        if self._shown is not outcome:
            self._shown = outcome
            workflow.upsert_search_attributes(without_attempt(outcome))

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
                self._waiting.cancel = True
