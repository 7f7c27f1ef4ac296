import json
from dataclasses import replace

import pytest

from portcall.errors import NotificationError
from portcall.events import Scan
from tests.portcall.sources.notifications import KINDS, facts, recorded

DIGEST = "sha256:" + "1" * 64


def the_event(case, data=None, **headers):
    notification = recorded("zot", case)
    body = notification.body if data is None else json.dumps(data).encode()
    sent = replace(notification, body=body, headers={**notification.headers, **headers})
    (event,) = KINDS["zot"].parse(sent).events
    return event


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (
            "image-updated",
            {
                "id": "7c1f4e20-0000-4000-8000-000000000001",
                "type": "artifact.pushed",
                "native_type": "zotregistry.image.updated",
                "registry": None,
                "project": "shop",
                "repository": "shop/api/web",
                "tags": ("1.4.2",),
                "digest": DIGEST,
                "size": 402,
                "actor": "ci",
                "scan": None,
            },
        ),
        ("index-updated", {"platforms": ("linux/amd64", "linux/arm64/v8"), "tags": ("1.4.2",)}),
        ("index-child-updated", {"type": "artifact.pushed", "tags": (), "platforms": ()}),
        ("image-synced", {"type": "artifact.pushed", "actor": None, "project": None}),
        (
            "referrer-updated",
            {"type": "referrer.pushed", "artifact_type": "application/vnd.example.sbom.v1"},
        ),
        ("tag-deleted", {"type": "tag.deleted", "tags": ("1.4.2",), "digest": DIGEST}),
        ("image-deleted", {"type": "artifact.deleted", "tags": (), "digest": DIGEST}),
        ("lint-failed", {"type": "artifact.rejected", "tags": ("1.4.2",)}),
        (
            "image-scanned",
            {
                "type": "scan.completed",
                "scan": Scan(
                    kind="vulnerability",
                    status="completed",
                    severity="CRITICAL",
                    total=5,
                    fixable=2,
                    counts={"Critical": 1, "High": 1, "Medium": 2, "Low": 1, "Unknown": 0},
                ),
            },
        ),
        ("repository-created", {"type": "repository.created", "tags": (), "digest": None}),
        ("unforeseen", {"type": "zot.image.mirrored", "repository": "shop/api/web"}),
        ("structured", {"type": "repository.created", "repository": "shop/web"}),
    ],
)
def test_what_zot_says_becomes_an_event(case, expected):
    event = the_event(case)
    assert facts(event, expected) == expected


def test_what_only_describes_an_event_is_among_its_attributes():
    assert the_event("referrer-updated").attributes["subject_digest"] == DIGEST
    attributes = the_event("index-updated").attributes
    assert attributes["channel"] == "images"
    assert attributes["user_agent"] == "skopeo/1.16"


@pytest.mark.parametrize("manifest", ["no json", 7, None, "[]", '{"manifests": [{"platform": 1}]}'])
def test_a_manifest_that_cannot_be_read_costs_only_its_facts(manifest):
    event = the_event("index-updated", {"name": "web", "reference": "v1", "manifest": manifest})
    assert (event.type, event.platforms) == ("artifact.pushed", ())


def test_the_size_is_that_of_the_manifest_in_bytes():
    data = {"name": "web", "reference": "v1", "manifest": '{"a": "\u00e9"}'}
    assert the_event("image-updated", data).size == 11


def test_an_unforeseen_event_needs_no_repository():
    event = the_event("unforeseen", {})
    assert (event.type, event.repository) == ("zot.image.mirrored", None)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "data.name"),
        ([], "data"),
        ({"name": 7}, "data.name"),
        ({"name": "web", "digest": "1.4.2"}, "data.digest"),
        ({"name": "web", "reference": ["v1"]}, "data.reference"),
    ],
)
def test_a_refusal_names_the_field(data, field):
    with pytest.raises(NotificationError) as refused:
        the_event("image-updated", data)
    assert refused.value.field == field
