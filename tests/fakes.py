"""The ports in memory. They pass the same contract tests as the real adapters."""

import asyncio
import hashlib
import itertools
import json
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Generic

from portcall.attempts import AttemptError, AttemptOutcome, AttemptRecord
from portcall.auth import OAuth2Auth, OidcAuth
from portcall.errors import (
    ConflictError,
    EngineUnavailableError,
    InvalidInputError,
    NotFoundError,
    PortcallError,
    PreconditionError,
    StoreUnavailableError,
    UnavailableError,
    UnreadableError,
)
from portcall.events import RegistryEvent
from portcall.health import HealthChange, TargetHealth, counts
from portcall.ids import derived_id, event_workflow_id
from portcall.latency import latency_class, percentile
from portcall.limits import Standing, admit, begun_anew, is_limited, room, settle
from portcall.policies import Policy, RegistryAccess, Source, Target, is_holding
from portcall.ports import (
    Closed,
    Figures,
    InboxEntry,
    Manifest,
    NotYet,
    Permit,
    PolicySnapshot,
    Room,
    SentAgain,
    SpecT,
    Started,
    Stored,
)
from portcall.redeliveries import (
    FailedCount,
    FailedFilter,
    FailedPage,
    FailedRun,
    Progress,
    Redelivery,
    RedeliveryState,
    redelivery_id,
)
from portcall.sources.repeats import WINDOW, id_before


@dataclass
class Switch:
    """Whether a fake's server answers; a test turns it off and on."""

    available: bool = True

    def check_store(self) -> None:
        if not self.available:
            raise StoreUnavailableError("The policy database does not answer.")


def _now() -> datetime:
    return datetime.now(UTC)


def _nothing(_: Any) -> None:
    """Have no objection."""


class FakeCollection(Generic[SpecT]):
    """A `Collection` in a dict.

    Reading takes `takes` seconds; while it `is_contested`, others are always faster in writing.
    """

    takes: float = 0
    is_contested = False

    def __init__(
        self,
        noun: str,
        switch: Switch,
        check_write: Callable[[SpecT], None] = _nothing,
        check_delete: Callable[[str], None] = _nothing,
    ) -> None:
        self.noun = noun
        self.switch = switch
        self.check_write = check_write
        self.check_delete = check_delete
        self.rows: dict[str, Stored[SpecT]] = {}
        self.unreadable: set[str] = set()

    async def get(self, name: str) -> Stored[SpecT]:
        found = self._row(name)
        await asyncio.sleep(self.takes)
        if name in self.unreadable:
            raise UnreadableError(f"The {self.noun} {name} is another version's.")
        return found

    def _row(self, name: str) -> Stored[SpecT]:
        self.switch.check_store()
        if name not in self.rows:
            raise NotFoundError(f"There is no {self.noun} named {name}.")
        return self.rows[name]

    async def list(self, *, after: str = "", limit: int | None = None) -> Sequence[Stored[SpecT]]:
        self.switch.check_store()
        return [self.rows[name] for name in sorted(self.rows) if name > after][:limit]

    async def create(self, spec: SpecT) -> Stored[SpecT]:
        self.switch.check_store()
        if spec.name in self.rows:
            raise ConflictError(f"There is a {self.noun} named {spec.name} already.")
        return self._write(spec)

    async def put(self, spec: SpecT, *, if_version: int | None = None) -> Stored[SpecT]:
        self.switch.check_store()
        stored = self.rows.get(spec.name)
        self._check_version(stored, if_version)
        return stored if stored and stored.spec == spec else self._write(spec)

    async def delete(self, name: str, *, if_version: int | None = None) -> None:
        self._check_version(self._row(name), if_version)
        self.check_delete(name)
        del self.rows[name]

    def _write(self, spec: SpecT) -> Stored[SpecT]:
        self.check_write(spec)
        now = datetime.now(UTC)
        old = self.rows.get(spec.name) or Stored(spec, version=0, created_at=now, updated_at=now)
        self.rows[spec.name] = replace(old, spec=spec, version=old.version + 1, updated_at=now)
        return self.rows[spec.name]

    def _check_version(self, stored: Stored[SpecT] | None, if_version: int | None) -> None:
        if if_version is not None and (
            self.is_contested or if_version != (stored.version if stored else 0)
        ):
            raise PreconditionError(f"The {self.noun} was changed in the meantime.")


