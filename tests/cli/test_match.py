import json

import pytest

from api.policies import MISSES_SHOWN
from portcall.policies import Policy, Target
from tests.cli.conftest import Backend, Run


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


async def test_more_misses_than_are_listed_are_counted(run: Run, policies: Backend):
    for number in range(MISSES_SHOWN + 20):
        policy = Policy(name=f"p{number}", match={"repository": {"in": ["x"]}}, targets=["ci"])
        await policies.store.policies.create(policy)
    ran = run("match", "--repository", "prod/app", "--tag", "v1", "--source", "reg")
    assert ran.out.splitlines()[-1] == "and 20 more that do not match"


async def test_policies_for_other_events_are_counted(run: Run, policies: Backend):
    for name, match in (("a", {"sources": ["x"]}), ("b", {"event_types": ["scan.*"]})):
        await policies.store.policies.create(Policy(name=name, match=match, targets=["ci"]))
    ran = run("match", "--repository", "prod/app", "--tag", "v1", "--source", "reg")
    assert ran.out.splitlines()[-1] == "For other events: 1 by event_types, 1 by sources"
