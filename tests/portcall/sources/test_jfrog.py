from datetime import timedelta

import pytest

from portcall.errors import NotificationError
from portcall.sources.jfrog import Jfrog
from tests.portcall.sources.notifications import (
    RECEIVED,
    facts,
    only,
    parse,
    recorded,
    recording,
    sent,
)

PUSHED = recording("jfrog", "image-pushed")
INDEX = "application/vnd.oci.image.index.v1+json"


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def changed(**data):
    return PUSHED | {"data": PUSHED["data"] | data}


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (
            "image-pushed",
            {
                "type": "artifact.pushed",
                "native_type": "docker.pushed",
                "occurred_at": RECEIVED,
                "registry": "art.example.test",
                "project": "docker-local",
                "repository": "shop/web",
                "tags": ("1.4.2",),
                "digest": digest("1"),
                "media_type": "application/vnd.oci.image.manifest.v1+json",
                "platforms": (),
                "size": 1782,
                "actor": None,
                "url": "https://art.example.test/artifactory/docker-local/shop/web/1.4.2/manifest.json",
                "attributes": {
                    "path": "shop/web/1.4.2/manifest.json",
                    "image_type": "docker",
                    "subscription": "portcall",
                    "service": "jfrog/jfrt@01aa",
                },
            },
        ),
        (
            "index-pushed",
            {
                "tags": ("1.4.2",),
                "digest": digest("3"),
                "media_type": INDEX,
                "platforms": ("linux/amd64", "linux/arm64"),
            },
        ),
        (
            "index-child-pushed",
            {"repository": "shop/web", "tags": (), "digest": digest("2"), "platforms": ()},
        ),
        ("short-image-name", {"repository": "team/shop/web", "tags": ("1.4.2",)}),
        ("image-deleted", {"type": "artifact.deleted", "tags": ("1.4.2",)}),
        ("image-promoted", {"type": "artifact.promoted", "project": "docker-prod"}),
        (
            "cached",
            {
                "type": "cache.synced",
                "repository": "library/busybox",
                "platforms": ("linux/arm/v7",),
            },
        ),
        ("without-origin", {"registry": None, "url": None, "repository": "shop/web"}),
        (
            "with-user",
            {
                "actor": "ci",
                "registry": "art.example.test",
                "url": "https://art.example.test/artifactory/docker-local/shop/web/1.4.2/manifest.json",
            },
        ),
        (
            "artifact-deployed",
            {"type": "jfrog.artifact.deployed", "repository": None, "size": 30000000},
        ),
        ("build-uploaded", {"type": "jfrog.build.uploaded", "project": None, "url": None}),
        (
            "unforeseen-image-event",
            {"type": "jfrog.docker.tagged", "repository": "shop/web", "tags": ("1.4.2",)},
        ),
    ],
)
def test_what_artifactory_sends_is_understood(case, expected):
    event = only("jfrog", recorded("jfrog", case))
    assert facts(event, expected) == expected
    assert event.kind == "jfrog"
    assert event.raw is not None
    assert event.raw.content() == recorded("jfrog", case).body


def test_what_its_test_button_sends_starts_nothing():
    parsed = parse("jfrog", recorded("jfrog", "test-button-ping"))
    assert (parsed.events, parsed.refusals) == ((), ())


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"path": None}, {"repository": "shop/web", "tags": ("1.4.2",), "url": None}),
        ({"path": "1.4.2/manifest.json"}, {"repository": "shop/web"}),
        ({"tag": ""}, {"tags": ("1.4.2",)}),
        ({"tag": None, "path": None}, {"tags": ()}),
        ({"tag": digest("1")}, {"tags": (), "digest": digest("1")}),
        (
            {"tag": "", "sha256": "", "path": f"web/sha256__{'2' * 64}/manifest.json"},
            {"tags": (), "digest": digest("2"), "repository": "web"},
        ),
        ({"sha256": digest("a").upper()}, {"digest": digest("a")}),
        ({"name": None, "path": "shop/web/1/list.manifest.json"}, {"media_type": INDEX}),
        ({"image_name": None, "path": "/shop/web/1/manifest.json"}, {"repository": "shop/web"}),
        ({"platforms": [{"os": "linux"}, {}, 7, {"os": "linux"}]}, {"platforms": ("linux",)}),
    ],
)
def test_an_image_is_found_in_its_path_and_in_its_own_fields(data, expected):
    assert facts(only("jfrog", changed(**data)), expected) == expected


def test_an_image_event_nobody_foresaw_may_name_no_image():
    event = only("jfrog", sent({"domain": "docker", "event_type": "cleaned"}))
    assert (event.type, event.repository) == ("jfrog.docker.cleaned", None)


def test_a_repeat_is_the_same_event_and_the_same_push_later_another():
    first, repeat, later = (
        only("jfrog", recorded("jfrog", "image-pushed", received_at=RECEIVED + after)).id
        for after in (timedelta(0), timedelta(seconds=5), timedelta(hours=1))
    )
    assert first == repeat != later


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({}, "domain", "missing_field"),
        (PUSHED | {"event_type": None}, "event_type", "missing_field"),
        (PUSHED | {"data": None}, "data", "wrong_type"),
        (changed(path=None, image_name=""), "data.path", "missing_field"),
        (changed(sha256="abc"), "data.sha256", "wrong_type"),
        (changed(tag=5), "data.tag", "wrong_type"),
        (changed(repo_key=[]), "data.repo_key", "wrong_type"),
        (changed(path="a/" * 200 + "1/manifest.json"), "data.path", "too_long"),
    ],
)
def test_a_refusal_names_the_field(body, field, reason):
    with pytest.raises(NotificationError) as refused:
        parse("jfrog", body)
    assert (refused.value.field, refused.value.reason) == (field, reason)


def test_artifactory_signs_in_hex_in_the_header_that_may_hold_the_secret_itself():
    signature = Jfrog.signature
    assert (signature.header, signature.algorithm) == ("X-JFrog-Event-Auth", "sha256")
