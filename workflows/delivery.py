"""One workflow per delivery: attempt, ask `portcall/retry.py`, wait, until it says stop.

Every attempt is an activity of its own with Temporal's retry off, so that history keeps each
request with its response. A delivery that is given up fails, so that the Web UI's filter
`Failed` is the list of failed deliveries; a reset to the first task sends it again.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.attempt_delivery import AttemptInput
    from portcall.attempts import AttemptRecord, Outcome
    from portcall.durations import about
    from portcall.events import RegistryEvent, Value
    from portcall.ids import progress
    from portcall.policies import RetryPolicy
    from portcall.retry import AT_ONCE, Decision, Delivered, GiveUp, TryAgain, decide
    from workflows.announcing import announce_given_up
    from workflows.attempting import Attempts
    from workflows.turns import turn
    from workflows.waiting import Waiting


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
        self._reconnected = False

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
            return await self._deliver(delivery, Attempts(self._waiting))

    async def _deliver(self, delivery: DeliveryInput, attempts: Attempts) -> DeliveryResult:
        number, status, show = 1, None, workflow.upsert_search_attributes
        while True:
            attempt = AttemptInput(**dict(delivery), number=number)
            found = await attempts.make(attempt, delivery.retry)
            if isinstance(found, AttemptRecord):
                status = found.http_status
                decision = self._decide(delivery.retry, number, found, attempts.elapsed)
            else:  # it expired before this attempt was made
                number, decision = number - 1, found
            match decision:
                case Delivered():
                    show(progress(Outcome.DELIVERED, number, status))
                    workflow.set_current_details(f"Delivered: HTTP {status} at attempt {number}.")
                    return DeliveryResult(attempts=number, http_status=status)
                case GiveUp(outcome=outcome, reason=reason):
                    await announce_given_up(attempt, outcome, reason, number, status)
                    # In one task with the end, so that nobody sees the outcome without its reason.
                    show(progress(outcome, number, status))
                    workflow.set_current_details(f"{outcome.value.capitalize()}: {reason}.")
                    raise ApplicationError(reason, type=f"Delivery{outcome.value.capitalize()}")
                case TryAgain(delay=delay):
                    show(progress(Outcome.RETRYING, number, status, workflow.now() + delay))
                    summary = f"attempt {number + 1} in {about(delay)}"
                    await self._waiting.wait(delay, summary)
                    number += 1

    def _decide(
        self, retry: RetryPolicy, number: int, record: AttemptRecord, elapsed: timedelta
    ) -> Decision:
        chance = workflow.random().random()
        decision = decide(retry, number, record, elapsed, chance, reconnected=self._reconnected)
        self._reconnected = self._reconnected or decision == AT_ONCE
        return decision
