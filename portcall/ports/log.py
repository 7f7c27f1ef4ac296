"""The log: Temporal's history and visibility, read and acted upon."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from portcall.events import RegistryEvent
from portcall.log import DeliveryDetail, DeliverySummary, EventDetail, EventSummary, Filter
from portcall.narrowing import Bound


class DeliveryLog(Protocol):
    """The log: Temporal's history and visibility, read and acted upon."""

    async def deliveries(
        self, wanted: Filter, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[DeliverySummary], str | None]:
        """Give a page of deliveries, newest first, each as its newest run stands."""
        ...

    async def count(self, wanted: Filter) -> int:
        """Give about how many deliveries there are, run by run."""
        ...

    async def delivery(self, delivery_id: str) -> DeliveryDetail:
        """Give one delivery with all attempts; raise NotFoundError."""
        ...

    async def redeliver(self, delivery_id: str, *, reason: str) -> DeliverySummary:
        """Send a closed delivery again (a reset); raise ConflictError while it is open."""
        ...

    async def retry_now(self, delivery_id: str) -> None:
        """Make the next attempt at once; raise ConflictError where none is waited for."""
        ...

    async def cancel(self, delivery_id: str) -> None:
        """End an open delivery; raise ConflictError where it has ended."""
        ...

    async def ping(self) -> None:
        """Raise EngineUnavailableError where Temporal does not answer."""
        ...


class EventLog(Protocol):
    """The log of events, matched or not."""

    async def events(
        self, wanted: Filter, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[EventSummary], str | None]:
        """Give a page of events, newest first."""
        ...

    async def event(self, event_id: str) -> EventDetail:
        """Give one event; raise NotFoundError, or ConflictError where two sources have the id."""
        ...

    async def count(self, bounds: Sequence[Bound], since: datetime) -> int:
        """Give about how many events there are within the bounds."""
        ...

    async def recorded(
        self, bounds: Sequence[Bound], since: datetime, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[RegistryEvent], str | None]:
        """Give a page of events within the bounds as matching saw them, newest first."""
        ...
