import base64
import json

import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from portcall.errors import NotificationError
from portcall.mapping import FieldMapping
from portcall.sources.kind import Notification, Parsed
from tests.portcall.sources.notifications import KINDS, RECEIVED, facts, recorded

DIGEST = "sha256:" + "1" * 64
JSON = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
LEAST = {"specversion": "1.0", "id": "1", "source": "/registries/1", "type": "artifact.pushed"}
PUSH = LEAST | {"data": {"repository": "shop/web"}}
BINARY = {f"ce-{name}": value for name, value in LEAST.items()}


def parsed(content, headers=JSON, mapping=None) -> Parsed:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    spec = FieldMapping.model_validate(mapping) if mapping else None
    notification = Notification("eu", raw, headers, mapping=spec, received_at=RECEIVED)
    return KINDS["cloudevents"].parse(notification)


def only(content, headers=JSON, mapping=None):
    result = parsed(content, headers, mapping)
    assert not result.refusals
    (event,) = result.events
    return event


def refused(content, headers=JSON, mapping=None):
    with pytest.raises(NotificationError) as error:
        only(content, headers, mapping)
    return error.value


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (
            "structured",
            {
                "type": "cloudevents.test.registry.image.pushed",
                "native_type": "test.registry.image.pushed",
                "registry": "reg.example.test",
                "project": "shop",
                "repository": "shop/web",
                "tags": ("1.4.2",),
                "digest": DIGEST,
                "media_type": "application/vnd.oci.image.index.v1+json",
                "actor": "ci",
            },
        ),
        ("by-subject", {"repository": "shop/api/web", "tags": ("1.4.2",)}),
        ("data-in-base64", {"repository": "shop/web", "tags": ("1.4.2", "latest")}),
        ("without-its-content-type", {"type": "artifact.pushed", "digest": DIGEST, "tags": ()}),
        (
            "from-harbor",
            {
                "type": "cloudevents.harbor.artifact.pushed",
                "repository": "shop/api/web",
                "tags": ("1.4.2",),
                "digest": "sha256:" + "a" * 64,
                "actor": "robot$shop+ci",
            },
        ),
        ("from-azure", {"repository": "shop/web", "tags": ("1.4.2",), "digest": DIGEST}),
        (
            "from-portcall",
            {
                "type": "artifact.pushed",
                "native_type": "portcall.artifact.pushed",
                "tags": ("1.4.2",),
                "digest": DIGEST,
            },
        ),
        ("binary", {"repository": "shop/web", "tags": ("1.4.2",), "registry": None}),
        ("binary-text", {"repository": "shop/web", "occurred_at": RECEIVED}),
        (
            "mapped",
            {
                "type": "artifact.pushed",
                "repository": "shop/web",
                "tags": ("1.4.2",),
                "platforms": ("linux/amd64", "linux/arm64"),
                "size": 856,
                "visibility": "private",
                "actor": "ada",
            },
        ),
    ],
)
def test_cloudevents_of_many_senders_become_events(case, expected):
    (event,) = KINDS["cloudevents"].parse(recorded("cloudevents", case)).events
    assert facts(event, expected) == expected


def test_the_names_that_amazons_api_has_are_found():
    data = {"repositoryName": "shop/web", "imageTag": "1.4.2", "imageDigest": DIGEST}
    event = only(LEAST | {"data": data, "subject": "shop/other:1"})
    assert (event.repository, event.tags, event.digest) == ("shop/web", ("1.4.2",), DIGEST)


def test_extensions_are_among_the_attributes_and_mapped_ones_beside_them():
    event = only(
        LEAST | {"data": {"repository": "web", "n": 1}, "priority": 3, "final": False, "Odd!": 1},
        mapping={"attributes": {"n": "data.n", "priority": "priority"}},
    )
    assert event.attributes == {"source": "/registries/1", "priority": 3, "final": False, "n": 1}


@pytest.mark.parametrize("to_message", [to_binary_event, to_structured_event])
@pytest.mark.parametrize("data", [{"repository": "shop/web"}, None])
def test_what_the_sdk_sends_arrives_the_same_in_both_modes(to_message, data):
    attributes = LEAST | {"subject": 'shop/"web" 100% €', "datacontenttype": "application/json"}
    message: HTTPMessage = to_message(CloudEvent(attributes | {"type": "t"}, data))
    headers = {name.lower(): value for name, value in message.headers.items()}
    event = only(message.body or b"", headers, {"attributes": {"data": "data"}})
    assert event.attributes["subject"] == 'shop/"web" 100% €'
    assert event.attributes.get("data") == data
    assert event.id == only(LEAST | {"type": "t"}).id


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=50))
def test_any_text_survives_the_way_through_a_header(text):
    message = to_binary_event(CloudEvent(LEAST | {"type": "t", "subject": text}, None))
    headers = {name.lower(): value for name, value in message.headers.items()}
    assert only(message.body or b"", headers).attributes["subject"] == text


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("plain", "plain"),
        ("Euro%20%E2%82%AC", "Euro €"),
        ('"a \\"b\\" c"', 'a "b" c'),
        ('"', '"'),
        ("%2520", "%20"),
        ("€".encode().decode("latin-1"), "€"),
        ("100%", "100%"),
    ],
)
def test_a_header_is_unquoted_and_decoded_once(value, read):
    event = only(PUSH["data"], BINARY | {"ce-subject": value})
    assert event.attributes["subject"] == read


