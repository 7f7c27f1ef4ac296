from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities.release_held import HeldBy, release_held


@dataclass
class Engine:
    """A client of Temporal whose search finds these runs; some cannot be signalled."""

    runs: tuple[str, ...] = ("one", "two", "three")
    refusals: dict[str, RPCStatusCode] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    signalled: list[tuple[str, str]] = field(default_factory=list)

    async def list_workflows(self, query: str) -> AsyncIterator[Any]:
        self.asked.append(query)
        for run in self.runs:
            yield SimpleNamespace(id=run, run_id=f"{run}-1")

    def get_workflow_handle(self, workflow_id: str, *, run_id: str) -> Any:
        async def signal(name: str) -> None:
            if workflow_id in self.refusals:
                raise RPCError("refused", self.refusals[workflow_id], b"")
            self.signalled.append((run_id, name))

        return SimpleNamespace(signal=signal)


async def release(engine: Engine, **held_by: str) -> int:
    environment = ActivityEnvironment(client=engine)  # type: ignore[arg-type]
    return await environment.run(release_held, HeldBy.model_validate(held_by))


@pytest.mark.parametrize(
    ("noun", "condition"), [("policy", "Policy = 'p'"), ("target", "Target = 'p'")]
)
async def test_every_delivery_that_is_held_for_it_is_told(noun: str, condition: str) -> None:
    engine = Engine()
    assert await release(engine, noun=noun, name="p") == 3
    assert engine.signalled == [(f"{run}-1", "retry_now") for run in engine.runs]
    [query] = engine.asked
    assert condition in query
    assert "Outcome = 'held' AND ExecutionStatus = 'Running'" in query


async def test_one_that_ended_since_it_was_found_is_passed_over() -> None:
    engine = Engine(refusals={"two": RPCStatusCode.NOT_FOUND})
    assert await release(engine, noun="policy", name="p") == 2


async def test_an_outage_fails_the_walk_so_that_temporal_repeats_it() -> None:
    engine = Engine(refusals={"two": RPCStatusCode.UNAVAILABLE})
    with pytest.raises(RPCError):
        await release(engine, noun="policy", name="p")
