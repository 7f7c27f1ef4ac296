"""Protocols for the outside: what decisions and activities need, whoever provides it.

Adapters implement them for real, `tests/fakes.py` in memory; both pass the same contract
tests. Every method may raise `UnavailableError` where the thing behind it is away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Generic, Literal, Protocol, TypeVar

from portcall.attempts import BODY_LIMIT, AttemptError, Headers, Timings
from portcall.auth import OidcAuth
from portcall.events import RegistryEvent
from portcall.index import PolicyIndex
from portcall.log import DeliveryDetail, DeliverySummary, EventDetail, EventSummary, Filter
from portcall.narrowing import Bound
from portcall.policies import Policy, RegistryAccess, Source, Target

SpecT = TypeVar("SpecT", Source, Target, Policy)


@dataclass(frozen=True)
class Stored(Generic[SpecT]):
    """A spec as it is stored. `version` counts from 1 with each change and makes the ETag."""

    spec: SpecT
    version: int
    created_at: datetime
    updated_at: datetime


class Collection(Protocol[SpecT]):
    """Sources, targets or policies by name. Secrets in specs are in clear in here."""

    async def get(self, name: str) -> Stored[SpecT]:
        """Give one; raise NotFoundError."""
        ...

    async def list(self, *, after: str = "", limit: int | None = None) -> Sequence[Stored[SpecT]]:
        """Give those whose names come after `after`, by name."""
        ...

    async def create(self, spec: SpecT) -> Stored[SpecT]:
        """Add one; raise ConflictError where the name is in use."""
        ...

    async def put(self, spec: SpecT, *, if_version: int | None = None) -> Stored[SpecT]:
        """Create or replace; the version stays where nothing changed.

        Raise PreconditionError where `if_version` is given and is not the stored version.
        """
        ...

    async def delete(self, name: str, *, if_version: int | None = None) -> None:
        """Remove one; raise NotFoundError, PreconditionError or ConflictError (still used)."""
        ...


@dataclass(frozen=True)
class PolicySnapshot:
    """What matching needs, without a secret: all policies by name, and who is switched off.

    A target that is switched off and holds what arrives is matched like any other. `unreadable`
    are policies that another version has stored, and what this one does not understand of them.
    """

    policies: tuple[Policy, ...] = ()
    disabled_targets: frozenset[str] = frozenset()
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def index(self) -> PolicyIndex:
        """The index over the policies, built when it is first asked for."""
        return PolicyIndex(self.policies)


class PolicyStore(Protocol):
    """The policy database."""

    @property
    def sources(self) -> Collection[Source]:
        """The configured registries."""
        ...

    @property
    def targets(self) -> Collection[Target]:
        """The webhook endpoints."""
        ...

    @property
    def policies(self) -> Collection[Policy]:
        """The users' rules."""
        ...

    async def snapshot(self) -> PolicySnapshot:
        """Give what matching needs; at most a second old, and usually without a query."""
        ...

    async def ping(self) -> None:
        """Raise StoreUnavailableError where the database does not answer."""
        ...


@dataclass(frozen=True)
class InboxEntry:
    """What the inbox holds of one notification.

    `state` is `waiting` (for Temporal) or `parked` (not understood, `reason` says why).
    `headers` have lower-case names and no credentials; `body` is the raw request body of a
    parked entry, `events` are the parsed events of a waiting one, `size` is the bytes kept.
    A notification parked again is counted: `count` times, lately at `last_seen_at`.
    """

    id: int
    source: str
    state: str
    reason: str
    received_at: datetime
    headers: Mapping[str, str]
    body: bytes
    hint: str | None = None
    events: tuple[RegistryEvent, ...] = ()
    size: int = 0
    count: int = 1
    last_seen_at: datetime | None = None


