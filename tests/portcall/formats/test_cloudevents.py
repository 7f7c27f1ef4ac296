"""The official library is the judge: what it reads is what was meant, in every mode."""

import json

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from hypothesis import example, given
from hypothesis import strategies as st

from portcall.event_types import EVENT_TYPES
from portcall.events import RegistryEvent
from portcall.formats.known import load_formats
from portcall.formats.names import subject
from tests.portcall.formats.events import PUSH, RECORDED, but

FORMATS = load_formats()
MODES = ("cloudevents", "cloudevents-binary")
OWN = [
    but(source="portcall", kind="portcall", type=type_, repository=None, tags=(), digest=None)
    for type_ in ("target.disabled", "target.recovered", "delivery.exhausted", "source.silent")
]


def read(name, event):
    message = FORMATS[name].render(event)
    headers = {"content-type": message.content_type} | dict(message.headers)
    return from_http_event(HTTPMessage(headers=headers, body=message.body))


def check(name, event):
    found = read(name, event)
    assert found.get_id() == event.id
    assert found.get_source() == f"/portcall/sources/{event.source}"
    assert found.get_type() == f"portcall.{event.type}"
    assert found.get_subject() == (subject(event) or None)
    assert found.get_time() == event.occurred_at
    assert found.get_specversion() == "1.0"
    assert found.get_datacontenttype() == "application/json"
    assert RegistryEvent.model_validate(found.get_data()) == event.without_raw()


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_every_type_of_event_is_read(name, event_type):
    check(name, but(type=event_type))


@pytest.mark.parametrize("name", MODES)
def test_every_recorded_event_and_portcalls_own_are_read(name):
    for event in [*RECORDED, *OWN]:
        check(name, event)


words = st.text(min_size=1, max_size=40).filter(lambda text: "\x00" not in text)


@pytest.mark.parametrize("name", MODES)
@given(repository=words, tag=words, own_type=words)
@example(repository='a b"%é😀\r\nx: y', tag="%41", own_type="\x7f\u2028")
def test_odd_characters_come_through(name, repository, tag, own_type):
    check(name, but(repository=repository, tags=(tag,), type=own_type))


@given(words)
@example("a\r\nwebhook-id: forged")
def test_a_header_holds_nothing_but_printable_ascii(text):
    message = FORMATS["cloudevents-binary"].render(but(repository=text, actor=text, id=text))
    for name, value in message.headers:
        assert name.startswith("ce-")
        assert all("!" <= char <= "~" and char != '"' for char in value)


def test_a_push_in_binary_mode():
    message = FORMATS["cloudevents-binary"].render(but(tags=("v 1",)))
    assert message.content_type == "application/json"
    assert dict(message.headers) == {
        "ce-specversion": "1.0",
        "ce-id": "e1",
        "ce-source": "/portcall/sources/eu",
        "ce-type": "portcall.artifact.pushed",
        "ce-time": "2026-01-02T03:04:05.678000Z",
        "ce-subject": "prj/api/web:v%201",
    }
    assert json.loads(message.body)["tags"] == ["v 1"]


def test_a_subject_that_is_too_long_for_a_header_is_left_out():
    assert read("cloudevents-binary", but(repository="😀" * 100)).get_subject() is None
    assert read("cloudevents", but(repository="😀" * 100)).get_subject() == "😀" * 100 + ":1.4.2"


def test_a_source_is_a_uri_reference_whatever_its_name():
    described = PUSH.model_copy(update={"source": "a b/ü"})
    for name in MODES:
        assert read(name, described).get_source() == "/portcall/sources/a%20b%2F%C3%BC"
