"""Makes a delivery's attempts, an activity each, and waits out what keeps us from one."""

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy as NativeRetry
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.attempt_delivery import AttemptDelivery, AttemptInput
    from activities.attempt_failure import Pause, record_of_failure
    from portcall.attempts import AttemptRecord, Outcome
    from portcall.ids import fair_share, without_attempt
    from portcall.limits import has_turn
    from portcall.policies import RetryPolicy
    from portcall.retry import GiveUp, expired
    from workflows.waiting import Waiting

ONCE = NativeRetry(maximum_attempts=1)
LONGEST_ATTEMPT = timedelta(minutes=10)
HEARTBEAT = timedelta(seconds=15)


class Attempts:
    """Attempts one after another, and the time that passes for them: not in a suspension."""

    def __init__(self, waiting: Waiting) -> None:
        """Begin now."""
        self._waiting = waiting
        self._began = workflow.now()
        self._paused: Outcome | None = None
        self._paused_since = self._began
        self._has_turn = False
        self._shown: Outcome | None = None

    @property
    def elapsed(self) -> timedelta:
        """How much of `expires_after` is over."""
        return workflow.now() - self._began

    async def make(self, attempt: AttemptInput, retry: RetryPolicy) -> AttemptRecord | GiveUp:
        """Make one attempt; what keeps us from it does not count as one and is waited out."""
        pauses = 0
        while True:
            await self._waiting.end_if_cancelled()
            self._waiting.go_on = False
            started = workflow.now()
            workflow.set_current_details(f"Attempt {attempt.number} is under way.")
            handle = workflow.start_activity_method(
                AttemptDelivery.attempt_delivery,
                attempt.model_copy(update={"queued": self._has_turn}),
                start_to_close_timeout=LONGEST_ATTEMPT,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=ONCE,
                cancellation_type=workflow.ActivityCancellationType.ABANDON,
                summary=f"attempt {attempt.number} → {attempt.target}",
                priority=fair_share(attempt.target),
            )
            found = await self._recorded(handle, attempt.number, started)
            if isinstance(found, AttemptRecord):
                self._has_turn, self._paused, self._shown = False, None, None
                return found
            left = retry.expires_after - self.elapsed
            if found.outcome is Outcome.QUEUED and left <= timedelta():
                return expired(retry, found.reason)
            pauses += 1
            await self._pause(found, pauses, left)

    async def _pause(self, pause: Pause, count: int, left: timedelta) -> None:
        """Wait out an outage of ours, a queue, or a suspension, for which time stands still."""
        if pause.outcome is None:
            delay = timedelta(seconds=min(2**count, 300))
            await self._waiting.wait(delay, pause.reason)
            return
        paused_at, delay = workflow.now(), timedelta(minutes=min(2 ** (count - 1), 360))
        if self._paused is not pause.outcome:
            self._paused, self._paused_since = pause.outcome, paused_at
        self._show(pause.outcome)
        if pause.outcome is Outcome.QUEUED:
            delay = min(delay, left)
        await self._waiting.wait(
            delay, pause.reason, since=self._paused_since, signalled=self._waiting.go_on
        )
        told = self._waiting.go_on
        self._has_turn = pause.outcome is Outcome.QUEUED and has_turn(told, delay, left)
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