class FakeStore:
    """A `PolicyStore` in memory; `switch.available = False` takes it away."""

    def __init__(self) -> None:
        self.switch = Switch()
        self.sources: FakeCollection[Source] = FakeCollection("source", self.switch)
        self.targets: FakeCollection[Target] = FakeCollection(
            "target", self.switch, check_delete=self._check_unused
        )
        self.policies: FakeCollection[Policy] = FakeCollection(
            "policy", self.switch, check_write=self._check_targets
        )

    async def snapshot(self) -> PolicySnapshot:
        self.switch.check_store()
        policies = [stored.spec for stored in await self.policies.list()]
        targets = [stored.spec for stored in await self.targets.list()]
        return PolicySnapshot(
            policies=tuple(policies),
            disabled_targets=frozenset(
                t.name for t in targets if not t.enabled and not is_holding(t)
            ),
        )

    async def ping(self) -> None:
        self.switch.check_store()

    def _check_targets(self, policy: Policy) -> None:
        unknown = [name for name in policy.targets if name not in self.targets.rows]
        if unknown:
            message = f"There is no target named {', '.join(unknown)}."
            raise InvalidInputError(message, [{"field": "targets", "message": message}])

    def _check_unused(self, name: str) -> None:
        users = sorted(n for n, row in self.policies.rows.items() if name in row.spec.targets)
        if users:
            raise ConflictError(
                f"The target {name} is used by: {', '.join(users)}.", policies=users
            )


class FakeInbox:
    """An `Inbox` in memory; `switch.available = False` takes it away."""

    def __init__(self, limit: int = 1000) -> None:
        self.limit = limit
        self.switch = Switch()
        self.entries: dict[int, InboxEntry] = {}
        self.parked: dict[str, int] = {}
        self.ids = itertools.count(1)

    async def keep_waiting(self, source: str, events: Sequence[RegistryEvent]) -> int:
        size = sum(len(event.model_dump_json()) for event in events)
        self.switch.check_store()
        self._check_room()
        return self._add(source=source, state="waiting", events=tuple(events), size=size)

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
        self.switch.check_store()
        key = derived_id([source, hint or "", body, *(event.id for event in events)])
        known = self.entries.get(self.parked.get(key, 0))
        if known:
            self.entries[known.id] = replace(
                known, reason=reason, count=known.count + 1, last_seen_at=datetime.now(UTC)
            )
            return known.id
        if not events:
            self._check_room()
            if (await self.counts())["parked"] >= self.limit // 2:
                raise UnavailableError("The inbox is full of what was not understood.")
        self.parked[key] = self._add(
            source=source, state="parked", reason=reason, headers=dict(headers), body=body,
            hint=hint, size=len(body), events=tuple(events),
        )  # fmt: skip
        return self.parked[key]

    async def oldest_waiting(self, limit: int) -> Sequence[InboxEntry]:
        self.switch.check_store()
        waiting = [entry for _, entry in sorted(self.entries.items()) if entry.state == "waiting"]
        return waiting[:limit]

    async def get(self, entry_id: int) -> InboxEntry:
        self.switch.check_store()
        if entry_id not in self.entries:
            raise NotFoundError(f"There is no inbox entry {entry_id}.")
        return self.entries[entry_id]

    async def list(
        self, *, state: str | None = None, before: int | None = None, limit: int = 50
    ) -> Sequence[InboxEntry]:
        self.switch.check_store()
        return [
            replace(entry, body=b"", events=())
            for entry_id, entry in sorted(self.entries.items(), reverse=True)
            if state in (None, entry.state) and (before is None or entry_id < before)
        ][:limit]

    async def remove(self, *entry_ids: int) -> None:
        self.switch.check_store()
        for entry_id in entry_ids:
            self.entries.pop(entry_id, None)

    async def counts(self) -> Mapping[str, int]:
        self.switch.check_store()
        states = [entry.state for entry in self.entries.values()]
        return {state: states.count(state) for state in ("waiting", "parked")}

    def _check_room(self) -> None:
        if len(self.entries) >= self.limit:
            raise UnavailableError(f"The inbox is full: it holds {self.limit} notifications.")

    def _add(self, *, source: str, state: str, reason: str = "", **kept: Any) -> int:
        entry_id, now = next(self.ids), datetime.now(UTC)
        entry = InboxEntry(
            id=entry_id, source=source, state=state, reason=reason, received_at=now,
            last_seen_at=now, headers={}, body=b"",
        )  # fmt: skip
        self.entries[entry_id] = replace(entry, **kept)
        return entry_id


