import json
from datetime import UTC, datetime, timedelta

import pytest

from portcall.sources.distribution import Distribution
from portcall.sources.kind import Notification
from tests.portcall.sources.notifications import RECEIVED, body, facts, only, parse

DIGEST = "sha256:" + "a" * 64
INDEX = "application/vnd.oci.image.index.v1+json"


def event(**changes):
    """Give an event as version 3 writes it, changed."""
    return {
        "id": "01a20e6d-c5dc-75c0-8bf3-7191003eaca4",
        "timestamp": "2026-01-02T05:04:04.123456789+02:00",
        "action": "push",
        "target": {"mediaType": INDEX, "digest": DIGEST, "size": 3, "repository": "a/b/c"},
        "request": {"id": "r1", "addr": "192.0.2.1", "host": "reg.example", "method": "PUT"},
        "actor": {"name": "ci"},
        "source": {"addr": "node1:5000", "instanceID": "i1"},
    } | changes


def target(**members):
    return event(target={"repository": "a/b/c", **members})


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        ("manifest-push-by-tag", {"type": "artifact.pushed", "tags": ("v1.2.3",)}),
        ("manifest-push-by-digest", {"type": "artifact.pushed", "tags": ()}),
        ("index-push", {"type": "artifact.pushed", "tags": ("v2",), "media_type": INDEX}),
        (
            "two-platforms-index",
            {
                "tags": ("v3",),
                "platforms": ("linux/amd64", "linux/arm64"),
                "repository": "prod/many",
            },
        ),
        ("two-platforms-amd64", {"type": "artifact.pushed", "tags": (), "platforms": ()}),
        ("two-platforms-arm64", {"type": "artifact.pushed", "tags": (), "platforms": ()}),
        ("manifest-pull", {"type": "artifact.pulled", "tags": ("v1.2.3",)}),
        ("manifest-pull-head", {"type": "artifact.pulled", "tags": ("v1.2.3",)}),
        ("manifest-delete", {"type": "artifact.deleted", "tags": (), "media_type": None}),
        ("tag-delete", {"type": "tag.deleted", "tags": ("v1.2.3",), "digest": None, "size": None}),
        ("blob-push", {"type": "blob.pushed", "media_type": "application/octet-stream"}),
        ("blob-pull", {"type": "blob.pulled", "repository": "prod/app"}),
        ("blob-mount", {"type": "blob.mounted", "repository": "prod/copy"}),
    ],
)
def test_what_a_real_registry_recorded_is_understood(recording, expected):
    found = only("distribution", body("distribution", recording))
    assert facts(found, expected) == expected
    recorded = json.loads(body("distribution", recording))["events"][0]
    assert found.id == recorded["id"]
    assert found.native_type == recorded["action"]
    assert (found.digest or "") == recorded["target"]["digest"]
    assert found.registry == recorded["request"]["host"]
    assert found.correlation_id == recorded["request"]["id"]
    assert found.occurred_at > datetime(2026, 1, 1, tzinfo=UTC)
    assert found.raw is not None
    assert found.raw.content() == body("distribution", recording)


def test_a_head_request_can_be_told_from_a_pull():
    get, head = (body("distribution", name) for name in ("manifest-pull", "manifest-pull-head"))
    assert only("distribution", get).attributes["request_method"] == "GET"
    assert only("distribution", head).attributes["request_method"] == "HEAD"


def test_an_index_names_its_children_and_their_platforms():
    (child,) = only("distribution", body("distribution", "index-push")).attributes["references"]
    assert child["platform"] == "linux/arm64"
    pushed = only("distribution", body("distribution", "manifest-push-by-digest"))
    assert child["digest"] == pushed.digest


def test_a_mounted_blob_says_where_it_came_from():
    mounted = only("distribution", body("distribution", "blob-mount"))
    assert mounted.attributes["from_repository"] == "prod/app"


def test_everything_about_an_event_is_kept():
    full = only("distribution", {"events": [event()]})
    expected = {
        "kind": "distribution",
        "source": "eu",
        "project": "a",
        "repository": "a/b/c",
        "digest": DIGEST,
        "size": 3,
        "actor": "ci",
        "received_at": RECEIVED,
    }
    assert facts(full, expected) == expected


def test_nanoseconds_are_cut_to_microseconds_and_the_time_is_utc():
    moment = only("distribution", {"events": [event()]}).occurred_at
    assert moment == datetime(2026, 1, 2, 3, 4, 4, 123456, tzinfo=UTC)
    assert moment.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("members", "event_type"),
    [
        ({"digest": DIGEST}, "artifact.deleted"),
        ({"tag": "v1"}, "tag.deleted"),
        ({}, "repository.deleted"),
    ],
)
def test_deletes_of_version_2_and_version_3_are_the_same(members, event_type):
    empty = {"mediaType": "", "digest": "", "size": 0, "length": 0, "tag": ""}
    item = target(**members) | {"action": "delete"}
    third = target(**(empty | members)) | {"action": "delete"}
    old, new = (only("distribution", {"events": [each]}) for each in (item, third))
    assert old.type == event_type
    assert old.without_raw() == new.without_raw()


def test_a_delete_by_digest_is_marked_as_uncertain():
    deleted = only("distribution", {"events": [target(digest=DIGEST) | {"action": "delete"}]})
    assert deleted.attributes["certainty"] == "low"


