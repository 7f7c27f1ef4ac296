import json

import pytest

from portcall.policies import Policy, Target
from tests.cli.conftest import Backend, Run
from tests.cli.logs import event

FILE = """
policy:
  name: new
  format: slack
  targets: [ci]
"""


@pytest.fixture(autouse=True)
async def stored(backend: Backend) -> None:
    target = Target(name="ci", url="https://ci.example/hook", headers={"X-Api-Key": "planted"})
    await backend.store.targets.create(target)
    await backend.store.targets.create(Target(name="log", url="https://log.example"))
    match = {"repository": {"glob": "prod/**"}}
    await backend.store.policies.create(Policy(name="deploy", targets=["ci", "log"], match=match))


def test_the_request_for_each_target_is_shown_without_secrets(run: Run):
    ran = run("policies", "preview", "deploy", "--repository", "prod/app", "--tag", "v1")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[:2] == ["To ci", "> POST https://ci.example/hook"]
    assert "> X-Api-Key: [redacted]" in lines
    assert '      "fullName": "prod/app",' in "\n".join(lines)
    assert lines[lines.index("To log") - 1] == ""
    assert "planted" not in ran.out


def test_an_event_of_the_log_and_one_of_a_file_are_shown(run: Run, backend: Backend):
    known = event("e1")
    backend.events.found.append(known)
    ran = run("policies", "preview", "deploy", "--event", "e1", "--json")
    [ci, _] = json.loads(ran.out)["requests"]
    assert '"eventType":"PUSH"' in ci["request"]["body"]
    described = json.dumps({"type": "tag.deleted", "repository": "prod/app"})
    ran = run("policies", "preview", "deploy", "--event-file", "-", stdin=described)
    assert '"eventType": "DELETE"' in ran.out


def test_a_policy_of_a_file_is_shown_before_it_is_saved(run: Run, backend: Backend):
    ran = run("policies", "preview", "new", "--file", "-", "--tag", "v1", stdin=FILE)
    assert ran.code == 0
    assert "Artifact pushed" in ran.out
    assert "new" not in backend.store.policies.rows


def test_what_would_not_be_sent_says_why_and_ends_with_one(run: Run):
    ran = run("policies", "preview", "deploy", "--repository", "test/app", "--tag", "v1")
    assert ran.code == 1
    assert "To ci" in ran.out
    assert "This would not be sent:" in ran.out
    assert ran.out.splitlines()[-1].split() == [
        "deploy",
        "repository",
        "glob:",
        "prod/**",
        "test/app",
    ]


def test_a_policy_that_groups_is_shown_with_several_events_too(run: Run):
    file = FILE + "  group: {by: [repository]}\n"
    described = ("--repository", "prod/app", "--tag", "v1")
    ran = run("policies", "preview", "new", "--file", "-", *described, stdin=file)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[lines.index("To ci, of several events") - 1] == ""
    assert "2 pushes to" in ran.out
