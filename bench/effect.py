"""How soon a change of one policy among many takes effect, and what it costs meanwhile."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import insert

from portcall.adapters.database import migrate, open_database
from portcall.adapters.database.connections import Connections
from portcall.adapters.database.store import SqlPolicyStore
from portcall.adapters.database.tables import policies as table
from portcall.policies import Policy, Target
from portcall.secrets import split

KEY = SecretStr("a passphrase of the benchmark")


@dataclass
class Effect:
    """Seconds: the first reading, then what each of some changes took."""

    read: float
    shown: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    stalled: list[float] = field(default_factory=list)
    grown: float = 0.0


async def measure_effect(url: str, policies: Sequence[Policy], changes: int) -> Effect:
    """Change policies in one process's store while another's is asked all the time."""
    await migrate(url)
    async with open_database(url, KEY) as there, open_database(url, KEY) as here:
        await there.store.targets.put(Target(name="ci", url="https://ci.example/hook"))
        await insert_policies(url, policies)
        before, began = _resident(), time.perf_counter()
        await here.store.snapshot()
        effect = Effect(read=time.perf_counter() - began, grown=_resident() - before)
        for number in range(changes):
            place = number * 7 % len(policies)
            changed = policies[place].model_copy(update={"match": policies[-1 - number].match})
            following = asyncio.create_task(_follow(here.store, place, changed, effect))
            await asyncio.sleep(0.1 * (number % 7))
            await there.store.policies.put(changed)
            committed = time.perf_counter()
            effect.shown.append(await following - committed)
    return effect


async def _follow(store: SqlPolicyStore, place: int, changed: Policy, effect: Effect) -> float:
    """Ask as a stream of events does until the change shows; give the time of that."""
    stalls, waits = [0.0], [0.0]
    beating = asyncio.create_task(_beat(stalls))
    while True:
        asked = time.perf_counter()
        snapshot = await store.snapshot()
        now = time.perf_counter()
        waits.append(now - asked)
        if snapshot.policies[place] == changed:
            break
        await asyncio.sleep(0.002)
    beating.cancel()
    effect.waited.append(max(waits))
    effect.stalled.append(max(stalls))
    return now


async def _beat(stalls: list[float]) -> None:
    while True:
        asked = time.perf_counter()
        await asyncio.sleep(0.001)
        stalls.append(time.perf_counter() - asked - 0.001)


async def insert_policies(url: str, policies: Sequence[Policy]) -> None:
    """Insert policies whose target exists, all in one statement."""
    now = datetime.now(UTC)
    rows = [
        {"name": p.name, "spec": split(p)[0], "version": 1, "created_at": now, "updated_at": now}
        for p in policies
    ]
    connections = Connections(url)
    async with connections.changing() as connection:
        await connection.execute(insert(table), rows)
    await connections.engine.dispose()


def _resident() -> float:
    """Give this process's memory in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