@dataclass
class FakeSourceActivity:
    """A `SourceActivity` in memory, of the sources of a store."""

    store: FakeStore = field(default_factory=FakeStore)
    heard: dict[str, datetime] = field(default_factory=dict)

    async def note(self, heard: Mapping[str, datetime]) -> None:
        self.store.switch.check_store()
        known = {name: at for name, at in heard.items() if name in self.store.sources.rows}
        self.heard |= {name: max(at, self.heard.get(name, at)) for name, at in known.items()}

    async def last_heard(self) -> Mapping[str, datetime]:
        self.store.switch.check_store()
        return {name: at for name, at in self.heard.items() if name in self.store.sources.rows}


@dataclass
class FakeEngine:
    """An `Engine` that remembers what it started; `available = False` takes Temporal away."""

    available: bool = True
    refuses: bool = False
    events: dict[str, RegistryEvent] = field(default_factory=dict)
    released: list[tuple[str, str]] = field(default_factory=list)
    drained: list[str] = field(default_factory=list)
    looked_again: list[str] = field(default_factory=list)

    async def drain(self, target: str, *, look_now: bool = False) -> None:  # noqa: ARG002
        if not self.available:
            raise EngineUnavailableError("Temporal does not answer.")
        self.drained.append(target)

    async def look_again(self, target: str) -> None:
        if not self.available:
            raise EngineUnavailableError("Temporal does not answer.")
        self.looked_again.append(target)

    async def release(self, noun: str, name: str) -> None:
        if not self.available:
            raise EngineUnavailableError("Temporal does not answer.")
        self.released.append((noun, name))

    async def start(
        self,
        event: RegistryEvent,
        *,
        timeout: timedelta,  # noqa: ARG002
    ) -> Started:
        if not self.available:
            raise EngineUnavailableError("Temporal does not answer.")
        if self.refuses:
            raise InvalidInputError("Temporal refuses this.")
        before = event_workflow_id(event.source, id_before(event.id) or "")
        repeated = self.events.get(before)
        if repeated and (event.received_at - repeated.received_at).total_seconds() <= WINDOW:
            return Started(event_id=repeated.id, duplicate=True)
        workflow_id = event_workflow_id(event.source, event.id)
        duplicate = workflow_id in self.events
        self.events.setdefault(workflow_id, event)
        return Started(event_id=event.id, duplicate=duplicate)


@dataclass
class FakeGate:
    """A `TargetGate` that gives the same answer to all, and remembers how attempts ended.

    `leaving.clear()` has those that leave wait.
    """

    answer: NotYet | Closed | None = None
    changes: Sequence[HealthChange] = ()
    asked: list[tuple[str, bool]] = field(default_factory=list)
    left: list[AttemptRecord | None] = field(default_factory=list)
    leaving: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.leaving.set()

    async def enter(self, target: Target, *, queued: bool) -> Permit | NotYet | Closed:
        self.asked.append((target.name, queued))
        return self.answer or Permit(target)

    async def leave(
        self,
        permit: Permit,  # noqa: ARG002
        record: AttemptRecord | None,
    ) -> Sequence[HealthChange]:
        self.left.append(record)
        await self.leaving.wait()
        return self.changes


