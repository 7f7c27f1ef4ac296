from datetime import UTC, datetime, timedelta

import pytest

from portcall.errors import NotificationError
from tests.portcall.sources.notifications import RECEIVED, body, facts, only, parse, recorded

PUSHED = datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC)
PUSH = {
    "push_data": {"tag": "v1", "pushed_at": 1750000000},
    "repository": {"repo_name": "acme/web"},
}


def changed(part, **members):
    return PUSH | {part: PUSH[part] | members}


def test_a_push_names_who_and_when_but_no_digest():
    event = only("dockerhub", body("dockerhub", "push"))
    expected = {
        "kind": "dockerhub",
        "type": "artifact.pushed",
        "native_type": "push",
        "registry": "docker.io",
        "project": "acme",
        "repository": "acme/web",
        "tags": ("1.4.2",),
        "digest": None,
        "actor": "acmebot",
        "visibility": "private",
        "url": "https://hub.docker.example/r/acme/web",
        "occurred_at": PUSHED,
        "attributes": {"actor_verified": False},
    }
    assert facts(event, expected) == expected


def test_a_time_in_exponent_form_is_the_same_time():
    event = only("dockerhub", body("dockerhub", "push-at-a-float"))
    assert (event.occurred_at, event.visibility) == (PUSHED, "public")
    assert event.id == only("dockerhub", body("dockerhub", "push")).id


def test_the_media_type_is_kept_where_it_is_given():
    event = only("dockerhub", body("dockerhub", "push-with-a-media-type"))
    assert event.media_type == "application/vnd.oci.image.index.v1+json"


def test_nothing_of_the_callback_is_taken_over_but_the_original():
    event = only("dockerhub", body("dockerhub", "push"))
    assert "hook/x" in (event.raw.body if event.raw else "")
    assert "hook/x" not in event.without_raw().model_dump_json()


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ({"repo_name": "acme/web"}, ("acme", "acme/web")),
        ({"namespace": "acme", "name": "web"}, ("acme", "acme/web")),
        ({"namespace": "library", "repo_name": "redis"}, ("library", "redis")),
        ({"repo_name": "redis"}, (None, "redis")),
    ],
)
def test_the_namespace_is_the_project(repository, expected):
    event = only("dockerhub", PUSH | {"repository": repository})
    assert (event.project, event.repository) == expected
    assert event.visibility is None


def test_the_calls_that_one_push_makes_for_several_platforms_are_one_event():
    first, second = (changed("push_data", images=[n], pusher="ci") for n in (1, 2))
    assert only("dockerhub", first).id == only("dockerhub", second).id


@pytest.mark.parametrize(
    "other",
    [
        changed("push_data", pushed_at=1750000001),
        changed("push_data", tag="v2"),
        changed("repository", repo_name="acme/api"),
    ],
)
def test_another_push_is_another_event(other):
    assert only("dockerhub", other).id != only("dockerhub", PUSH).id


def test_the_same_push_is_another_event_of_another_source():
    assert only("dockerhub", PUSH, "us").id != only("dockerhub", PUSH, "eu").id


def test_without_a_time_a_push_is_known_by_when_it_came():
    moments = [RECEIVED + timedelta(seconds=seconds) for seconds in (0, 30, 600)]
    first, repeat, later = (
        only("dockerhub", recorded("dockerhub", "minimal", received_at=at)) for at in moments
    )
    assert first.occurred_at == RECEIVED
    assert first.id == repeat.id != later.id


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({}, "push_data"),
        ({"push_data": {}}, "repository"),
        (changed("repository", repo_name=""), "repository.repo_name"),
        (changed("push_data", tag=["v1"]), "push_data.tag"),
        (changed("push_data", pushed_at="soon"), "push_data.pushed_at"),
        (PUSH | {"repository": "acme/web"}, "repository"),
    ],
)
def test_a_refusal_names_the_field(content, field):
    with pytest.raises(NotificationError) as refused:
        parse("dockerhub", content)
    assert refused.value.field == field
