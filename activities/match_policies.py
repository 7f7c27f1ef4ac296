"""The activity that reads the policies and asks `portcall/matching.py` which of them match."""

from collections.abc import Mapping

from pydantic import field_validator
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.attempt_failure import STORE_UNAVAILABLE
from portcall.errors import UnavailableError
from portcall.events import RegistryEvent, Value
from portcall.formats.format import Format
from portcall.matching import MatchResult, match_event
from portcall.ports import PolicyStore


class MatchInput(Value):
    """The event, without the raw original, which no condition looks at."""

    event: RegistryEvent

    @field_validator("event")
    @classmethod
    def _without_raw(cls, event: RegistryEvent) -> RegistryEvent:
        return event.without_raw()


class MatchPolicies:
    """Matching with the store and the formats that this worker has."""

    def __init__(self, store: PolicyStore, formats: Mapping[str, Format]) -> None:
        self._store = store
        self._formats_needing_raw = {name for name, known in formats.items() if known.needs_raw}

    @activity.defn(name="match_policies")
    async def match_policies(self, given: MatchInput) -> MatchResult:
        """Match one event; while the store is away, fail in the way that Temporal retries."""
        try:
            snapshot = await self._store.snapshot()
        except UnavailableError as error:
            raise ApplicationError(error.message, type=STORE_UNAVAILABLE) from error
        return match_event(snapshot, given.event, self._formats_needing_raw)