@pytest.mark.parametrize("value", ["%ff", "\xff", "%ED%A0%80", "€"])
def test_a_header_that_is_no_utf_8_is_refused(value):
    assert refused(PUSH["data"], BINARY | {"ce-subject": value}).field == "ce-subject"


@pytest.mark.parametrize(
    ("content", "content_type", "data"),
    [
        (b'{"a": 1}', "application/json; charset=utf-8", {"a": 1}),
        (b'{"a": 1}', "application/vnd.example+json", {"a": 1}),
        (b'"text"', None, "text"),
        (b"not json", "text/plain", "not json"),
        (b"\xff", "text/plain", "\ufffd"),
        (b"\x00\x01", "application/octet-stream", None),
        (b"", "application/json", None),
    ],
)
def test_data_is_what_its_content_type_says_in_binary_mode_and_in_base64(
    content, content_type, data
):
    mapping = {"type": "'t'", "attributes": {"data": "data"}}
    typed = {"content-type": content_type} if content_type else {}
    headers = BINARY | typed | {"ce-datacontenttype": "application/octet-stream"}
    assert only(content, headers, mapping).attributes.get("data") == data
    encoded = {"data_base64": base64.b64encode(content).decode()}
    declared = {"datacontenttype": content_type} if content_type else {}
    assert only(LEAST | declared | encoded, JSON, mapping).attributes.get("data") == data


def test_text_in_data_stays_text():
    event = only(
        LEAST | {"type": "t", "data": '{"a": 1}'}, mapping={"attributes": {"data": "data"}}
    )
    assert event.attributes["data"] == '{"a": 1}'


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"specversion": None}, "specversion"),
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"source": None}, "source"),
        ({"source": []}, "source"),
        ({"type": ""}, "type"),
        ({"time": "yesterday"}, "time"),
        ({"data_base64": "AAEC"}, "data_base64"),
        ({"data": None, "data_base64": "?"}, "data_base64"),
        ({"data": None, "data_base64": 7}, "data_base64"),
        ({"data": None, "data_base64": "AAEC"}, "data_base64"),
        ({"data": {}}, "mapping.repository"),
    ],
)
def test_what_the_specification_asks_for_is_refused_by_name_where_it_is_missing(change, field):
    assert refused(PUSH | change).field == field


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_a_binary_message_needs_its_headers(name):
    headers = {header: value for header, value in BINARY.items() if header != f"ce-{name}"}
    assert refused(PUSH["data"], headers).field == name


def test_a_format_other_than_json_is_refused():
    error = refused(b"", {"content-type": "application/cloudevents+avro"})
    assert error.field == "content-type"


def test_one_wrong_event_of_a_batch_stops_no_other_and_comes_alone():
    result = parsed([PUSH, PUSH | {"id": None}, 7, PUSH | {"id": "2"}], BATCH)
    assert len({event.id for event in result.events}) == 2
    assert [refusal.error.field for refusal in result.refusals] == ["1.id", "2"]
    (again,) = parsed(result.refusals[0].raw, BATCH).refusals
    assert again.error.field == "0.id"


def test_a_batch_may_be_empty_and_must_be_a_list():
    assert parsed([], BATCH) == Parsed()
    assert parsed([PUSH], {"content-type": "application/json"}).events
    assert refused(PUSH, BATCH).reason == "wrong_type"
    assert refused([PUSH], JSON).reason == "wrong_type"


def test_the_same_id_of_another_sender_is_another_event():
    assert only(PUSH).id == only(PUSH | {"time": "2025-06-15T15:06:40Z"}).id
    assert only(PUSH).id != only(PUSH | {"source": "/registries/2"}).id
    assert only(PUSH).id == only(PUSH["data"], BINARY).id
    assert only(PUSH | {"id": "x" * 5000}).id != only(PUSH | {"id": "x" * 5001}).id


def test_a_mapping_replaces_only_what_it_names():
    content = LEAST | {
        "type": "com.example.release",
        "data": {"repository": "shop/web", "tag": "1", "key": "k-1"},
    }
    mapping = {"types": {"com.example.release": "artifact.pushed"}, "id": "data.key"}
    event = only(content, mapping=mapping)
    assert (event.id, event.type, event.tags) == ("k-1", "artifact.pushed", ("1",))
    assert only(content, mapping=mapping | {"tags": "`null`"}).tags == ()


@pytest.mark.parametrize(
    ("change", "repository"),
    [
        ({"subject": "shop/web"}, "shop/web"),
        ({"subject": "user@example.test"}, None),
        ({"subject": "/subscriptions/1"}, None),
        ({"subject": "x" * 300}, None),
        ({"data": {"name": "Some text"}, "subject": "web:1"}, "web"),
        ({"subject": "123"}, None),
        ({"data": {"repository": "a@b", "name": "web"}}, "web"),
        ({"data": {"repository": {"name": "b"}}}, None),
    ],
)
def test_only_what_looks_like_a_repository_is_taken_for_one(change, repository):
    event = only(LEAST | {"type": "t"} | change)
    assert event.repository == repository


@pytest.mark.parametrize(
    ("source", "registry"),
    [
        ("https://reg.example.test", "reg.example.test"),
        ("http://reg.example.test:5000/a?b", "reg.example.test:5000"),
        ("urn:example:1", None),
        ("https://user@reg.example.test", None),
    ],
)
def test_the_registry_is_the_host_of_the_source(source, registry):
    assert only(PUSH | {"source": source}).registry == registry
