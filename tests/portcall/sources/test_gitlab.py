import json
from datetime import UTC, datetime

import pytest

from tests.portcall.sources.notifications import body, facts, only, parse

DIGESTS = tuple("sha256:" + letter * 64 for letter in "abc")


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("push", {"type": "artifact.pushed", "tags": ("1.4.2",), "digest": DIGESTS[0]}),
        ("pull", {"type": "artifact.pulled", "tags": ("1.4.2",), "actor": "ada"}),
        ("delete", {"type": "artifact.deleted", "tags": (), "digest": DIGESTS[0], "size": None}),
        ("tag-delete", {"type": "tag.deleted", "tags": ("1.4.2",), "digest": None}),
        ("repository-delete", {"type": "repository.deleted", "tags": (), "actor": None}),
        ("blob-push", {"type": "blob.pushed", "media_type": "application/octet-stream"}),
        ("blob-mount", {"type": "blob.mounted", "size": 2107}),
    ],
)
def test_the_fork_is_read_as_what_it_came_from(case, expected):
    event = only("gitlab", body("gitlab", case))
    assert facts(event, expected) == expected
    recorded = json.loads(body("gitlab", case))["events"][0]
    assert (event.kind, event.id) == ("gitlab", recorded["id"])
    assert event.native_type == recorded["action"]
    assert event.registry == "registry.gitlab.example.test"
    assert event.occurred_at == datetime(2025, 6, 15, 15, 6, 40, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("repository", "project"),
    [("shop/backend/api/web", "shop/backend/api"), ("shop/web", "shop"), ("web", None)],
)
def test_the_project_is_all_but_the_last_part_of_the_name(repository, project):
    envelope = json.loads(body("gitlab", "push"))
    envelope["events"][0]["target"]["repository"] = repository
    event = only("gitlab", envelope)
    assert (event.repository, event.project) == (repository, project)


def test_what_kind_of_user_it_was_is_kept():
    assert only("gitlab", body("gitlab", "push")).attributes["user_type"] == "build"


def test_a_renamed_repository_says_from_where_to_where():
    event = only("gitlab", body("gitlab", "rename"))
    assert (event.type, event.repository) == ("gitlab.rename", "shop/backend/api")
    expected = {
        "rename_type": "namespace",
        "renamed_from": "shop/backend/api",
        "renamed_to": "shop/platform/api",
    }
    assert {name: event.attributes[name] for name in expected} == expected


def test_only_the_index_of_a_push_for_two_platforms_has_a_tag():
    first, second, index = parse("gitlab", body("gitlab", "index-and-its-children")).events
    assert (first.tags, second.tags, index.tags) == ((), (), ("1.4.2",))
    assert index.platforms == ("linux/amd64", "linux/arm64/v8")
    children = [child["digest"] for child in index.attributes["references"]]
    assert children == [first.digest, second.digest]


def test_an_unforeseen_action_needs_a_name_and_an_id_alone():
    event = only("gitlab", {"events": [{"id": "1", "action": "Import"}]})
    assert (event.type, event.native_type, event.repository) == ("gitlab.import", "Import", None)


def test_a_known_action_needs_a_target():
    (refusal,) = parse("gitlab", {"events": [{"id": "1", "action": "push"}]}).refusals
    assert refusal.error.field == "events.0.target"