@dataclass
class FakeStates:
    """`TargetStates`, and what the gate asks, in memory; a test may put in what is known.

    `seen` are the figures where no attempt was noted. `available = False` takes the database away.
    """

    known: dict[str, TargetHealth] = field(default_factory=dict)
    seen: Figures = field(default_factory=Figures)
    available: bool = True
    clock: Callable[[], datetime] = _now
    at_gates: dict[str, Standing] = field(default_factory=dict)
    noted: dict[str, list[tuple[datetime, AttemptRecord]]] = field(default_factory=dict)

    async def health(self, name: str) -> TargetHealth:
        self._check()
        return self.known.get(name, TargetHealth())

    async def unhealthy(self) -> Mapping[str, TargetHealth]:
        self._check()
        return {name: health for name, health in self.known.items() if not health.is_healthy}

    async def reset(self, name: str) -> TargetHealth:
        self._check()
        was = self._standing(name)
        self._keep(name, begun_anew(was))
        return was.health

    async def figures(self, name: str, since: datetime) -> Figures:
        self._check()
        if name not in self.noted:
            return self.seen
        records = [record for at, record in self.noted[name] if at >= since]
        taken = [record.timings_ms.total for record in records if record.response]
        counted = Counter(map(latency_class, taken))
        return Figures(
            attempts=len(records),
            delivered=sum(record.outcome is AttemptOutcome.DELIVERED for record in records),
            p50=percentile(counted, 0.5),
            p90=percentile(counted, 0.9),
            p99=percentile(counted, 0.99),
        )

    async def room(self, target: Target) -> Room:
        self._check()
        return room(self._standing(target.name), target, self.clock())

    async def emptied(self, name: str) -> None:
        self._check()
        self._keep(name, replace(self._standing(name), backlog=False))

    async def is_free(self, target: Target) -> bool:
        self._check()
        return self._standing(target.name).health.is_healthy and not is_limited(target)

    async def admit(self, target: Target, *, queued: bool) -> Permit | NotYet | Closed:
        self._check()
        standing, lease = self._standing(target.name), uuid.uuid4().hex
        answer, standing = admit(standing, target, lease, self.clock(), queued=queued)
        self._keep(target.name, standing)
        return answer

    async def settle(self, permit: Permit, record: AttemptRecord | None) -> Sequence[HealthChange]:
        self._check()
        name, now = permit.target.name, self.clock()
        if record and counts(record):
            self.noted.setdefault(name, []).append((now, record))
        changes, standing = settle(self._standing(name), permit, record, now)
        self._keep(name, standing)
        return changes

    def _standing(self, name: str) -> Standing:
        health = self.known.get(name, TargetHealth())
        return replace(self.at_gates.get(name, Standing()), health=health)

    def _keep(self, name: str, standing: Standing) -> None:
        self.known[name], self.at_gates[name] = standing.health, standing

    def _check(self) -> None:
        if not self.available:
            raise StoreUnavailableError("The policy database does not answer.")


@dataclass
class FakePings:
    """`Pings` that remembers what it sent; `ends_in_time = False`: the receiver is slow."""

    available: bool = True
    ends_in_time: bool = True
    sent: list[tuple[RegistryEvent, str, str, timedelta]] = field(default_factory=list)

    async def ping(
        self, event: RegistryEvent, target: str, format_: str, *, wait: timedelta
    ) -> bool:
        if not self.available:
            raise EngineUnavailableError("Temporal does not answer.")
        self.sent.append((event, target, format_, wait))
        return self.ends_in_time


@dataclass
class FakeFailed:
    """`FailedDeliveries`, of each its newest run; `broken` are those that cannot be reset."""

    runs: list[FailedRun] = field(default_factory=list)
    exact: bool = True
    available: bool = True
    broken: dict[str, PortcallError] = field(default_factory=dict)
    asked: list[FailedFilter] = field(default_factory=list)
    sent: list[tuple[str, str, bool]] = field(default_factory=list)

    async def count(self, wanted: FailedFilter) -> FailedCount:
        if not self.available:
            raise EngineUnavailableError("Temporal does not answer.")
        self.asked.append(wanted)
        return FailedCount(count=len(self.runs), exact=self.exact)

    async def oldest(
        self,
        wanted: FailedFilter,
        *,
        after: datetime | None,  # noqa: ARG002
        before: datetime,  # noqa: ARG002
    ) -> FailedPage:
        self.asked.append(wanted)
        return FailedPage(runs=tuple(self.runs))

    async def send_again(self, run: FailedRun, *, reason: str, repeated: bool) -> SentAgain:
        if run.id in self.broken:
            raise self.broken[run.id]
        if run not in self.runs:
            return "skipped"
        self.runs.remove(run)
        self.sent.append((run.id, reason, repeated))
        return "redelivered"


