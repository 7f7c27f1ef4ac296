import json
from datetime import UTC, datetime, timedelta

import pytest

from portcall.errors import NotificationError
from portcall.sources.acr import Acr
from portcall.sources.kind import Notification
from tests.portcall.sources.notifications import RECEIVED, body, facts, only, parse

DIGEST = "sha256:" + "1" * 64
PUSHED = "Microsoft.ContainerRegistry.ImagePushed"
TARGET = {"repository": "shop/web", "digest": DIGEST, "tag": "v1"}


def webhook(**changes):
    return {"id": "1", "action": "push", "target": TARGET} | changes


def grid(*, data=None, **changes):
    return {
        "id": "outer",
        "eventType": PUSHED,
        "eventTime": "2025-06-15T15:06:41Z",
        "data": webhook(id="inner") if data is None else data,
    } | changes


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("push", {"type": "artifact.pushed", "tags": ("1.4.2",), "size": 524}),
        ("push-by-digest", {"type": "artifact.pushed", "tags": (), "digest": DIGEST}),
        ("delete", {"type": "artifact.deleted", "digest": DIGEST, "size": None}),
        ("repository-delete", {"type": "repository.deleted", "digest": None}),
        ("quarantine", {"type": "artifact.quarantined", "tags": ("1.4.2",), "digest": DIGEST}),
        ("unforeseen", {"type": "acr.lock", "native_type": "lock"}),
    ],
)
def test_a_webhook_is_an_event_without_an_envelope(case, expected):
    event = only("acr", body("acr", case))
    assert facts(event, expected) == expected
    assert (event.kind, event.id) == ("acr", json.loads(body("acr", case))["id"])
    assert (event.project, event.repository) == ("shop", "shop/web")
    assert event.occurred_at == datetime(2025, 6, 15, 15, 6, 40, 123456, tzinfo=UTC)
    assert "certainty" not in event.attributes
    assert event.raw is not None
    assert event.raw.content() == body("acr", case)


def test_who_asked_the_registry_is_kept():
    event = only("acr", body("acr", "push"))
    assert event.registry == "acme.azurecr.example"
    assert event.correlation_id == "9b1d0000-0000-4000-8000-000000000009"
    assert event.attributes == {"request_method": "PUT", "user_agent": "docker/27.0"}


@pytest.mark.parametrize(
    ("case", "event_type"), [("chart-push", "chart.pushed"), ("chart-delete", "chart.deleted")]
)
def test_a_chart_comes_without_the_request_that_made_it(case, event_type):
    event = only("acr", body("acr", case))
    assert (event.type, event.registry, event.tags) == (event_type, None, ("web-1.4.2.tgz",))
    assert event.media_type == "application/vnd.acr.helm.chart"
    assert event.attributes == {"chart_name": "web", "chart_version": "1.4.2"}


@pytest.mark.parametrize("content", [body("acr", "ping"), {"action": "Ping"}])
def test_a_ping_starts_nothing(content):
    assert parse("acr", content).events == ()


def test_event_grid_sends_the_same_in_a_list():
    event = only("acr", body("acr", "grid-push"))
    expected = {
        "id": "831e1650-001e-001b-66ab-eeb76e069631",
        "type": "artifact.pushed",
        "native_type": "push",
        "repository": "shop/web",
        "tags": ("1.4.2",),
        "digest": DIGEST,
        "actor": "ci",
        "registry": "acme.azurecr.example",
        "url": f"https://acme.azurecr.example/v2/shop/web/manifests/{DIGEST}",
        "occurred_at": datetime(2025, 6, 15, 15, 6, 40, 123456, tzinfo=UTC),
    }
    assert facts(event, expected) == expected
    assert event.attributes["topic"].endswith("/registries/acme")
    assert event.attributes["location"] == "westeurope"
    assert event.attributes["connected_registry"] == "edge1"


def test_event_grids_cloud_events_come_alone_or_in_a_list():
    alone = only("acr", body("acr", "cloudevent-push"))
    listed = only("acr", [json.loads(body("acr", "cloudevent-push"))])
    assert alone.without_raw() == listed.without_raw()
    assert (alone.type, alone.tags) == ("artifact.pushed", ("1.4.2",))
    assert alone.attributes["topic"].endswith("/registries/acme")


