import json
from datetime import UTC, datetime, timedelta

import pytest

from portcall.policies import Policy, Target
from tests.cli.conftest import Backend, Run
from tests.cli.logs import event

NOW = datetime.now(UTC)
FILE = """
policy:
  name: new
  match: {repository: {glob: "test/**"}}
  targets: [ci]
"""


@pytest.fixture
async def log(backend: Backend) -> Backend:
    await backend.store.targets.create(Target(name="ci", url="https://ci.example"))
    match = {"repository": {"glob": "prod/**"}, "tag": {"regex": "v.*"}}
    await backend.store.policies.create(
        Policy(name="deploy", targets=["ci"], match=match, enabled=False)
    )
    for number in range(1, 6):
        known = event(f"e{number}")
        fact = {
            "received_at": NOW - timedelta(hours=number),
            "repository": "test/app" if number == 5 else "prod/app",
            "tags": ("edge",) if number == 4 else ("v1", "latest"),
        }
        known = known.model_copy(update={"event": known.event.model_copy(update=fact)})
        backend.events.found.append(known)
    return backend


def test_what_a_policy_would_have_matched_is_told_with_examples(run: Run, log: Backend):
    ran = run("policies", "backtest", "deploy")
    assert ran.code == 0
    verdict, ruled_out, failed, _, headings, first, *_ = ran.out.splitlines()
    assert verdict.startswith("deploy would have matched 3 of 5 events since 20")
    assert ruled_out == "1 are of other sources, types or repositories."
    assert failed == "The first condition that the others fail: tag 1."
    assert headings.split() == ["RECEIVED", "EVENT", "REPOSITORY", "TAGS", "SOURCE", "ID"]
    assert first.split()[1:] == [
        "artifact.pushed", "prod/app", "v1,", "latest", "harbor-eu", "e1",
    ]  # fmt: skip


def test_a_policy_of_a_file_is_tried_before_it_is_saved(run: Run, log: Backend):
    ran = run("policies", "backtest", "new", "--file", "-", "--json", stdin=FILE)
    answer = json.loads(ran.out)
    assert (answer["matched"], answer["ruled_out"], answer["next_cursor"]) == (1, 4, None)
    assert "new" not in log.store.policies.rows


def test_a_longer_log_is_asked_for_piece_by_piece_and_added_up(run: Run, log: Backend):
    log.events.found = [
        known.model_copy(update={"event": known.event.model_copy(update={"id": f"{n}-{i}"})})
        for n in range(700)
        for i, known in enumerate(log.events.found)
    ]
    ran = run("policies", "backtest", "deploy", "--json")
    answer = json.loads(ran.out)
    assert (answer["examined"], answer["matched"], answer["misses"]) == (2800, 2100, {"tag": 700})
    assert (answer["candidates"], len(answer["samples"])) == (2800, 20)
    shown = run("policies", "backtest", "deploy")
    assert shown.out.splitlines()[-1] == "and 2080 more"
    assert "of 2800 events examined" in shown.err


def test_no_match_at_all_is_a_no(run: Run, log: Backend):
    nothing = FILE.replace("test/**", "live/**")
    ran = run("policies", "backtest", "new", "-f", "-", "--days", "0.5", stdin=nothing)
    assert ran.code == 1
    assert ran.out.splitlines()[0].startswith("new would have matched 0 of 5 events since")


@pytest.mark.parametrize(
    ("stdin", "said"),
    [
        (FILE.replace("new", "old"), "- has no policy new."),
        ("policy: {name: new", "- cannot be understood."),
        (FILE.replace("glob", "globe"), "match.repository"),
    ],
)
def test_a_file_that_does_not_declare_the_policy_is_refused(
    run: Run, log: Backend, stdin: str, said: str
):
    ran = run("policies", "backtest", "new", "-f", "-", stdin=stdin)
    assert ran.code == 2
    assert said in ran.err


def test_a_policy_that_is_not_there_is_not_found(run: Run, log: Backend):
    assert run("policies", "backtest", "nowhere").code == 4
