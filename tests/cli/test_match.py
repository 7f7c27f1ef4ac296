import json
from pathlib import Path

import pytest

from api.policies import MISSES_SHOWN
from portcall.policies import Policy, Target
from tests.cli.conftest import Backend, Run
from tests.cli.logs import event as logged


@pytest.fixture
async def policies(backend: Backend) -> Backend:
    await backend.store.targets.create(Target(name="ci", url="https://ci.example"))
    match = {"event_types": ["artifact.pushed"], "repository": {"glob": "prod/**"}}
    await backend.store.policies.create(Policy(name="deploy-prod", match=match, targets=["ci"]))
    return backend


def test_matching_policies_and_their_targets_are_told(run: Run, policies: Backend):
    ran = run("match", "--type", "artifact.pushed", "--repository", "prod/app", "--tag", "v1")
    assert ran.code == 0
    assert [line.split() for line in ran.out.splitlines()] == [
        ["MATCHES", "TARGET", "FORMAT"],
        ["deploy-prod", "ci", "default"],
    ]


def test_the_condition_that_failed_is_told_with_wanted_and_seen(run: Run, policies: Backend):
    ran = run("match", "--repository", "dev/app", "--tag", "v1")
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "No policy matches.",
        "",
        "POLICY       CONDITION   WANTED         SEEN",
        "deploy-prod  repository  glob: prod/**  dev/app",
    ]


def test_the_answer_as_json_is_the_one_of_the_api(run: Run, policies: Backend):
    ran = run("match", "--repository", "prod/app", "--tag", "v1", "--json")
    assert [match["policy"] for match in json.loads(ran.out)["matches"]] == ["deploy-prod"]


async def test_the_nearest_misses_are_listed_and_the_others_counted(run: Run, policies: Backend):
    for number in range(MISSES_SHOWN + 20):
        policy = Policy(name=f"p{number}", match={"repository": {"in": ["x"]}}, targets=["ci"])
        await policies.store.policies.create(policy)
    ran = run("match", "--repository", "prod/app", "--tag", "v1", "--source", "reg")
    assert len(ran.out.splitlines()) == 2 + 1 + 1 + 20 + 1
    assert ran.out.splitlines()[-1] == f"and {MISSES_SHOWN} more that do not match"


async def test_policies_for_other_events_are_counted(run: Run, policies: Backend):
    for name, match in (("a", {"sources": ["x"]}), ("b", {"event_types": ["scan.*"]})):
        await policies.store.policies.create(Policy(name=name, match=match, targets=["ci"]))
    ran = run("match", "--repository", "prod/app", "--tag", "v1", "--source", "reg")
    assert ran.out.splitlines()[-1] == (
        "Policies not listed: 1 for other event types, 1 for other sources"
    )


def test_an_event_of_the_log_is_tried_by_its_id(run: Run, policies: Backend):
    facts = {"repository": "prod/app", "tags": ("v1",)}
    policies.events.found.append(logged(event=logged().event.model_copy(update=facts)))
    assert run("match", "--event", "9f3c1d").code == 0


def test_an_event_that_the_log_does_not_know_is_told(run: Run, policies: Backend):
    ran = run("match", "--event", "nothing")
    assert ran.code == 4
    assert "There is no event nothing." in ran.err


def test_what_the_log_says_of_an_event_is_not_changed(run: Run, policies: Backend):
    ran = run("match", "--event", "9f3c1d", "--tag", "v2")
    assert (ran.code, ran.err) == (2, "--event is a whole event: give nothing beside it.")


@pytest.mark.parametrize("wrap", [lambda event: event, lambda event: {"event": event}])
def test_an_event_in_a_file_is_tried_with_what_options_change(
    run: Run, policies: Backend, tmp_path: Path, wrap
):
    file = tmp_path / "event.json"
    event = {"type": "artifact.pushed", "repository": "dev/app", "tags": ["v1"]}
    file.write_text(json.dumps(wrap(event)))
    assert run("match", "--file", str(file)).code == 1
    assert run("match", "--file", str(file), "--repository", "prod/app").code == 0


@pytest.mark.parametrize(("text", "told"), [("{", "is not JSON: "), ("[]", "is not an event: ")])
def test_a_file_that_holds_no_event_is_told(
    run: Run, policies: Backend, tmp_path: Path, text: str, told: str
):
    file = tmp_path / "event.json"
    file.write_text(text)
    ran = run("match", "--file", str(file))
    assert ran.code == 2
    assert told in ran.err


async def test_more_of_an_event_can_be_described(run: Run, policies: Backend):
    match = {
        "kind": "harbor",
        "project": "prod",
        "digest": {"glob": "sha256:*"},
        "platform": "linux/arm64",
        "media_type": {"glob": "**"},
        "actor": "alice",
    }
    await policies.store.policies.create(Policy(name="all-of-it", match=match, targets=["ci"]))
    facts = {
        "--kind": "harbor",
        "--project": "prod",
        "--digest": "sha256:ab",
        "--platform": "linux/arm64",
        "--media-type": "application/json",
        "--actor": "alice",
        "--tag": "v1",
    }
    ran = run("match", *(word for fact in facts.items() for word in fact), "--json")
    assert [match["policy"] for match in json.loads(ran.out)["matches"]] == ["all-of-it"]