@pytest.mark.parametrize(
    ("members", "event_type"),
    [
        ({"url": "http://r/v2/a/blobs/manifests/sha256:1", "mediaType": "x"}, "artifact.pushed"),
        ({"url": "http://r/v2/a/manifests/blobs/sha256:1", "mediaType": INDEX}, "blob.pushed"),
        ({"mediaType": "application/octet-stream"}, "blob.pushed"),
        ({"mediaType": INDEX}, "artifact.pushed"),
        ({"mediaType": "application/octet-stream", "tag": "v1"}, "artifact.pushed"),
        ({}, "artifact.pushed"),
    ],
)
def test_manifests_are_told_from_blobs(members, event_type):
    assert only("distribution", {"events": [target(**members)]}).type == event_type


def test_an_unforeseen_action_keeps_its_name():
    odd = only("distribution", {"events": [event(action="Quarantine Done")]})
    assert (odd.type, odd.native_type) == ("distribution.quarantine_done", "Quarantine Done")


def test_an_action_is_known_in_any_case():
    assert only("distribution", {"events": [event(action="PUSH")]}).type == "artifact.pushed"


def test_a_digest_in_the_place_of_a_tag_is_no_tag():
    pushed = only("distribution", {"events": [target(tag=DIGEST)]})
    assert (pushed.tags, pushed.digest) == ((), DIGEST)


def test_a_repository_without_a_slash_has_no_project():
    assert only("distribution", {"events": [event(target={"repository": "app"})]}).project is None


def test_escaped_characters_are_read_as_what_they_are():
    pushed = only("distribution", b'{"events": [%s]}' % json.dumps(target(tag="v")).encode())
    escaped = json.dumps({"events": [target(tag="v", url="<&>")]}).replace("<", "\\u003c").encode()
    assert b"\\u003c" in escaped
    assert pushed.url is None
    assert only("distribution", escaped).url == "<&>"


@pytest.mark.parametrize("content", [{}, {"events": []}, {"events": None}])
def test_an_empty_envelope_says_nothing(content):
    parsed = parse("distribution", content)
    assert (parsed.events, parsed.refusals) == ((), ())


def test_of_several_events_one_that_is_wrong_does_not_stop_the_others():
    wrong = event(target={"digest": DIGEST})
    envelope = {"events": [event(id="one"), wrong, event(id="three", action="pull")]}
    parsed = parse("distribution", envelope)
    assert [found.id for found in parsed.events] == ["one", "three"]
    (refusal,) = parsed.refusals
    assert (refusal.error.reason, refusal.error.field) == (
        "missing_field",
        "events.1.target.repository",
    )
    assert json.loads(refusal.raw) == {"events": [wrong]}


def test_each_of_several_events_keeps_only_its_own_bytes():
    first, second = event(id="one"), event(id="zwei", actor={"name": "Zoë \ud800"})
    raws = [found.raw for found in parse("distribution", {"events": [first, second]}).events]
    assert [json.loads(raw.content()) for raw in raws if raw] == [
        {"events": [first]},
        {"events": [second]},
    ]


def test_a_parked_event_can_be_parsed_again_by_itself():
    envelope = {"events": [event(), event(id="")]}
    (refusal,) = parse("distribution", envelope).refusals
    (again,) = parse("distribution", refusal.raw).refusals
    assert again.error.field == "events.0.id"


@pytest.mark.parametrize(
    ("item", "field", "reason"),
    [
        (7, "events.0", "wrong_type"),
        (event(id=None), "events.0.id", "missing_field"),
        (event(id=5), "events.0.id", "wrong_type"),
        (event(action=""), "events.0.action", "missing_field"),
        (event(timestamp="yesterday"), "events.0.timestamp", "wrong_type"),
        (event(timestamp=True), "events.0.timestamp", "wrong_type"),
        (event(target=[]), "events.0.target", "wrong_type"),
        ({"id": "1", "action": "push"}, "events.0.target", "missing_field"),
        (target(tag=1), "events.0.target.tag", "wrong_type"),
        (target(digest="latest"), "events.0.target.digest", "wrong_type"),
        (event(target={"repository": "a" * 256}), "events.0.target.repository", "too_long"),
    ],
)
def test_a_refusal_names_the_field(item, field, reason):
    (refusal,) = parse("distribution", {"events": [item]}).refusals
    assert (refusal.error.field, refusal.error.reason) == (field, reason)


def test_the_same_event_has_the_same_id_wherever_it_stands():
    once = only("distribution", {"events": [event()]})
    twice = parse("distribution", {"events": [event(id="x"), event()]}).events[1]
    assert once.id == twice.id == event()["id"]


def test_an_id_that_no_workflow_id_may_hold_is_hashed():
    assert only("distribution", {"events": [event(id="a:b/c")]}).id != "a:b/c"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/vnd.docker.distribution.events.v1+json",
        "application/vnd.docker.distribution.events.v2+json",
        "application/json; charset=utf-8",
    ],
)
def test_the_content_type_is_kept_with_the_original_and_decides_nothing(content_type):

    raw = json.dumps({"events": [event()]}).encode()
    notification = Notification("eu", raw, {"content-type": content_type}, received_at=RECEIVED)
    (found,) = Distribution().parse(notification).events
    assert found.raw is not None
    assert found.raw.content_type == content_type


def test_an_index_names_the_images_that_came_before_it():
    index = only("distribution", body("distribution", "two-platforms-index"))
    children = [
        only("distribution", body("distribution", f"two-platforms-{name}"))
        for name in ("amd64", "arm64")
    ]
    named = [reference["digest"] for reference in index.attributes["references"]]
    assert named == [child.digest for child in children]
