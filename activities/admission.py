"""Asks a target's gate before an attempt, and tells it afterwards how the attempt ended.

What the attempts show of the target, and what is worth telling, becomes an event of
Portcall's own; a delivery of such an event tells no more than that its target was disabled.
"""

from datetime import timedelta

from temporalio import activity

from activities.attempt_failure import DELIVERY_QUEUED, failure
from activities.suspension import NothingSentError
from portcall.attempts import AttemptRecord
from portcall.errors import PortcallError
from portcall.events import RegistryEvent
from portcall.health import RECOVERED, RESUMED
from portcall.own_events import may_tell, target_event
from portcall.policies import Target
from portcall.ports import Closed, Engine, Permit, TargetGate

RPC_TIMEOUT = timedelta(seconds=5)


class Admission:
    """The gate, and where a queue is set in motion and an event started."""

    def __init__(self, gate: TargetGate, engine: Engine) -> None:
        """Take what the worker built."""
        self._gate = gate
        self._engine = engine

    async def enter(self, target: Target, *, queued: bool, is_test: bool = False) -> Permit:
        """Give the permit; raise the failure that has the delivery wait, or NothingSentError.

        A test goes in whatever the answer: it is wanted most where the target is paused.
        """
        answer = await self._gate.enter(target, queued=queued)
        if isinstance(answer, Permit):
            return answer
        if is_test:
            return Permit(target, is_test=True)
        if isinstance(answer, Closed):
            raise NothingSentError(answer.reason)
        await self._drain(target.name)
        raise failure(answer.reason, DELIVERY_QUEUED)

    async def leave(
        self, permit: Permit, record: AttemptRecord | None, event: RegistryEvent
    ) -> None:
        """Give the permit back; raises nothing but a cancellation."""
        for change in await self._gate.leave(permit, record):
            if change.type in (RECOVERED, RESUMED):
                await self._look_again(change.target)
            if may_tell(change, event.source):
                try:
                    await self._engine.start(target_event(change), timeout=RPC_TIMEOUT)
                except PortcallError as error:
                    activity.logger.warning("%s was not told: %s", change.type, error.message)

    async def _look_again(self, target: str) -> None:
        """Wake the queue, which may sleep until the pause would have been over."""
        try:
            await self._engine.look_again(target)
        except PortcallError as error:
            activity.logger.warning("the queue of %s sleeps on: %s", target, error.message)

    async def _drain(self, target: str) -> None:
        """Set the queue in motion; the delivery looks by itself, later, where that fails."""
        try:
            await self._engine.drain(target)
        except PortcallError as error:
            activity.logger.warning("the queue of %s stands: %s", target, error.message)
