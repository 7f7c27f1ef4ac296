"""The activity that starts an event of Portcall's own, where a policy would send it on."""

from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from portcall.errors import InvalidInputError, UnavailableError
from portcall.own_events import GivenUp, delivery_event
from portcall.ports import Engine, PolicyStore

RPC_TIMEOUT = timedelta(seconds=5)


class Announce:
    """The activity with what it needs: the policies, and where events are started."""

    def __init__(self, store: PolicyStore, engine: Engine) -> None:
        """Take what the worker built."""
        self._store = store
        self._engine = engine

    @activity.defn(name="announce_given_up")
    async def announce_given_up(self, given_up: GivenUp) -> str | None:
        """Start the event; give its id, or None where no policy wants events of Portcall's own.

        While the database or Temporal is away, fail in the way that Temporal retries.
        """
        info = activity.info()
        delivery, run_id = info.workflow_id or "", info.workflow_run_id or ""
        try:
            snapshot = await self._store.snapshot()
            if not snapshot.wants_own_events:
                return None
            event = delivery_event(given_up, delivery, run_id, info.scheduled_time)
            started = await self._engine.start(event, timeout=RPC_TIMEOUT)
        except (UnavailableError, InvalidInputError) as error:
            lasting = isinstance(error, InvalidInputError)
            raise ApplicationError(
                error.message, type=type(error).__name__, non_retryable=lasting
            ) from None
        return started.event_id