class FakeRedeliveries:
    """`Redeliveries` that come to `done` at the second look."""

    def __init__(self) -> None:
        self.available = True
        self.found: dict[str, Redelivery] = {}
        self.done = Progress(redelivered=3)
        self.total = 3

    async def start(self, wanted: FailedFilter, reason: str) -> Redelivery:
        if not self.available:
            raise EngineUnavailableError("Temporal does not answer.")
        identity = redelivery_id(wanted)
        running = self.found.get(identity)
        if not running or running.state is not RedeliveryState.RUNNING:
            self.found[identity] = Redelivery(
                id=identity, state=RedeliveryState.RUNNING, filter=wanted.named(), reason=reason,
                started_at=datetime.now(UTC),
            )  # fmt: skip
        return self.found[identity]

    async def redelivery(self, redelivery_id: str) -> Redelivery:
        if redelivery_id not in self.found:
            raise NotFoundError(f"There is no redelivery {redelivery_id}.")
        found = self.found[redelivery_id]
        ended = {"state": RedeliveryState.DONE, "left": 0, "ended_at": datetime.now(UTC)}
        known = found if found.total is None else found.model_copy(update=ended)
        self.found[redelivery_id] = found.model_copy(
            update={**dict(self.done), "total": self.total, "left": self.total - self.done.done}
        )
        return known

    async def cancel(self, redelivery_id: str) -> None:
        found = await self.redelivery(redelivery_id)
        if found.state is not RedeliveryState.RUNNING:
            raise ConflictError("The redelivery has ended; there is nothing to cancel.")
        cancelled = {"state": RedeliveryState.CANCELLED}
        self.found[redelivery_id] = found.model_copy(update=cancelled)


@dataclass
class FakeAccessTokens:
    """`AccessTokens` that always has this one, or this objection."""

    answer: str | AttemptError = "an-access-token"

    async def token(self, auth: OAuth2Auth, *, renew: bool = False) -> str | AttemptError:  # noqa: ARG002
        return self.answer


@dataclass
class FakeTokens:
    """A `TokenVerifier` that trusts one token; `available = False` takes the issuer away."""

    trusted: str = "a-trusted-token"
    available: bool = True

    async def refusal(self, token: str, wanted: OidcAuth) -> str | None:
        if not self.available:
            raise UnavailableError("The keys of the token's issuer are not known yet.")
        return None if token == self.trusted else f"no key of {wanted.issuer} signed it"


@dataclass
class FakeRepository:
    """A `Repository` in memory; `why` is what stands in the way of an answer."""

    name: str
    why: str | None = None
    manifests: dict[str, Manifest] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    tagged: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def push(self, document: Mapping[str, Any], *tags: str) -> str:
        """Keep a manifest under its digest and tags."""
        content = json.dumps(document).encode()
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        manifest = Manifest(digest, document.get("mediaType"), content)
        self.manifests |= dict.fromkeys((digest, *tags), manifest)
        self.tagged += tags
        return digest

    async def manifest(self, reference: str) -> Manifest | None:
        self._ask(reference)
        return self.manifests.get(reference)

    async def digest(self, tag: str) -> str | None:
        manifest = await self.manifest(tag)
        return manifest.digest if manifest else None

    async def blob(self, digest: str) -> bytes | None:
        self._ask(digest)
        return self.blobs.get(digest)

    async def tags(self, limit: int) -> tuple[Sequence[str], bool]:
        self._ask("tags")
        return self.tagged[:limit], len(self.tagged) > limit

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.why:
            raise UnavailableError(self.why)


@dataclass
class FakeRegistries:
    """`Registries` of which each has one repository, by its name."""

    repositories: dict[str, FakeRepository] = field(default_factory=dict)
    accesses: list[RegistryAccess] = field(default_factory=list)

    def repository(self, access: RegistryAccess, name: str) -> FakeRepository:
        self.accesses.append(access)
        return self.repositories.setdefault(name, FakeRepository(name))
