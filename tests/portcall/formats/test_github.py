import json

import pytest
from hypothesis import given

from portcall.events import RegistryEvent
from portcall.formats.github import GitHub
from portcall.outgoing import outgoing_request
from portcall.policies import Target
from tests.portcall.formats.events import DIGEST, PUSH, RECORDED, anything, but


def body(event):
    message = GitHub().render(event)
    assert len(message.body) < 64_000
    body = json.loads(message.body)
    assert body.keys() == {"event_type", "client_payload"}
    assert 1 <= len(body["event_type"]) <= 100
    assert len(body["client_payload"]) <= 10
    return body


def test_a_push_starts_a_workflow_that_finds_what_it_needs():
    found = body(PUSH)
    assert found["event_type"] == "artifact.pushed"
    event = found["client_payload"].pop("event")
    assert RegistryEvent.model_validate(event) == PUSH
    assert found["client_payload"] == {
        "id": "e1",
        "source": "eu",
        "registry": "hub.example",
        "repository": "prj/api/web",
        "tag": "1.4.2",
        "tags": ["1.4.2"],
        "digest": DIGEST,
        "actor": "alice",
    }


def test_the_tag_is_null_where_there_is_not_exactly_one():
    assert body(but(tags=("a", "b")))["client_payload"]["tag"] is None


def test_every_recorded_event_is_a_body_that_github_takes():
    for event in RECORDED:
        body(event)


@given(anything)
def test_any_event_at_all_is_a_body_that_github_takes(event):
    body(event)


@pytest.mark.parametrize(
    ("changes", "members"),
    [
        ({"attributes": {"x": "y" * 70_000}}, 9),
        ({"tags": ("t" * 25_000,)}, 8),
        ({"repository": "r" * 70_000}, 2),
    ],
)
def test_what_would_be_too_large_for_github_is_left_out(changes, members):
    payload = body(but(**changes))["client_payload"]
    assert len(payload) == members
    assert payload["id"] == "e1"


def test_the_request_says_which_api_of_github_it_means():
    target = Target(name="gh", url="https://api.github.example/repos/o/r/dispatches")
    message = GitHub().render(PUSH)
    request = outgoing_request(target, message, "msg_1", PUSH.occurred_at)
    headers = dict(request.headers)
    assert headers["Accept"] == "application/vnd.github+json"
    assert headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert headers["Content-Type"] == "application/json"