def test_several_events_come_in_one_notification_each_with_its_own_bytes():
    events = parse("acr", body("acr", "grid-several")).events
    assert [event.type for event in events] == [
        "artifact.pushed",
        "artifact.deleted",
        "chart.pushed",
        "chart.deleted",
    ]
    again = [only("acr", event.raw.content()) for event in events if event.raw]
    assert [event.id for event in again] == [event.id for event in events]


def test_of_several_events_one_that_is_wrong_does_not_stop_the_others():
    wrong = grid(id="two", data=webhook(target={}))
    parsed = parse("acr", [grid(id="one"), wrong, 7, grid(id="three")])
    assert [event.id for event in parsed.events] == ["one", "three"]
    fields = [refusal.error.field for refusal in parsed.refusals]
    assert fields == ["1.data.target.repository", "2"]
    assert json.loads(parsed.refusals[0].raw) == [wrong]


def test_event_grids_question_for_consent_is_answered():
    parsed = parse("acr", body("acr", "grid-subscription-validation"))
    assert parsed.reply == {"validationResponse": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}
    assert parsed.events == ()


def test_a_question_for_consent_without_a_code_is_refused():
    asked = [{"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {}}]
    with pytest.raises(NotificationError) as refused:
        parse("acr", asked)
    assert refused.value.field == "0.data.validationCode"


def test_what_else_event_grid_says_of_itself_starts_nothing():
    parsed = parse("acr", body("acr", "grid-subscription-deleted"))
    assert (parsed.events, parsed.refusals, parsed.reply) == ((), (), None)


def test_an_empty_list_says_nothing():
    parsed = parse("acr", [])
    assert (parsed.events, parsed.refusals) == ((), ())


@pytest.mark.parametrize("event_type", [PUSHED, PUSHED.lower(), "ImagePushed"])
def test_event_grids_type_stands_in_for_an_action(event_type):
    data = {"target": TARGET}
    assert only("acr", [grid(eventType=event_type, data=data)]).type == "artifact.pushed"


def test_an_unforeseen_event_of_event_grid_keeps_its_name():
    event = only("acr", body("acr", "grid-unforeseen"))
    assert (event.type, event.native_type) == ("acr.imagerestored", "ImageRestored")
    assert event.repository is None


def test_event_grids_own_id_tells_a_repeat_from_a_second_push():
    first, repeat, second = (
        only("acr", [item]) for item in (grid(), grid(), grid(id="another", data=webhook(id="x")))
    )
    assert first.id == repeat.id == "outer"
    assert second.id != first.id


@pytest.mark.parametrize(
    ("names", "moment"),
    [
        ({"timestamp": "2025-06-15T15:06:40Z", "eventTime": "2025-06-16T00:00:00Z"}, 15),
        ({"eventTime": "2025-06-16T00:00:00Z"}, 16),
        ({"eventTime": None, "time": "2025-06-17T00:00:00Z"}, 17),
    ],
)
def test_the_time_is_the_registrys_else_event_grids(names, moment):
    data = webhook(timestamp=names.pop("timestamp", None))
    assert only("acr", [grid(data=data, **names)]).occurred_at.day == moment


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({}, "action"),
        (webhook(id=7), "id"),
        (webhook(target={"tag": "v1"}), "target.repository"),
        (webhook(target=None), "target"),
        (webhook(timestamp="yesterday"), "timestamp"),
        (grid(id=""), "id"),
        (grid(data=[]), "data"),
        (grid(eventType=7), "eventType"),
    ],
)
def test_a_refusal_names_the_field(content, field):
    with pytest.raises(NotificationError) as refused:
        parse("acr", content)
    assert refused.value.field == field


def test_a_webhook_without_an_id_is_known_by_what_it_says_and_when():
    content = json.dumps(webhook(id=None)).encode()
    came = (RECEIVED, RECEIVED, RECEIVED + timedelta(hours=1))
    first, again, later = (
        Acr().parse(Notification(source="acr", body=content, received_at=at)).events[0].id
        for at in came
    )
    assert first == again != later
