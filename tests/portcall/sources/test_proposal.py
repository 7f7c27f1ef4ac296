import json
from datetime import UTC, datetime

import pytest

from portcall.errors import NotificationError
from tests.portcall.sources.notifications import RECEIVED, body, facts, only, parse

IMAGE_ID = "9e2c" * 16
SENT = datetime(2020, 3, 3, 7, 58, 52, tzinfo=UTC)
ITEM = {"fullName": "prj/repo1", "triggerTime": 1583222332130, "eventType": "PUSH"}


def test_draft_a_has_a_type_in_each_event():
    pushed, deleted = parse("proposal", body("proposal", "draft-a")).events
    expected = {
        "type": "artifact.pushed",
        "native_type": "PUSH",
        "kind": "proposal",
        "project": "prj",
        "repository": "prj/repo1",
        "tags": ("latest",),
        "digest": None,
        "visibility": "private",
        "attributes": {"image_id": IMAGE_ID},
    }
    assert facts(pushed, expected) == expected
    assert (deleted.type, deleted.tags) == ("artifact.deleted", ("v1",))


def test_the_proposals_own_sample_time_is_not_taken_for_1975():
    pushed, deleted = parse("proposal", body("proposal", "draft-a")).events
    assert pushed.occurred_at == RECEIVED
    assert deleted.occurred_at == SENT.replace(microsecond=130000)


def test_draft_b_has_one_type_above_charts():
    event = only("proposal", body("proposal", "draft-b-chart"))
    assert (event.type, event.repository, event.tags) == ("chart.pushed", "prj/web", ("0.1.0",))
    assert event.visibility == "public"


def test_draft_c_is_in_snake_case_and_may_have_seconds():
    event = only("proposal", body("proposal", "draft-c"))
    assert (event.type, event.repository, event.tags) == (
        "artifact.pushed",
        "prj/repo1",
        ("latest",),
    )
    assert (event.occurred_at, event.attributes) == (SENT, {"image_id": IMAGE_ID})


def test_an_unforeseen_type_needs_no_repository():
    event = only("proposal", body("proposal", "unforeseen"))
    assert (event.type, event.project, event.repository) == ("proposal.label", "prj", None)


def test_a_ping_starts_nothing():
    assert parse("proposal", body("proposal", "test-endpoint")).events == ()


def test_the_project_is_in_the_full_name_where_it_is_not_given():
    assert only("proposal", {"events": [ITEM]}).project == "prj"
    assert only("proposal", {"events": [ITEM | {"fullName": "repo1"}]}).project is None


def test_one_of_several_events_keeps_the_type_above_it():
    items = [ITEM | {"eventType": None, "tag": tag} for tag in ("a", "b")]
    first, second = parse("proposal", {"eventType": "PUSH", "events": items}).events
    assert first.raw is not None
    assert only("proposal", first.raw.content()).id == first.id != second.id


@pytest.mark.parametrize(
    "change",
    [
        {"fullName": "prj/repo2"},
        {"tag": "v1"},
        {"imageId": IMAGE_ID},
        {"triggerTime": 1583222332131},
        {"eventType": "DELETE"},
    ],
)
def test_an_event_is_known_by_what_it_says(change):
    assert (
        only("proposal", {"events": [ITEM]}).id != only("proposal", {"events": [ITEM | change]}).id
    )


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (ITEM | {"eventType": ""}, "events.0.eventType"),
        (ITEM | {"fullName": None, "project": "prj"}, "events.0.fullName"),
        (ITEM | {"triggerTime": None}, "events.0.triggerTime"),
        ({"full_name": "a/b", "trigger_time": "", "event_type": "PUSH"}, "events.0.trigger_time"),
        (ITEM | {"triggerTime": [1]}, "events.0.triggerTime"),
        (
            ITEM | {"fullName": None, "project": "p" * 200, "repoName": "r" * 99},
            "events.0.repoName",
        ),
    ],
)
def test_a_refusal_names_the_field(item, field):
    (refusal,) = parse("proposal", {"events": [item]}).refusals
    assert refusal.error.field == field
    assert json.loads(refusal.raw) == {"events": [item]}


def test_a_message_without_events_is_refused():
    with pytest.raises(NotificationError) as refused:
        parse("proposal", {"type": "pushImage", "event_data": []})
    assert (refused.value.field, refused.value.status) == ("events", 422)
