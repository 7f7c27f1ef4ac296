"""The gate of one worker: no target takes so many places that others find none."""

from collections import Counter
from collections.abc import Sequence

from portcall.attempts import AttemptRecord
from portcall.health import HealthChange
from portcall.policies import Target
from portcall.ports import Closed, NotYet, Permit

PLACES = 500
"""Attempts under way at once in one worker."""


class TargetSlots:
    """Lets a target in while it has at most as many places as are free.

    However many targets are slow, each further one gets the half of what is left, so that one
    that has nothing under way finds a place (dynamic thresholds, Choudhury and Hahne 1998).
    """

    def __init__(self, places: int = PLACES) -> None:
        """Begin with all places free."""
        self._places = places
        self._taken: Counter[str] = Counter()

    async def enter(self, target: Target, *, queued: bool) -> Permit | NotYet | Closed:
        """Ask to make one attempt."""
        del queued
        free = self._places - self._taken.total()
        if self._taken[target.name] and self._taken[target.name] >= free:
            return NotYet(f"this worker has no place left for the target {target.name}")
        self._taken[target.name] += 1
        return Permit(target)

    async def leave(self, permit: Permit, record: AttemptRecord | None) -> Sequence[HealthChange]:
        """Give the place back; a test has none."""
        del record
        if permit.is_test:
            return ()
        self._taken[permit.target.name] -= 1
        if not self._taken[permit.target.name]:
            del self._taken[permit.target.name]
        return ()