class Inbox(Protocol):
    """A bounded table that keeps what was answered 202 but did not reach Temporal."""

    async def keep_waiting(self, source: str, events: Sequence[RegistryEvent]) -> int:
        """Keep events until Temporal is back; give the id. Raise UnavailableError when full."""
        ...

    async def park(
        self,
        source: str,
        reason: str,
        body: bytes,
        headers: Mapping[str, str],
        hint: str | None,
        *,
        events: Sequence[RegistryEvent] = (),
    ) -> int:
        """Keep a notification that was not understood; the same bytes twice are one entry.

        `events` are given where it was understood and Temporal refused them. Raise
        UnavailableError when full.
        """
        ...

    async def oldest_waiting(self, limit: int) -> Sequence[InboxEntry]:
        """Give the entries that wait for Temporal, oldest first.

        Several forwarders may read the same ones: starting an event twice is harmless, and so
        is removing an entry twice.
        """
        ...

    async def get(self, entry_id: int) -> InboxEntry:
        """Give one entry; raise NotFoundError."""
        ...

    async def list(
        self, *, state: str | None = None, before: int | None = None, limit: int = 50
    ) -> Sequence[InboxEntry]:
        """Give entries newest first, those with an id below `before`.

        They come without `body` and `events`, which may be large; `get` has both.
        """
        ...

    async def remove(self, *entry_ids: int) -> None:
        """Forget entries; one that is gone already is not an error."""
        ...

    async def counts(self) -> Mapping[str, int]:
        """Give the number of entries by state, `waiting` and `parked` always among them."""
        ...


@dataclass(frozen=True)
class OutgoingRequest:
    """A request ready to be sent, secrets in clear. `timeout` bounds the whole exchange.

    `body_limit` is the bytes of the response's body that are read at most.
    """

    url: str
    headers: Headers
    body: bytes
    timeout: timedelta
    skip_cert_verify: bool = False
    method: str = "POST"
    body_limit: int = BODY_LIMIT


@dataclass(frozen=True)
class ReceivedResponse:
    """What was read of a response: at most the request's `body_limit` bytes of body."""

    status: int
    headers: Headers
    body: bytes
    truncated: bool


@dataclass(frozen=True)
class Exchange:
    """What became of a request: a response or an error, never both, never an exception."""

    response: ReceivedResponse | None
    error: AttemptError | None
    timings: Timings
    peer: str | None


class Transport(Protocol):
    """Sends webhooks and guards the network."""

    async def send(self, request: OutgoingRequest) -> Exchange:
        """Send one request; the receiver's faults come back as a value."""
        ...


@dataclass(frozen=True)
class Manifest:
    """A manifest as a registry gives it; `content` is empty where it was too large to read."""

    digest: str
    media_type: str | None
    content: bytes


class Repository(Protocol):
    """One repository of a registry, asked over the OCI distribution API.

    UnavailableError is what neither confirms nor denies: nobody answers, a credential is
    refused, the answer is no registry's.
    """

    async def manifest(self, reference: str) -> Manifest | None:
        """Give what a tag or digest names; None where the registry says that it has none."""
        ...

    async def digest(self, tag: str) -> str | None:
        """Give what a tag names now, without reading it."""
        ...

    async def blob(self, digest: str) -> bytes | None:
        """Give a small blob; None where there is none or it is large."""
        ...

    async def tags(self, limit: int) -> tuple[Sequence[str], bool]:
        """Give at most so many tags, and whether there are more."""
        ...


class Registries(Protocol):
    """Knows how to ask a registry."""

    def repository(self, access: RegistryAccess, name: str) -> Repository:
        """Give one repository, without asking yet."""
        ...


class TokenVerifier(Protocol):
    """Judges tokens by the keys of their issuer (OpenID Connect)."""

    async def refusal(self, token: str, wanted: OidcAuth) -> str | None:
        """Say why the token is not to be trusted, never quoting it; None where it is.

        Raise UnavailableError, soon, while the issuer's keys are not known.
        """
        ...


@dataclass(frozen=True)
class Started:
    """What became of starting an event's workflow."""

    event_id: str
    duplicate: bool


Held = Literal["policy", "target"]
"""What holds deliveries while it is switched off."""


class Engine(Protocol):
    """Starts workflows on Temporal."""

    async def start(self, event: RegistryEvent, *, timeout: timedelta) -> Started:
        """Start the event's workflow; raise EngineUnavailableError, also after `timeout`.

        After a time-out the workflow may have started all the same: starting it again says
        `duplicate` then.
        """
        ...

    async def release(self, noun: Held, name: str) -> None:
        """Have the deliveries that this policy or target held look again, soon and in turn."""
        ...


class DeliveryLog(Protocol):
    """The log: Temporal's history and visibility, read and acted upon."""

    async def deliveries(
        self, wanted: Filter, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[DeliverySummary], str | None]:
        """Give a page of deliveries, newest first, each as its newest run stands."""
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
