import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcall.events import RegistryEvent
from portcall.ids import (
    LARGEST_LIST,
    LONGEST_VALUE,
    SEARCH_ATTRIBUTES,
    DeliveryKey,
    delivery_attributes,
    delivery_title,
    delivery_workflow_id,
    derived_id,
    event_attributes,
    event_title,
    event_workflow_id,
    fair_share,
    parse_delivery_id,
    plain_id,
    webhook_id,
)

KEY = DeliveryKey("harbor-eu", "1" * 32, "deploy", "ci")


def event(**given):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    values = {"id": "1", "source": "harbor-eu", "kind": "harbor", "type": "artifact.pushed"}
    return RegistryEvent(**values | given, occurred_at=now, received_at=now)


def named(attributes):
    return {pair.key.name: pair.value for pair in attributes}


def test_an_event_has_one_workflow_id():
    assert event_workflow_id("harbor-eu", "abc") == "event:harbor-eu:abc"


def test_a_delivery_has_one_workflow_id_from_which_its_parts_can_be_read():
    workflow_id = delivery_workflow_id(KEY)
    assert workflow_id == f"delivery:harbor-eu:{'1' * 32}:deploy:ci"
    assert parse_delivery_id(workflow_id) == KEY


@pytest.mark.parametrize("other", ["event:a:b", "delivery:a:b:c", "delivery:a:b:c:d:e", ""])
def test_another_id_is_not_taken_for_a_delivery(other):
    assert parse_delivery_id(other) is None


def test_the_longest_ids_fit_the_255_characters_of_temporal():
    longest = DeliveryKey("s" * 50, plain_id("e" * 64), "p" * 50, "t" * 50)
    assert len(delivery_workflow_id(longest)) <= 255


@pytest.mark.parametrize("native", ["a", "6f1c-9.x_Y", "e" * 64])
def test_a_short_plain_id_of_the_sender_is_kept(native):
    assert plain_id(native) == native


@pytest.mark.parametrize("native", ["", "a:b", "e" * 65, "ä", "a b", "a\n", "\ud800"])
def test_another_id_of_the_sender_is_replaced_by_one_derived_from_it(native):
    assert len(plain_id(native)) == 32
    assert plain_id(native) == plain_id(native) != plain_id(native + "x")


@given(st.lists(st.text() | st.binary(), max_size=4), st.lists(st.text() | st.binary(), max_size=4))
def test_different_parts_give_different_ids(one, other):
    as_bytes = [[p.encode() if isinstance(p, str) else p for p in parts] for parts in (one, other)]
    assert (derived_id(one) == derived_id(other)) == (as_bytes[0] == as_bytes[1])


def test_the_webhook_id_depends_on_the_delivery_alone():
    assert webhook_id(KEY) == webhook_id(DeliveryKey(*KEY))
    assert webhook_id(KEY).startswith("msg_")
    assert webhook_id(KEY) != webhook_id(KEY._replace(target="other"))


def test_an_event_can_be_searched_by_what_it_has():
    full = event(repository="prod/app", digest="sha256:ab", tags=("v1", "latest"))
    assert named(event_attributes(full)) == {
        "EventId": "1",
        "EventType": "artifact.pushed",
        "Source": "harbor-eu",
        "Repository": "prod/app",
        "Digest": "sha256:ab",
        "Tags": ["v1", "latest"],
    }
    assert named(event_attributes(event())).keys() == {"EventId", "EventType", "Source"}


def test_a_delivery_can_also_be_searched_by_policy_target_and_outcome():
    attributes = named(delivery_attributes(event(), "deploy", "ci"))
    assert (attributes["Policy"], attributes["Target"]) == ("deploy", "ci")
    assert attributes["Outcome"] == "delivering"


def test_search_values_are_cut_to_what_the_database_holds():
    huge = event(type="t" * 300, repository="r" * 300, digest="d" * 300, tags=("t" * 300,) * 101)
    attributes = named(event_attributes(huge))
    assert {len(attributes[name]) for name in ("EventType", "Repository", "Digest")} == {255}
    assert {len(tag) for tag in attributes["Tags"]} == {255}
    assert len(attributes["Tags"][0]) == LONGEST_VALUE


def test_every_attribute_that_is_set_is_registered():
    registered = {key.name for key in SEARCH_ATTRIBUTES}
    full = event(repository="prod/app", digest="sha256:ab", tags=("v1",))
    assert named(delivery_attributes(full, "p", "t")).keys() <= registered


@pytest.mark.parametrize(
    ("given_event", "title"),
    [
        ({"repository": "prod/app", "tags": ("v1",)}, "artifact.pushed prod/app:v1"),
        ({"repository": "a", "tags": ("1", "2", "3", "4")}, "artifact.pushed a:1,2,3"),
        (
            {"repository": "a", "digest": "sha256:" + "0" * 64},
            "artifact.pushed a@sha256:000000000000",
        ),
        ({"project": "prod"}, "artifact.pushed prod"),
        ({}, "artifact.pushed harbor-eu"),
    ],
)
def test_an_event_has_a_title_for_people(given_event, title):
    assert event_title(event(**given_event)) == title


def test_a_delivery_has_a_title_for_people():
    title = delivery_title(event(repository="prod/app", tags=("v1",)), "deploy", "ci")
    assert title == "artifact.pushed prod/app:v1 → ci (deploy)"


def test_titles_are_cut_but_name_target_and_policy_all_the_same():
    long = event(repository="r" * 500)
    assert len(event_title(long)) == 255
    title = delivery_title(long, "p" * 50, "t" * 50)
    assert len(title) <= 255
    assert title.endswith(f"→ {'t' * 50} ({'p' * 50})")


@pytest.mark.parametrize("tag", ["v1.2.3-{}", "{}" + "t" * 250, "é{}" * 50, '"{}\\'])
def test_as_many_tags_are_searched_as_temporal_takes(tag: str):
    tags = tuple(tag.format(*([n] * 50)) for n in range(1000))
    kept = named(event_attributes(event(tags=tags)))["Tags"]
    assert tuple(kept) == tuple(t[:255] for t in tags[: len(kept)])
    sizes = [
        len(json.dumps(some, separators=(",", ":"), ensure_ascii=False).encode())
        for some in (kept, [*kept, tags[len(kept)][:255]])
    ]
    assert sizes[0] <= LARGEST_LIST
    assert sizes[1] > LARGEST_LIST - 2


def test_the_title_of_a_group_says_how_many_events_it_has():
    title = delivery_title(event(repository="prod/app", tags=("v1",)), "deploy", "ci", 12)
    assert title == "12 events: artifact.pushed prod/app:v1 → ci (deploy)"


@pytest.mark.parametrize("key", ["ci", "", "x" * 64])
def test_a_share_is_by_the_name_itself(key: str) -> None:
    assert fair_share(key).fairness_key == key


@given(st.text(min_size=65) | st.just("a\ud800"))
def test_a_long_name_shares_by_what_is_derived_from_it(key: str) -> None:
    share = fair_share(key)
    assert share == fair_share(key)
    assert len((share.fairness_key or "").encode()) <= 64
    assert share.fairness_key != key
