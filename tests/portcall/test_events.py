import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from portcall.events import RAW_LIMIT, RawOriginal, RegistryEvent, text_or_base64
from tests.strategies import events

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_plain_text_is_kept_as_text():
    assert text_or_base64('{"a": "ä"}'.encode()) == ('{"a": "ä"}', "utf-8")


@pytest.mark.parametrize("body", [b"\xff\xfe", b"\x00" * 100, b"\n" * 500])
def test_bytes_that_json_would_not_keep_small_are_kept_as_base64(body):
    text, encoding = text_or_base64(body)
    assert encoding == "base64"
    assert RawOriginal(body=text, encoding=encoding).content() == body


@given(st.binary(max_size=2000) | st.text(max_size=500).map(lambda text: text.encode()))
def test_any_body_comes_back_and_grows_by_half_at_most(body):
    raw = RawOriginal.of(body)
    assert raw.content() == body
    assert len(json.dumps(raw.body, ensure_ascii=False).encode()) <= 1.5 * len(body) + 512


def test_a_raw_original_over_the_limit_is_cut_and_says_so():
    raw = RawOriginal.of(b"x" * (RAW_LIMIT + 1), "text/plain")
    assert (raw.size, raw.truncated, raw.content_type) == (RAW_LIMIT + 1, True, "text/plain")
    assert raw.content() == b"x" * RAW_LIMIT


def test_a_raw_original_at_the_limit_is_whole():
    assert not RawOriginal.of(b"x" * RAW_LIMIT).truncated


def test_a_character_that_the_cut_splits_is_kept_as_bytes():
    body = b"x" * (RAW_LIMIT - 1) + "é".encode()
    assert RawOriginal.of(body).content() == body[:RAW_LIMIT]


def test_an_absurd_content_type_is_cut():
    assert len(RawOriginal.of(b"", "t" * 1000).content_type) == 255


def test_an_event_can_leave_its_raw_original_behind():
    event = RegistryEvent(
        id="1", source="s", kind="k", type="t", occurred_at=NOW, received_at=NOW,
        raw=RawOriginal.of(b"{}"), repository="r",
    )  # fmt: skip
    assert event.without_raw().raw is None
    assert event.without_raw().repository == "r"
    assert event.raw is not None


def test_an_event_does_not_change():
    event = RegistryEvent(id="1", source="s", kind="k", type="t", occurred_at=NOW, received_at=NOW)
    with pytest.raises(ValidationError, match="frozen"):
        event.type = "other"


@given(events)
def test_an_event_comes_back_whole_from_a_history(event):
    assert RegistryEvent.model_validate_json(event.model_dump_json()) == event
