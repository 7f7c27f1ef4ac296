"""The policy database: three collections, and the snapshot of them that matching reads."""

import asyncio
import time
from datetime import timedelta

from sqlalchemy import func, select

from portcall.adapters.database.connections import Connections
from portcall.adapters.database.secret_key import SecretBox
from portcall.adapters.database.specs import PolicyCollection, SqlCollection, TargetCollection
from portcall.adapters.database.tables import changes, policies, sources, targets
from portcall.policies import Policy, Source
from portcall.ports import PolicySnapshot

POLL_INTERVAL = timedelta(milliseconds=500)
"""How long a snapshot is used before the counter of changes is asked again."""


class SqlPolicyStore:
    """A `PolicyStore` in SQL."""

    def __init__(self, connections: Connections, box: SecretBox) -> None:
        self._connections = connections
        self.sources = SqlCollection(connections, sources, Source, box)
        self.targets = TargetCollection(connections, box)
        self.policies = PolicyCollection(connections, box)
        self._snapshots = _SnapshotCache(connections)

    async def snapshot(self) -> PolicySnapshot:
        """Give what matching needs; a change made elsewhere shows within `POLL_INTERVAL`."""
        return await self._snapshots.get()

    async def ping(self) -> None:
        """Raise StoreUnavailableError where the database does not answer."""
        async with self._connections.reading() as connection:
            await connection.execute(select(1))

    async def check_secrets(self) -> None:
        """Raise ConfigurationError where the secret key does not open what is stored."""
        await self.sources.list()
        await self.targets.list()

    async def renew_secrets(self) -> None:
        """Encrypt all secrets with the newest key, so that older ones can be dropped."""
        await self.sources.renew_secrets()
        await self.targets.renew_secrets()


class _SnapshotCache:
    """The last snapshot, and what it was read at."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._lock = asyncio.Lock()
        self._snapshot = PolicySnapshot()
        self._counter: int | None = None
        self._changed_here = -1
        self._polled_at = 0.0

    async def get(self) -> PolicySnapshot:
        if not self._is_fresh():
            async with self._lock:
                if not self._is_fresh():
                    await self._poll()
        return self._snapshot

    def _is_fresh(self) -> bool:
        age = time.monotonic() - self._polled_at
        return (
            self._changed_here == self._connections.changed_here
            and age < POLL_INTERVAL.total_seconds()
        )

    async def _poll(self) -> None:
        # Both are taken before the specs are read: a change in between is found by the next poll.
        polled_at, changed_here = time.monotonic(), self._connections.changed_here
        async with self._connections.reading() as connection:
            counter = await connection.scalar(select(changes.c.counter))
            if counter != self._counter:
                specs = await connection.scalars(select(policies.c.spec).order_by(policies.c.name))
                found = [Policy.model_validate(spec) for spec in specs]
                off = targets.c.spec["enabled"].as_boolean().is_(False)
                fate = func.coalesce(targets.c.spec["while_disabled"].as_string(), "skip")
                skipping = select(targets.c.name).where(off, fate == "skip")
                disabled = await connection.scalars(skipping)
                self._snapshot = PolicySnapshot(
                    policies=tuple(policy for policy in found if policy.enabled),
                    disabled_targets=frozenset(disabled),
                )
        self._counter, self._polled_at, self._changed_here = counter, polled_at, changed_here
