import json

import pytest
from pydantic import ValidationError

from portcall.errors import NotificationError
from portcall.mapping import FieldMapping
from portcall.sources.kind import Notification
from tests.portcall.sources.notifications import KINDS, RECEIVED, facts, recorded

DIGEST = "sha256:" + "1" * 64
LEAST = {"type": "'artifact.pushed'", "repository": "image"}


def parsed(content, mapping, source="eu"):
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    spec = FieldMapping.model_validate(mapping)
    return KINDS["custom"].parse(Notification(source, raw, mapping=spec, received_at=RECEIVED))


def only(content, mapping, source="eu"):
    result = parsed(content, mapping, source)
    assert not result.refusals
    (event,) = result.events
    return event


def mapped(value, expression="x", field="actor"):
    """Give what a field becomes whose expression finds this value."""
    event = only({"image": "shop/web", "x": value}, LEAST | {field: expression})
    return getattr(event, field)


def refused(content, mapping):
    with pytest.raises(NotificationError) as error:
        only(content, mapping)
    return error.value


def test_every_field_can_come_from_an_expression():
    (event,) = KINDS["custom"].parse(recorded("custom", "depot-release")).events
    expected = {
        "id": "4711",
        "kind": "custom",
        "type": "artifact.pushed",
        "native_type": "release",
        "registry": "depot.example.test",
        "project": "shop",
        "repository": "shop/web",
        "tags": ("1.4.2", "latest"),
        "digest": DIGEST,
        "media_type": "application/vnd.oci.image.index.v1+json",
        "platforms": ("linux/amd64",),
        "size": 856,
        "visibility": "public",
        "actor": "ada",
        "url": "https://depot.example.test/shop/web",
        "attributes": {"team": "shop", "unit": {"team": "shop", "name": "web"}},
    }
    assert facts(event, expected) == expected
    assert event.occurred_at.isoformat() == "2025-06-15T15:06:40+00:00"


@pytest.mark.parametrize(
    ("word", "event_type"),
    [
        ("release", "artifact.deleted"),
        ("artifact.pushed", "artifact.pushed"),
        ("portcall.artifact.pushed", "artifact.pushed"),
        ("Something Else!", "custom.something_else_"),
        ("custom.thing", "custom.thing"),
    ],
)
def test_a_word_is_translated_or_kept_as_the_kinds_own(word, event_type):
    mapping = {"type": "w", "types": {"release": "artifact.deleted"}, "repository": "image"}
    event = only({"w": word, "image": "web"}, mapping)
    assert (event.type, event.native_type) == (event_type, word)


@pytest.mark.parametrize(
    ("text", "repository", "tags", "digest"),
    [
        ("web", "web", (), None),
        ("shop/web:1.4.2", "shop/web", ("1.4.2",), None),
        (f"shop/web@{DIGEST}", "shop/web", (), DIGEST),
        (f"shop/web:1.4.2@{DIGEST}", "shop/web", ("1.4.2",), DIGEST),
        ("reg.example.test:5000/web:1", "reg.example.test:5000/web", ("1",), None),
        ("web:", "web", (), None),
    ],
)
def test_a_whole_reference_may_stand_for_the_repository(text, repository, tags, digest):
    event = only({"image": text}, LEAST)
    assert (event.repository, event.tags, event.digest) == (repository, tags, digest)


def test_what_is_mapped_is_preferred_to_what_a_reference_says():
    content = {"image": f"web:1@{DIGEST}", "tags": ["2"], "digest": "sha256:" + "2" * 64}
    event = only(content, LEAST | {"tags": "tags", "digest": "digest"})
    assert (event.tags, event.digest) == (("2",), "sha256:" + "2" * 64)


@pytest.mark.parametrize(
    ("value", "tags", "digest"),
    [
        ("1", ("1",), None),
        (["1", "", "1", None, "2"], ("1", "2"), None),
        ([DIGEST, "1"], ("1",), DIGEST),
        (DIGEST, (), DIGEST),
        (None, (), None),
        ([], (), None),
    ],
)
def test_tags_are_one_text_or_a_list_and_digests_among_them_are_none(value, tags, digest):
    event = only({"image": "web", "tags": value}, LEAST | {"tags": "tags"})
    assert (event.tags, event.digest) == (tags, digest)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("size", "856", 856),
        ("size", 0, None),
        ("visibility", "PRIVATE", "private"),
        ("platforms", ["linux/amd64"], ("linux/amd64",)),
        ("actor", None, None),
        ("actor", "", None),
        ("actor", "x" * 300, "x" * 255),
        ("url", "x" * 3000, "x" * 2048),
        ("id", 7, "7"),
        ("id", "a b", "774f5c152323a0a9d102f6d62d8fa4cb"),
        ("project", "team", "team"),
    ],
)
def test_values_are_read_as_their_fields_need(field, value, expected):
    assert mapped(value, field=field) == expected


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("id", True, "mapping.id"),
        ("id", ["7"], "mapping.id"),
        ("occurred_at", "yesterday", "mapping.occurred_at"),
        ("tags", 7, "mapping.tags"),
        ("tags", ["1", 7], "mapping.tags.1"),
        ("tags", "x" * 256, "mapping.tags"),
        ("digest", "1.4.2", "mapping.digest"),
        ("size", "big", "mapping.size"),
        ("size", -1, "mapping.size"),
        ("size", True, "mapping.size"),
        ("visibility", "secret", "mapping.visibility"),
        ("visibility", True, "mapping.visibility"),
        ("platforms", {"os": "linux"}, "mapping.platforms"),
        ("actor", {"name": "ada"}, "mapping.actor"),
        ("registry", 7, "mapping.registry"),
        ("project", 7, "mapping.project"),
        ("url", [], "mapping.url"),
    ],
)
def test_a_wrong_value_is_refused_with_field_and_expression(field, value, path):
    error = refused({"image": "web", "x": value}, LEAST | {field: "x"})
    assert error.field == path
    assert error.message.startswith(path)
    assert error.message.endswith("The expression is 'x'.")


