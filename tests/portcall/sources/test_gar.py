import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from portcall.errors import NotificationError
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
IMAGE = "europe-docker.pkg.dev/acme-prod/images/shop/web"
WRAPPED = recording("gar", "insert-with-tag")


def wrapped(data, **message):
    """Give a push message around this data, given as JSON or as bytes."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    text = base64.b64encode(raw).decode()
    return WRAPPED | {"message": WRAPPED["message"] | {"data": text} | message}


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (
            "insert-with-tag",
            {
                "id": "100000000000001",
                "type": "artifact.pushed",
                "native_type": "INSERT",
                "occurred_at": datetime(2025, 6, 15, 15, 6, 40, 123000, tzinfo=UTC),
                "registry": "europe-docker.pkg.dev",
                "project": "acme-prod",
                "repository": "acme-prod/images/shop/web",
                "tags": ("1.4.2",),
                "digest": DIGEST,
                "actor": None,
                "url": f"https://{IMAGE}@{DIGEST}",
                "attributes": {"subscription": "projects/acme-prod/subscriptions/portcall"},
            },
        ),
        ("insert-without-tag", {"type": "artifact.pushed", "tags": (), "digest": DIGEST}),
        ("delete-digest", {"type": "artifact.deleted", "digest": DIGEST}),
        (
            "delete-tag",
            {
                "type": "tag.deleted",
                "tags": ("1.4.2",),
                "digest": None,
                "url": f"https://{IMAGE}:1.4.2",
            },
        ),
        (
            "container-registry",
            {
                "id": "100000000000005",
                "occurred_at": datetime(2025, 6, 15, 15, 6, 40, 123000, tzinfo=UTC),
                "registry": "eu.gcr.io",
                "project": "acme-prod",
                "repository": "acme-prod/web",
            },
        ),
        ("unforeseen", {"type": "gar.copy", "repository": "acme-prod/images/shop/web"}),
        (
            "unwrapped",
            {
                "id": "100000000000007",
                "type": "artifact.pushed",
                "occurred_at": datetime(2025, 6, 15, 15, 6, 40, 123456, tzinfo=UTC),
                "attributes": {"subscription": "projects/acme-prod/subscriptions/portcall"},
            },
        ),
        (
            "unwrapped-without-metadata",
            {"type": "tag.deleted", "occurred_at": RECEIVED, "attributes": {}},
        ),
    ],
)
def test_what_pubsub_sends_is_understood(case, expected):
    event = only("gar", recorded("gar", case))
    assert facts(event, expected) == expected
    assert event.kind == "gar"
    assert event.raw is not None
    assert event.raw.content() == recorded("gar", case).body


@pytest.mark.parametrize(
    "notification",
    [
        recorded("gar", "empty-data-ping"),
        sent({"message": {"messageId": "1"}}),
        sent({"message": {"data": None}}),
        sent(b"", {"x-goog-pubsub-message-id": "1"}),
    ],
    ids=["empty", "absent", "null", "unwrapped"],
)
def test_a_message_without_data_starts_nothing(notification):
    parsed = parse("gar", notification)
    assert (parsed.events, parsed.refusals) == ((), ())


def test_a_message_that_pubsub_sends_again_is_the_same_event():
    first = recorded("gar", "delete-tag")
    again = recording("gar", "delete-tag") | {"deliveryAttempt": 3}
    later = recorded(
        "gar",
        "delete-tag",
        body=json.dumps(again).encode(),
        received_at=RECEIVED + timedelta(days=3),
    )
    assert only("gar", first).id == only("gar", later).id


def test_a_tag_may_stand_alone_beside_a_digest():
    event = only("gar", wrapped({"action": "INSERT", "digest": f"{IMAGE}@{DIGEST}", "tag": "v1"}))
    assert (event.repository, event.tags) == (IMAGE.partition("/")[2], ("v1",))


def test_without_a_message_id_the_time_of_arrival_parts_two_events():
    first, repeat, later = (
        only("gar", recorded("gar", "unwrapped-without-metadata", received_at=RECEIVED + after)).id
        for after in (timedelta(0), timedelta(seconds=5), timedelta(hours=1))
    )
    assert first == repeat != later


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({}, "action", "missing_field"),
        ({"message": []}, "message", "wrong_type"),
        ({"message": {"data": 5}}, "message.data", "wrong_type"),
        ({"message": {"data": "%%%"}}, "message.data", "wrong_type"),
        ({"message": {"data": "e30"}}, "message.data", "wrong_type"),
        ({"message": {"data": "é"}}, "message.data", "wrong_type"),
        (wrapped(b"hello"), "message.data", "not_json"),
        (wrapped([]), "message.data", "wrong_type"),
        (wrapped(b"[" * 100_000), "", "too_deep"),
        (wrapped({}), "message.data.action", "missing_field"),
        (wrapped({"action": "INSERT"}), "message.data.digest", "wrong_type"),
        (wrapped({"action": "INSERT", "tag": "web:1"}), "message.data.tag", "wrong_type"),
        (wrapped({"action": "DELETE", "tag": IMAGE}), "message.data.tag", "wrong_type"),
        (
            wrapped({"action": "INSERT", "digest": f"{IMAGE}@{DIGEST}", "tag": "web:1"}),
            "message.data.tag",
            "wrong_type",
        ),
        (
            wrapped({"action": "INSERT", "digest": f"{IMAGE}@1"}),
            "message.data.digest",
            "wrong_type",
        ),
        (wrapped({"action": "INSERT", "digest": 1}), "message.data.digest", "wrong_type"),
        (
            wrapped({"action": "INSERT", "digest": IMAGE + "/a" * 200}),
            "message.data.digest",
            "too_long",
        ),
        (
            wrapped({"action": "INSERT", "tag": f"{IMAGE}:1"}, publishTime="now"),
            "message.publishTime",
            "wrong_type",
        ),
        (
            wrapped({"action": "INSERT", "tag": f"{IMAGE}:1"}, messageId=1),
            "message.messageId",
            "wrong_type",
        ),
    ],
)
def test_a_refusal_names_the_field(body, field, reason):
    with pytest.raises(NotificationError) as refused:
        parse("gar", body)
    assert (refused.value.field, refused.value.reason) == (field, reason)


def test_what_is_no_json_is_said_of_the_data_and_not_of_the_body():
    with pytest.raises(NotificationError) as refused:
        parse("gar", wrapped(b"hello"))
    assert refused.value.message.startswith("message.data is not JSON")
