"""A change that would break running workflows fails here: see `scenarios.py` for what to do."""

import json
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from tests.replay.scenarios import HISTORIES, SCENARIOS, fingerprint
from tests.workflows.scripted import sandbox
from worker.wiring import WORKFLOWS

FINGERPRINTS = json.loads((HISTORIES.parent / "fingerprints.json").read_text())


@pytest.mark.parametrize("path", sorted(HISTORIES.glob("*.json")), ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    replayer = Replayer(
        workflows=WORKFLOWS,
        data_converter=pydantic_data_converter,
        workflow_runner=sandbox(),
    )
    await replayer.replay_workflow(WorkflowHistory.from_json(path.stem, path.read_text()))


@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_code_gives_the_commands_that_it_gave(name: str, temporal_client: Client) -> None:
    history = await SCENARIOS[name](temporal_client)
    assert fingerprint(history) == FINGERPRINTS[name]


def test_every_scenario_has_a_history() -> None:
    recorded = {path.stem for path in HISTORIES.glob("*.json")}
    assert set(SCENARIOS) <= recorded
    assert set(SCENARIOS) == set(FINGERPRINTS)
