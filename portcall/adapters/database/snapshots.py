"""The snapshot of policies and targets that matching reads: kept, and renewed after a change.

A change shows to every event that comes a quarter of a second later, or a second where the
snapshot is just being renewed. Where renewing takes longer, events wait for it: what has been
changed is never overlooked.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy import Select, func, select

from portcall.adapters.database.connections import Connections
from portcall.adapters.database.tables import changes, policies, targets
from portcall.policies import Policy
from portcall.ports import PolicySnapshot
from portcall.spec import faults

POLL_INTERVAL = timedelta(milliseconds=250)
"""How long a snapshot is used before the counter of changes is asked again."""

OLDEST_IN_USE = timedelta(seconds=1)
"""How old a snapshot may be while the next one is made."""

_PAGE = 500
_Version = tuple[int, datetime]
_Read = Policy | str
"""A policy, or why it cannot be read: one from another version must not stop all the others."""

log = structlog.get_logger(__name__)


class SnapshotCache:
    """The last snapshot, and when it was read."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._lock = asyncio.Lock()
        self._snapshot = PolicySnapshot()
        self._policies: dict[str, tuple[_Version, _Read]] = {}
        self._counter: int | None = None
        self._changed_here = -1
        self._read_at = float("-inf")

    async def get(self) -> PolicySnapshot:
        """Give the snapshot, renewed if it is due."""
        asked_at, changed_here = time.monotonic(), self._connections.changed_here
        age = OLDEST_IN_USE if self._lock.locked() else POLL_INTERVAL
        if not self._serves(asked_at - age.total_seconds(), changed_here):
            async with self._lock:
                # Who waited for another's renewal is often served by it.
                if not self._serves(asked_at - POLL_INTERVAL.total_seconds(), changed_here):
                    await self._renew()
        return self._snapshot

    def _serves(self, since: float, changed_here: int) -> bool:
        return self._read_at >= since and self._changed_here >= changed_here

    async def _renew(self) -> None:
        # All are taken before the specs are read: a change in between is found the next time.
        read_at, changed_here = time.monotonic(), self._connections.changed_here
        [(counter,)] = await self._rows(select(changes.c.counter))
        if counter != self._counter:
            self._policies = await self._read_policies()
            read = {name: policy for name, (_, policy) in self._policies.items()}
            snapshot = PolicySnapshot(
                tuple(policy for policy in read.values() if isinstance(policy, Policy)),
                await self._read_disabled_targets(),
                {name: why for name, why in read.items() if isinstance(why, str)},
            )
            await asyncio.to_thread(lambda: snapshot.index)
            self._snapshot = snapshot
        self._counter, self._read_at, self._changed_here = counter, read_at, changed_here

    async def _read_policies(self) -> dict[str, tuple[_Version, _Read]]:
        """Read those whose version is new; `updated_at` tells one made anew under an old name."""
        columns = (policies.c.name, policies.c.version, policies.c.updated_at)
        versions = {
            name: (version, updated_at)
            for name, version, updated_at in await self._rows(
                select(*columns).order_by(policies.c.name)
            )
        }
        known = {n: p for n, p in self._policies.items() if p[0] == versions.get(n)}
        new = [name for name in versions if name not in known]
        for start in range(0, len(new), _PAGE):
            page = policies.c.name.in_(new[start : start + _PAGE])
            rows = await self._rows(select(*columns, policies.c.spec).where(page))
            known |= await asyncio.to_thread(_parsed, rows)
        return {name: known[name] for name in versions if name in known}

    async def _read_disabled_targets(self) -> frozenset[str]:
        off = targets.c.spec["enabled"].as_boolean().is_(False)
        fate = func.coalesce(targets.c.spec["while_disabled"].as_string(), "skip")
        rows = await self._rows(select(targets.c.name).where(off, fate == "skip"))
        return frozenset(name for (name,) in rows)

    async def _rows(self, wanted: Select[Any]) -> Sequence[Any]:
        async with self._connections.reading() as connection:
            return list(await connection.execute(wanted))


def _parsed(rows: Sequence[Any]) -> dict[str, tuple[_Version, _Read]]:
    return {
        name: ((version, updated_at), _read(name, spec)) for name, version, updated_at, spec in rows
    }


def _read(name: str, spec: Any) -> _Read:
    try:
        return Policy.model_validate(spec)
    except ValidationError as error:
        why = faults(error)
        log.warning("a stored policy cannot be read, and matches nothing", policy=name, why=why)
        return why
