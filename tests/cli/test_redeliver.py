import json

import pytest

from portcall.redeliveries import FailedRun, Progress
from tests.cli.conftest import Backend, Run

RUNS = [FailedRun(id=f"delivery:s:{number}:p:ci", run_id="r") for number in range(3)]
EVERY_OPTION = {
    "--source": "s",
    "--event-type": "artifact.pushed",
    "--event-id": "e1",
    "--repository": "prod/*",
    "--tag": "v1",
    "--digest": "sha256:ab",
    "--policy": "p",
    "--target": "ci",
    "--outcome": "rejected",
    "--http-status": "404",
    "--since": "2026-07-30T12:00:00Z",
    "--until": "2026-07-31T12:00:00Z",
    "--failed-since": "2026-07-30T13:00:00Z",
}


def test_all_that_failed_is_sent_again_and_followed_to_the_end(run: Run, backend: Backend):
    ran = run("deliveries", "redeliver", "--target", "ci", "--reason", "receiver repaired")
    assert (ran.code, ran.out) == (0, "3 of 3 sent again\n")
    [begun] = backend.redeliveries.found.values()
    assert (begun.filter, begun.reason) == ({"target": "ci"}, "receiver repaired")


def test_every_filter_of_the_list_can_be_given(run: Run, backend: Backend):
    options = [part for pair in EVERY_OPTION.items() for part in pair]
    assert run("deliveries", "redeliver", *options, "--yes").code == 0
    [begun] = backend.redeliveries.found.values()
    names = {option.removeprefix("--").replace("-", "_") for option in EVERY_OPTION}
    assert begun.filter.keys() == names


def test_a_dry_run_says_how_many_there_are_and_sends_none(run: Run, backend: Backend):
    backend.failed.runs = list(RUNS)
    ran = run("deliveries", "redeliver", "--target", "ci", "--dry-run")
    assert (ran.code, ran.out) == (0, "3 deliveries would be sent again.\n")
    backend.failed.runs, backend.failed.exact = RUNS[:1], False
    ran = run("deliveries", "redeliver", "--since", "2h", "--dry-run")
    assert ran.out == "At most 1 delivery would be sent again.\n"
    ran = run("deliveries", "redeliver", "--target", "ci", "--dry-run", "--json")
    assert json.loads(ran.out) == {"count": 1, "exact": False}
    assert backend.redeliveries.found == {}


def test_that_there_was_nothing_to_send_again_is_said(run: Run, backend: Backend):
    backend.redeliveries.done, backend.redeliveries.total = Progress(), 0
    ran = run("deliveries", "redeliver", "--target", "misspelt")
    assert (ran.code, ran.out) == (0, "Nothing that failed fits\n")


def test_one_that_could_not_be_sent_again_makes_the_exit_code_1(run: Run, backend: Backend):
    backend.redeliveries.done = Progress(redelivered=2, failed=1, problem="it is gone")
    ran = run("deliveries", "redeliver", "--policy", "p")
    assert (ran.code, ran.out) == (1, "2 of 3 sent again, 1 failed\n")
    assert "it is gone" in ran.err


def test_a_redelivery_as_json_is_one_document(run: Run, backend: Backend):
    ran = run("deliveries", "redeliver", "--target", "ci", "--json")
    shown = json.loads(ran.out)
    assert (shown["state"], shown["redelivered"], shown["left"]) == ("done", 3, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--yes"],
        ["delivery:s:1:p:ci", "--target", "ci"],
        ["--target", "ci", "--wait"],
        ["delivery:s:1:p:ci", "--dry-run"],
    ],
)
def test_it_is_either_one_or_all_that_fit(run: Run, backend: Backend, arguments: list[str]):
    ran = run("deliveries", "redeliver", *arguments)
    assert ran.code == 2
    assert "either the ID" in ran.err
    assert backend.redeliveries.found == {}


def test_while_temporal_is_away_it_says_so(run: Run, backend: Backend):
    backend.redeliveries.available = False
    ran = run("deliveries", "redeliver", "--target", "ci")
    assert (ran.code, ran.err) == (3, "Temporal does not answer.")
