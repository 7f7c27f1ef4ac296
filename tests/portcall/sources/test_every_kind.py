"""What every kind of source owes to the rest, whatever it is sent."""

import gzip
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcall.errors import NotificationError
from portcall.sources.contract import check_kind, check_notification
from portcall.sources.kind import Notification
from tests.portcall.sources.notifications import KINDS, body, cases, parse, recorded

CASES = [(kind, case) for kind in sorted(KINDS) for case in cases(kind)]
JSON_CASES = [(kind, case) for kind, case in CASES if body(kind, case)[:1] in b"{["]
every_kind = pytest.mark.parametrize("kind", sorted(KINDS))

SAY_NOTHING = ("test-endpoint", "ping", "grid-subscription-deleted")
READ_LISTS = {"acr", "cloudevents", "zot"}

odd_text = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(
    [
        "",
        "v1",
        "a/b",
        "sha256:" + "a" * 64,
        "push",
        "PUSH_ARTIFACT",
        "2025-06-15T17:06:40Z",
        "\ud800",
    ]
)
odd_number = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
odd_value = st.recursive(
    st.none() | st.booleans() | odd_number | odd_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(odd_text, inner, max_size=4),
    max_leaves=10,
)
PLACES = sorted(
    {name for kind, case in CASES for name in re.findall(r'"(\w+)":', body(kind, case).decode())}
)


def replaced(value, name, new):
    """Put a value in the place of every member of that name."""
    if isinstance(value, dict):
        return {k: new if k == name else replaced(v, name, new) for k, v in value.items()}
    return [replaced(item, name, new) for item in value] if isinstance(value, list) else value


def sent(kind: str, content: bytes) -> Notification:
    """Give a notification with the headers of the kind's first one."""
    return recorded(kind, cases(kind)[0], body=content)


def alone(kind: str, content: bytes) -> Notification:
    """Give a notification without headers; some say what a body is, or that there is none."""
    return recorded(kind, cases(kind)[0], body=content, headers={}, hint=None)


@every_kind
def test_a_kind_keeps_the_contract(kind):
    check_kind(KINDS[kind], [recorded(kind, case) for case in cases(kind)])


@every_kind
@given(content=st.binary(max_size=200))
def test_no_bytes_crash_a_parser(kind, content):
    check_notification(KINDS[kind], sent(kind, content))


@every_kind
@given(value=odd_value)
def test_no_json_crashes_a_parser(kind, value):
    check_notification(KINDS[kind], sent(kind, json.dumps(value).encode()))


@given(case=st.sampled_from(JSON_CASES), place=st.sampled_from(PLACES), value=odd_value)
def test_no_value_in_any_place_crashes_a_parser(case, place, value):
    changed = replaced(json.loads(body(*case)), place, value)
    check_notification(KINDS[case[0]], recorded(*case, body=json.dumps(changed).encode()))


@pytest.mark.parametrize(("kind", "case"), CASES)
def test_every_notification_in_the_files_is_understood(kind, case):
    parsed = KINDS[kind].parse(recorded(kind, case))
    assert not parsed.refusals
    assert parsed.events or parsed.reply or case.endswith(SAY_NOTHING)


@every_kind
@pytest.mark.parametrize(
    ("content", "reason", "status"),
    [
        (b"", "not_json", 400),
        (b"\xff\xfe{\x00}\x00", "not_json", 400),
        (b'{"events": [NaN]}', "not_json", 400),
        (b'{"events": [1e999]}', "not_json", 400),
        (b'{"events": [%s]}' % (b"9" * 5000), "not_json", 400),
        (b"[" * 100_000, "too_deep", 422),
        (b'{"events":' * 100_000, "too_deep", 422),
        (b"7", "wrong_type", 422),
        (b'"events"', "wrong_type", 422),
    ],
)
def test_what_is_no_object_in_json_is_refused_with_its_reason(kind, content, reason, status):
    with pytest.raises(NotificationError) as refused:
        KINDS[kind].parse(alone(kind, content))
    assert (refused.value.reason, refused.value.status) == (reason, status)


@pytest.mark.parametrize(
    ("content", "why"), [(b"", "it is empty"), (gzip.compress(b"{}", mtime=0), "it is gzip")]
)
def test_what_has_no_json_to_show_is_refused_in_plain_words(content, why):
    with pytest.raises(NotificationError) as refused:
        parse("distribution", content)
    assert refused.value.message == f"The body is not JSON: {why}."


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - READ_LISTS))
def test_a_list_is_refused_where_no_sender_of_the_kind_has_one(kind):
    with pytest.raises(NotificationError) as refused:
        KINDS[kind].parse(alone(kind, b"[]"))
    assert refused.value.reason == "wrong_type"


@every_kind
def test_a_byte_order_mark_is_no_reason_to_refuse(kind):
    case = cases(kind)[0]
    plain = KINDS[kind].parse(recorded(kind, case))
    marked = KINDS[kind].parse(sent(kind, b"\xef\xbb\xbf" + body(kind, case)))
    assert len(marked.events) == len(plain.events)


@pytest.mark.parametrize("kind", ["distribution", "proposal"])
@pytest.mark.parametrize(
    ("events", "reason"), [([{}] * 1001, "too_many"), ({"a": 1}, "wrong_type")]
)
def test_a_list_of_events_that_is_none_or_too_long_is_refused(kind, events, reason):
    with pytest.raises(NotificationError) as refused:
        parse(kind, {"events": events})
    assert (refused.value.reason, refused.value.field) == (reason, "events")


def test_an_envelope_of_something_else_is_not_taken_for_an_empty_one():
    with pytest.raises(NotificationError) as refused:
        parse("distribution", body("harbor", "push"))
    assert refused.value.field == "events"


@pytest.mark.parametrize(("kind", "case"), CASES)
def test_nothing_of_a_recording_leads_to_where_it_was_made(kind, case):
    hosts = set(re.findall(r"https?://([^/:\"]+)", body(kind, case).decode()))
    assert all(re.fullmatch(r"127[.]0[.]0[.]1|.*[.]example([.]test)?", host) for host in hosts)
