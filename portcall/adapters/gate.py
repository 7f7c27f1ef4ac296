"""The gate: a target's limits over all workers, and the places of this one.

What is known of targets, and what holds over all workers, is left to their states.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import structlog

from portcall.attempts import AttemptRecord
from portcall.errors import PortcallError
from portcall.health import HealthChange
from portcall.policies import Target
from portcall.ports import Closed, NotYet, Permit

log = structlog.get_logger(__name__)

PLACES = 500
"""Attempts under way at once in one worker, but for one more of each further target."""

MOST = 2 * PLACES
"""Attempts under way at once in one worker, whatever comes."""


class GateStates(Protocol):
    """What the gate asks of the states of targets."""

    async def is_free(self, target: Target) -> bool:
        """Whether it is healthy and has no limits: nobody else need be asked."""
        ...

    async def admit(self, target: Target, *, queued: bool) -> Permit | NotYet | Closed:
        """Let an attempt to a target in that is not free, or say why not."""
        ...

    async def settle(self, permit: Permit, record: AttemptRecord | None) -> Sequence[HealthChange]:
        """Note how an attempt ended, and take the permit back."""
        ...


class Places:
    """Gives a target a place while it has at most as many as are free.

    However many targets are slow, each further one gets the half of what is left, and one that
    has nothing under way finds a place (dynamic thresholds, Choudhury and Hahne 1998).
    """

    def __init__(self, places: int = PLACES) -> None:
        """Begin with all places free."""
        self._places = places
        self._most = 2 * places
        self._taken: Counter[str] = Counter()
        self._total = 0

    def take(self, name: str) -> bool:
        """Take a place for a target, if there is one for it."""
        taken = self._taken[name]
        if self._total >= self._most or (taken and taken >= self._places - self._total):
            return False
        self._taken[name] = taken + 1
        self._total += 1
        return True

    def give_back(self, name: str) -> None:
        """Give a place back."""
        self._total -= 1
        self._taken[name] -= 1
        if not self._taken[name]:
            del self._taken[name]


class SharedGate:
    """A `TargetGate` that holds over all workers on one database."""

    def __init__(self, states: GateStates, places: int = PLACES) -> None:
        """Begin with all places free."""
        self._states = states
        self._places = Places(places)

    async def enter(self, target: Target, *, queued: bool) -> Permit | NotYet | Closed:
        """Ask to make one attempt; raise StoreUnavailableError where the database must say.

        The place comes first, so that nobody has leave and then no place.
        """
        if not self._places.take(target.name):
            return NotYet(f"this worker has no place left for the target {target.name}")
        answer: Permit | NotYet | Closed | None = None
        try:
            if await self._states.is_free(target):
                answer = Permit(target)
            else:
                answer = await self._states.admit(target, queued=queued)
        finally:
            if not isinstance(answer, Permit):
                self._places.give_back(target.name)
        return answer

    async def leave(self, permit: Permit, record: AttemptRecord | None) -> Sequence[HealthChange]:
        """Give the permit back; what the database does not take now is lost, and leases expire."""
        if not permit.is_test:
            self._places.give_back(permit.target.name)
        try:
            return await self._states.settle(permit, record)
        except PortcallError as error:
            name = permit.target.name
            log.warning("how an attempt ended was not noted", target=name, why=error.message)
        except Exception:  # whatever is wrong in here, the attempt was made
            log.exception("how an attempt ended was not noted", target=permit.target.name)
        return ()
