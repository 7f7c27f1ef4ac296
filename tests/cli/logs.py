"""The log in memory, for commands that read it through the API."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.common import SearchAttributeKey

from portcall.attempts import (
    AttemptError,
    AttemptOutcome,
    AttemptRecord,
    ErrorType,
    Outcome,
    RequestRecord,
    ResponseRecord,
    Timings,
)
from portcall.errors import (
    ConflictError,
    EngineUnavailableError,
    InvalidInputError,
    NotFoundError,
)
from portcall.events import RawOriginal, RegistryEvent
from portcall.ids import event_attributes
from portcall.log import DeliveryDetail, DeliverySummary, EventDetail, EventSummary, Filter
from portcall.narrowing import Bound

NOW = datetime(2026, 7, 30, 12, 0, tzinfo=UTC)
DELIVERY = "delivery:harbor-eu:9f3c1d:deploy-prod:ci"


def attempt(number: int, status: int | None = 503, run_id: str = "run-1") -> AttemptRecord:
    """Give an attempt that got a status, or none because nobody listened."""
    delivered = status is not None and status < 300
    return AttemptRecord(
        number=number,
        run_id=run_id,
        started_at=NOW + timedelta(seconds=5 * number),
        outcome=AttemptOutcome.DELIVERED if delivered else AttemptOutcome.FAILED,
        request=RequestRecord(
            url="https://ci.example/hook",
            headers=(("content-type", "application/json"), ("authorization", "[redacted]")),
            body='{"events":[{"repoName":"app","tag":"v1.2.3"}]}',
            body_bytes=45,
        ),
        response=ResponseRecord(
            status=status,
            headers=(("server", "nginx"),),
            body="ok" if delivered else "down for maintenance",
            body_bytes=20,
        )
        if status
        else None,
        error=None if status else AttemptError(type=ErrorType.CONNECT, message="refused"),
        timings_ms=Timings(connect=1.1, first_byte=4.2, total=5.0),
        peer="192.0.2.7:443",
        next_attempt_in=None if delivered else timedelta(seconds=5),
    )


def delivery(identity: str = DELIVERY, **changed: object) -> DeliveryDetail:
    """Give a delivery that gave up after three attempts, but for what is changed."""
    _, source, event_id, policy, target = identity.split(":")
    whole = DeliveryDetail(
        id=identity,
        event_id=event_id,
        event_type="artifact.pushed",
        source=source,
        repository="prod/app",
        tags=("v1.2.3",),
        digest="sha256:" + "ab" * 32,
        policy=policy,
        target=target,
        outcome=Outcome.EXHAUSTED,
        attempts=3,
        http_status=503,
        started_at=NOW,
        closed_at=NOW + timedelta(minutes=1),
        run_id="run-1",
        temporal_url="http://127.0.0.1:8233/namespaces/default/workflows/x/run-1/history",
        reason="3 of 3 attempts failed, the last with HTTP 503",
        attempt_records=(attempt(1), attempt(2, None), attempt(3)),
    )
    return whole.model_copy(update=changed)


def event(identity: str = "9f3c1d", **changed: object) -> EventDetail:
    """Give an event that one policy matched, but for what is changed."""
    whole = EventDetail(
        id=identity,
        type="artifact.pushed",
        source="harbor-eu",
        repository="prod/app",
        tags=("v1.2.3",),
        actor="alice",
        occurred_at=NOW,
        received_at=NOW,
        outcome="matched",
        deliveries=1,
        event=RegistryEvent(
            id=identity,
            source="harbor-eu",
            kind="harbor",
            type="artifact.pushed",
            native_type="PUSH_ARTIFACT",
            occurred_at=NOW,
            received_at=NOW,
            raw=RawOriginal.of(b'{"type":"PUSH_ARTIFACT"}'),
        ),
        delivery_list=(delivery(),),
        misses=({"policy": "scan", "condition": "tag", "wanted": "in: ['x']", "seen": "v1.2.3"},),
        more_misses=3,
        ruled_out={"sources": 2},
    )
    return whole.model_copy(update=changed)


class FakeDeliveryLog:
    """A `DeliveryLog` whose redeliveries end as `ends_as` says, one look later."""

    def __init__(self) -> None:
        self.found: list[DeliveryDetail] = []
        self.asked: list[Filter] = []
        self.done: list[tuple[str, str]] = []
        self.ends_as = Outcome.DELIVERED
        self.available = True

    async def deliveries(
        self, wanted: Filter, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[DeliverySummary], str | None]:
        self.asked.append(wanted)
        return _page(self.found, cursor, limit)

    async def count(self, wanted: Filter) -> int:
        if not self.available:
            raise EngineUnavailableError("Temporal does not answer.")
        found = [d for d in self.found if (d.outcome, d.target) == (wanted.outcome, wanted.target)]
        return len(found)

    async def delivery(self, delivery_id: str) -> DeliveryDetail:
        known = self._find(delivery_id)
        if known.outcome is Outcome.DELIVERING:
            self._replace(known, outcome=self.ends_as, reason=None)
        return known

    async def redeliver(self, delivery_id: str, *, reason: str) -> DeliverySummary:
        known = self._find(delivery_id)
        if known.outcome in (Outcome.DELIVERING, Outcome.RETRYING, Outcome.HELD):
            raise ConflictError("This delivery is not over yet.")
        self.done.append(("redeliver", reason))
        again = attempt(1, 200 if self.ends_as is Outcome.DELIVERED else 500, "run-2")
        return self._replace(
            known,
            run_id="run-2",
            attempts=1,
            outcome=Outcome.DELIVERING,
            attempt_records=(*known.attempt_records, again),
        )

    async def retry_now(self, delivery_id: str) -> None:
        self.done.append(("retry-now", self._find(delivery_id).id))

    async def cancel(self, delivery_id: str) -> None:
        self.done.append(("cancel", self._find(delivery_id).id))

    async def ping(self) -> None:
        pass

    def _find(self, delivery_id: str) -> DeliveryDetail:
        for known in self.found:
            if known.id == delivery_id:
                return known
        raise NotFoundError(f"There is no delivery {delivery_id}.")

    def _replace(self, known: DeliveryDetail, **changed: object) -> DeliveryDetail:
        new = known.model_copy(update=changed)
        self.found[self.found.index(known)] = new
        return new


class FakeEventLog:
    """An `EventLog` of what a test puts in."""

    def __init__(self) -> None:
        self.found: list[EventDetail] = []
        self.asked: list[Filter] = []

    async def events(
        self, wanted: Filter, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[EventSummary], str | None]:
        self.asked.append(wanted)
        return _page(self.found, cursor, limit)

    async def event(self, event_id: str) -> EventDetail:
        for known in self.found:
            if known.id == event_id:
                return known
        raise NotFoundError(f"There is no event {event_id}.")

    async def count(self, bounds: Sequence[Bound], since: datetime) -> int:
        return len(self._within(bounds, since))

    async def recorded(
        self, bounds: Sequence[Bound], since: datetime, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[RegistryEvent], str | None]:
        return _page(self._within(bounds, since), cursor, limit)

    def _within(self, bounds: Sequence[Bound], since: datetime) -> list[RegistryEvent]:
        """Ask the search attributes that an event starts with, as Temporal does."""
        found = [(known.event, event_attributes(known.event)) for known in self.found]
        return [
            event.without_raw()
            for event, attributes in found
            if event.received_at >= since
            and all(
                bound.allows(attributes.get(SearchAttributeKey.for_keyword(bound.attribute)))
                for bound in bounds
            )
        ]


def _page(found: list[Any], cursor: str | None, limit: int) -> tuple[list[Any], str | None]:
    if cursor and not cursor.isdecimal():
        raise InvalidInputError("This is not a cursor.")
    start = int(cursor or 0)
    end = start + limit
    return found[start:end], str(end) if end < len(found) else None
