from datetime import UTC, datetime, timedelta

import pytest

from portcall.errors import NotificationError
from portcall.sources.nexus import Nexus
from tests.portcall.sources.notifications import (
    RECEIVED,
    facts,
    only,
    parse,
    recorded,
    recording,
    sent,
)

DIGEST = "sha256:" + "1" * 64
CREATED = recording("nexus", "component-created")


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (
            "component-created",
            {
                "id": "5f0e2ad8-0000-4000-8000-000000000001",
                "type": "artifact.pushed",
                "native_type": "component.CREATED",
                "occurred_at": datetime(2025, 6, 15, 15, 6, 40, 123000, tzinfo=UTC),
                "registry": None,
                "project": "docker-hosted",
                "repository": "shop/web",
                "tags": ("1.4.2",),
                "digest": None,
                "actor": "ci",
                "attributes": {
                    "request_addr": "192.0.2.10",
                    "node": "11111111-22222222-33333333",
                    "format": "docker",
                    "component_id": "ZG9ja2VyLWhvc3RlZDowYmFkYzBkZQ==",
                },
            },
        ),
        ("component-updated", {"type": "artifact.pushed"}),
        ("component-deleted", {"type": "artifact.deleted", "actor": "*TASK"}),
        ("component-untagged", {"tags": (), "digest": DIGEST}),
        (
            "component-purged",
            {
                "type": "artifact.deleted",
                "native_type": "component.PURGED",
                "project": "docker-hosted",
                "repository": None,
                "attributes": {
                    "node": "11111111-22222222-33333333",
                    "component_ids": ["0badc0de", "0badc0df"],
                },
            },
        ),
        ("proxy-component-created", {"project": "docker-proxy", "actor": "anonymous"}),
        (
            "helm-component-created",
            {"type": "chart.pushed", "repository": "web", "tags": ("1.0.0",)},
        ),
        (
            "maven-component-created",
            {
                "type": "nexus.component.created",
                "repository": "com.acme/shop",
                "tags": ("2.0.1",),
            },
        ),
        (
            "asset-manifest-created",
            {"type": "artifact.pushed", "repository": "shop/web", "tags": ("1.4.2",)},
        ),
        (
            "asset-manifest-by-digest-created",
            {"type": "artifact.pushed", "repository": "shop/web", "tags": (), "digest": DIGEST},
        ),
        ("asset-manifest-deleted", {"type": "artifact.deleted", "tags": ("1.4.2",)}),
        (
            "asset-blob-created",
            {"type": "blob.pushed", "repository": None, "digest": "sha256:" + "d" * 64},
        ),
        ("asset-of-npm-created", {"type": "nexus.asset.created", "project": "npm-hosted"}),
        ("asset-purged", {"type": "nexus.asset.purged"}),
        (
            "repository-created",
            {
                "type": "repository.created",
                "project": "docker-hosted",
                "repository": "docker-hosted",
            },
        ),
        ("repository-updated", {"type": "nexus.repository.updated"}),
        ("repository-deleted", {"type": "repository.deleted"}),
        (
            "audit",
            {
                "type": "nexus.audit.security.user.created",
                "occurred_at": RECEIVED,
                "actor": "admin",
            },
        ),
        ("unforeseen", {"type": "nexus.staging.created", "project": "docker-hosted"}),
    ],
)
def test_what_nexus_sends_is_understood(case, expected):
    event = only("nexus", recorded("nexus", case))
    assert facts(event, expected) == expected
    assert event.kind == "nexus"
    assert event.raw is not None
    assert event.raw.content() == recorded("nexus", case).body


@pytest.mark.parametrize(
    "case", ["component-created", "component-purged", "asset-purged", "repository-created", "audit"]
)
def test_without_its_header_a_body_shows_which_webhook_it_is(case):
    with_header = only("nexus", recorded("nexus", case))
    assert only("nexus", recorded("nexus", case, headers={})).type == with_header.type


def test_a_webhook_nobody_foresaw_may_lack_an_action():
    event = only("nexus", sent({}, {"x-nexus-webhook-id": "rm:licence"}))
    assert event.type == "nexus.licence"


def test_an_asset_of_docker_that_is_no_part_of_an_image_keeps_its_own_name():
    body = recording("nexus", "asset-blob-created") | {
        "asset": {"format": "docker", "name": "v2/shop/web/tags/list"}
    }
    event = only("nexus", body)
    assert (event.type, event.attributes["path"]) == (
        "nexus.asset.created",
        "v2/shop/web/tags/list",
    )


def test_an_action_nobody_foresaw_keeps_its_own_name():
    event = only("nexus", sent(CREATED | {"action": "MOVED"}))
    assert (event.type, event.repository) == ("nexus.component.moved", "shop/web")


def ids(*notifications):
    return {only("nexus", notification).id for notification in notifications}


def test_the_delivery_is_the_identity():
    later = recorded("nexus", "audit", received_at=RECEIVED + timedelta(days=1))
    assert len(ids(recorded("nexus", "audit"), later)) == 1


def test_without_a_delivery_the_body_and_the_time_in_it_are_the_identity():
    again = sent(CREATED)
    second = sent(CREATED | {"timestamp": "2025-06-15T15:06:40.124+0000"})
    assert len(ids(sent(CREATED), again)) == 1
    assert len(ids(sent(CREATED), second)) == 2


def test_without_delivery_and_time_the_time_of_arrival_parts_two_events():
    first = recorded("nexus", "audit", headers={})
    repeat = recorded("nexus", "audit", headers={}, received_at=RECEIVED + timedelta(seconds=1))
    second = recorded("nexus", "audit", headers={}, received_at=RECEIVED + timedelta(hours=1))
    assert len(ids(first, repeat)) == 1
    assert len(ids(first, second)) == 2


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({}, "component", "missing_field"),
        (CREATED | {"action": None}, "action", "missing_field"),
        (CREATED | {"component": [1]}, "component", "wrong_type"),
        (CREATED | {"component": {"format": "docker"}}, "component.name", "missing_field"),
        (CREATED | {"repositoryName": 5}, "repositoryName", "wrong_type"),
        (CREATED | {"timestamp": "now"}, "timestamp", "wrong_type"),
        ({"action": "CREATED", "asset": {"format": "docker"}}, "asset.name", "missing_field"),
        (
            {"action": "CREATED", "repository": {"type": "hosted"}},
            "repository.name",
            "missing_field",
        ),
        ({"audit": {"type": "created"}}, "audit.domain", "missing_field"),
    ],
)
def test_a_refusal_names_the_field(body, field, reason):
    with pytest.raises(NotificationError) as refused:
        parse("nexus", body)
    assert (refused.value.field, refused.value.reason) == (field, reason)


def test_nexus_signs_in_sha1_what_may_be_the_body_without_blanks():
    signature = Nexus.signature
    assert (signature.header, signature.algorithm) == ("X-Nexus-Webhook-Signature", "sha1")
    assert signature.compact_json