@pytest.mark.parametrize(
    ("mapping", "field"),
    [
        ({"repository": "image"}, "mapping.type"),
        ({"type": "nothing", "repository": "image"}, "mapping.type"),
        ({"type": "'artifact.pushed'"}, "mapping.repository"),
        ({"type": "'tag.deleted'", "repository": "nothing"}, "mapping.repository"),
        ({"type": "'artifact.pushed'", "repository": "':v1'"}, "mapping.repository"),
        ({"type": "'artifact.pushed'", "repository": "'web@v1'"}, "mapping.repository"),
    ],
)
def test_what_must_be_there_is_named(mapping, field):
    error = refused({"image": "web"}, mapping)
    assert error.field == field


def test_what_is_of_no_repository_needs_none():
    assert only({}, {"type": "'quota.exceeded'"}).repository is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": [1, 2.5, None, True]}, {"a": [1, 2.5, None, True]}),
        ("\x00\ud800", "\ufffd\ufffd"),
        ({"\x00": 1}, {"\ufffd": 1}),
        (2**63 - 1, 2**63 - 1),
    ],
)
def test_an_attribute_is_any_json_as_it_can_be_kept(value, expected):
    event = only({"image": "web", "x": value}, LEAST | {"attributes": {"found": "x", "no": "no"}})
    assert event.attributes == {"found": expected}


@pytest.mark.parametrize("expression", ["x", "&x", "to_number('inf')", "sum([`1e308`, `1e308`])"])
def test_an_attribute_that_cannot_be_kept_is_refused(expression):
    deep: list = []
    for _ in range(40):
        deep = [deep]
    content = {"image": "web", "x": {"deep": deep} if expression == "x" else 1}
    error = refused(content, LEAST | {"attributes": {"found": expression}})
    assert error.field == "mapping.attributes.found"
    assert repr(expression) in error.message


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_an_attribute_is_no_number_of_more_than_64_bits(number):
    error = refused({"image": "web", "x": number}, LEAST | {"attributes": {"found": "x"}})
    assert "too big" in error.message


def test_facts_that_are_too_large_are_refused():
    error = refused({"image": "web", "x": ["x" * 60_000] * 10}, LEAST | {"attributes": {"f": "x"}})
    assert error.reason == "too_big"


def test_without_an_id_a_repeat_is_the_same_event_and_anything_else_another():
    content = {"image": "web:1"}
    assert only(content, LEAST).id == only(content, LEAST).id
    others = [({"image": "web:1", "at": 1}, "eu"), ({"image": "web:2"}, "eu"), (content, "us")]
    ids = {only(other, LEAST, source).id for other, source in others}
    assert len(ids | {only(content, LEAST).id}) == 4


def test_one_wrong_event_of_several_stops_no_other_and_can_be_found_again():
    content = {"all": [{"image": "a"}, 7, {"image": 8}, {"image": "b"}]}
    result = parsed(content, LEAST | {"events": "all"})
    assert [event.repository for event in result.events] == ["a", "b"]
    assert [event.raw.content() for event in result.events if event.raw] == [
        b'{"image":"a"}',
        b'{"image":"b"}',
    ]
    assert [refusal.error.field for refusal in result.refusals] == [
        "mapping.events.1",
        "mapping.repository",
    ]
    assert {refusal.raw for refusal in result.refusals} == {json.dumps(content).encode()}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({}, "missing_field"),
        ({"all": "web"}, "wrong_type"),
        ({"all": [{"image": "a"}] * 1001}, "too_many"),
        (7, "missing_field"),
    ],
)
def test_what_events_must_find_is_a_list(content, reason):
    error = refused(content, LEAST | {"events": "all"})
    assert (error.reason, error.field) == (reason, "mapping.events")


@pytest.mark.parametrize(("found", "count"), [([], 0), ({"image": "web"}, 1)])
def test_events_may_find_none_or_a_single_one(found, count):
    assert len(parsed({"all": found}, LEAST | {"events": "all"}).events) == count


def test_a_source_without_a_mapping_refuses():
    with pytest.raises(NotificationError) as error:
        KINDS["custom"].parse(Notification("eu", b"{}", received_at=RECEIVED))
    assert error.value.field == "mapping"


def test_a_mapping_that_costs_too_much_is_refused_by_name():
    content = {"image": "web", "x": [[1] * 1000] * 100}
    error = refused(content, LEAST | {"attributes": {"huge": "x[] | [@,@,@,@][] | [@]"}})
    assert (error.reason, error.field) == ("too_costly", "mapping.attributes.huge")


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("a[", "not a JMESPath expression"),
        ("split(a, '/')", "Unknown function: split()"),
        ("join(a)", "Expected 2 arguments"),
        ("not_null()", "at least 1"),
        ("(" * 400 + "a" + ")" * 400, "more than 100 of the characters"),
        ("a|" * 60 + "a", "nested more than 50 deep"),
        ("x" * 1001, "at most 1000"),
        ("", "at least 1"),
    ],
)
def test_an_expression_that_cannot_be_read_is_refused_where_it_is_written(expression, why):
    with pytest.raises(ValidationError, match="tags") as error:
        FieldMapping(tags=expression)
    assert why in str(error.value)
