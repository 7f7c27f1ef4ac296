"""The policy database, as everything but its adapter knows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Generic, Protocol, TypeVar

from portcall.index import PolicyIndex
from portcall.own_events import OWN_SOURCE
from portcall.policies import Policy, Source, Target, is_holding

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

    @cached_property
    def wants_own_events(self) -> bool:
        """Whether any policy, switched on or holding, is for events of Portcall's own."""
        return any(
            OWN_SOURCE in (policy.match.sources or ()) and (policy.enabled or is_holding(policy))
            for policy in self.policies
        )


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
