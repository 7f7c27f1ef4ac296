from datetime import UTC, datetime, timedelta

import pytest

from portcall.attempts import (
    AttemptError,
    AttemptOutcome,
    AttemptRecord,
    ErrorType,
    RequestRecord,
    ResponseRecord,
    Timings,
    in_one_line,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DELIVERED = AttemptRecord(
    number=2,
    run_id="run",
    started_at=NOW,
    outcome=AttemptOutcome.DELIVERED,
    request=RequestRecord(url="https://t.example", headers=(("a", "b"),), body="{}", body_bytes=2),
    response=ResponseRecord(status=204),
    timings_ms=Timings(dns=1.5, total=2.0),
    peer="192.0.2.7:443",
)
TIMED_OUT = AttemptRecord(
    number=1,
    started_at=NOW,
    outcome=AttemptOutcome.FAILED,
    error=AttemptError(type=ErrorType.TIMEOUT, message="nothing within 15s"),
)
UNKNOWN = AttemptRecord(number=1, started_at=NOW, outcome=AttemptOutcome.LOST)


@pytest.mark.parametrize(
    ("record", "summary", "status"),
    [
        (DELIVERED, "HTTP 204", 204),
        (TIMED_OUT, "timeout: nothing within 15s", None),
        (UNKNOWN, "lost", None),
    ],
)
def test_a_record_says_in_one_line_how_the_attempt_ended(record, summary, status):
    assert record.summary() == summary
    assert record.http_status == status


def test_a_record_keeps_the_wait_that_followed_it():
    waited = TIMED_OUT.waiting(timedelta(seconds=5))
    assert waited.next_attempt_in == timedelta(seconds=5)
    assert waited.model_dump(mode="json")["next_attempt_in"] == "5s"
    assert TIMED_OUT.next_attempt_in is None


@pytest.mark.parametrize("record", [DELIVERED, TIMED_OUT, UNKNOWN])
def test_a_record_comes_back_whole_from_a_history(record):
    assert AttemptRecord.model_validate_json(record.model_dump_json()) == record


def test_a_record_of_an_older_version_with_fewer_fields_still_loads():
    old = {"number": 1, "started_at": "2026-01-01T00:00:00Z", "outcome": "failed"}
    assert AttemptRecord.model_validate(old).timings_ms == Timings()


def test_what_others_said_is_one_visible_line():
    assert in_one_line("bad\r\n client\x00 \x1b[31m\u202ename é") == (
        "bad client\\x00 \\x1b[31m\\u202ename é"
    )
