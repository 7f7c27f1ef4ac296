"""Who may send to a target now, and what the attempts show of it, over all workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from portcall.attempts import AttemptRecord
from portcall.health import HealthChange, TargetHealth
from portcall.policies import Target


@dataclass(frozen=True)
class Permit:
    """Leave to make one attempt; `lease` is empty where nothing has to be given back.

    `probe`: the target was paused, and this attempt shows whether it is well again. `is_test`:
    the gate said no, and a test event goes all the same: no place is given back, but how it ended
    counts.
    """

    target: Target
    lease: str = ""
    probe: bool = False
    is_test: bool = False


@dataclass(frozen=True)
class NotYet:
    """The target is paused or at its limit: the delivery waits in the target's queue."""

    reason: str


@dataclass(frozen=True)
class Closed:
    """Portcall has disabled the target."""

    reason: str


class TargetGate(Protocol):
    """Keeps a target's limits and those of this worker."""

    async def enter(self, target: Target, *, queued: bool) -> Permit | NotYet | Closed:
        """Ask to make one attempt. `queued`: the delivery has waited for its turn.

        While others are queued for a target with limits, one that has not waited must.
        """
        ...

    async def leave(self, permit: Permit, record: AttemptRecord | None) -> Sequence[HealthChange]:
        """Give the permit back and say how it ended; None where nothing was sent.

        Never raises: what the database does not take now is taken later, or is lost.
        """
        ...


@dataclass(frozen=True)
class Room:
    """How many queued deliveries may go now, why not one, and when to look again for more."""

    now: int
    again_in: timedelta
    why: str = ""


@dataclass(frozen=True)
class Figures:
    """Attempts of a while: how many, how many delivered, milliseconds to the end of the answer.

    The percentiles are those of the attempts with an answer, None where there are none.
    """

    attempts: int = 0
    delivered: int = 0
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None


class TargetStates(Protocol):
    """The states of targets, as the database keeps them."""

    async def health(self, name: str) -> TargetHealth:
        """Give one target's; a healthy one where nothing is known."""
        ...

    async def unhealthy(self) -> Mapping[str, TargetHealth]:
        """Give those that are not healthy, by name."""
        ...

    async def reset(self, name: str) -> TargetHealth:
        """Begin anew: neither failing nor paused nor disabled. Give what it was."""
        ...

    async def figures(self, name: str, since: datetime) -> Figures:
        """Give the figures of the attempts since then, to about five minutes."""
        ...

    async def room(self, target: Target) -> Room:
        """Say how many of the target's queued deliveries may go now."""
        ...

    async def emptied(self, name: str) -> None:
        """Note that nothing is queued for the target any more."""
        ...
