import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcall.attempts import BODY_LIMIT, AttemptError, AttemptOutcome, ErrorType, Timings
from portcall.ports import Exchange, OutgoingRequest, ReceivedResponse
from portcall.recording import HEADERS_LIMIT, retry_after, sent_record, unsent_record
from portcall.redaction import Redaction

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_record(*, body=b"", status=200, answer=b"", truncated=False, headers=(), sent=()):
    request = OutgoingRequest("https://ci.example/", tuple(sent), body, timedelta(seconds=1))
    response = ReceivedResponse(status, tuple(headers), answer, truncated)
    exchange = Exchange(response, None, Timings(total=5000), "192.0.2.7:443")
    return sent_record(1, NOW, request, exchange, Redaction([b"s3cr3t"]))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "delivered"), (299, "delivered"), (300, "failed"), (410, "failed"), (503, "failed")],
)
def test_a_2xx_delivers_and_nothing_else_does(status, outcome):
    assert a_record(status=status).outcome is AttemptOutcome(outcome)


@pytest.mark.parametrize(
    ("kind", "outcome"), [(ErrorType.TIMEOUT, "failed"), (ErrorType.BLOCKED, "blocked")]
)
def test_an_error_is_kept_without_secrets(kind, outcome):
    request = OutgoingRequest("https://ci.example/", (), b"", timedelta(seconds=1))
    error = AttemptError(type=kind, message="not s3cr3t")
    exchange = Exchange(None, error, Timings(), None)
    record = sent_record(1, NOW, request, exchange, Redaction([b"s3cr3t"]))
    assert record.outcome is AttemptOutcome(outcome)
    assert record.error == AttemptError(type=kind, message="not [redacted]")
    assert record.response is None


def test_an_attempt_of_which_nothing_was_sent_has_no_request():
    record = unsent_record(2, NOW, AttemptOutcome.LOST, ErrorType.LOST, "gone")
    assert (record.number, record.request, record.summary()) == (2, None, "lost: gone")


def test_bodies_are_kept_up_to_the_limit_and_say_what_they_were():
    record = a_record(body=b"x" * (BODY_LIMIT + 1), answer=b"y" * BODY_LIMIT, truncated=True)
    assert len(record.request.body) == BODY_LIMIT
    assert (record.request.body_bytes, record.request.truncated) == (BODY_LIMIT + 1, True)
    assert BODY_LIMIT - 100 < len(record.response.body) <= BODY_LIMIT
    assert (record.response.body_bytes, record.response.truncated) == (BODY_LIMIT, True)


def test_a_secret_across_the_limit_is_hidden_before_the_body_is_cut():
    record = a_record(body=b"x" * (BODY_LIMIT - 3) + b"s3cr3t")
    assert "s3c" not in record.request.body


def test_a_body_that_is_no_text_is_base64():
    record = a_record(answer=b"\xff\x00")
    assert (record.response.body, record.response.body_encoding) == ("/wA=", "base64")


def test_too_many_headers_are_cut_and_counted():
    many = [(f"X-{number}", "v" * 1000) for number in range(100)]
    record = a_record(headers=many, sent=many)
    for headers in (record.request.headers, record.response.headers):
        assert len(headers) == HEADERS_LIMIT // 1000 + 1
        assert headers[-1] == ("...", "84 more headers were not kept")


def test_a_flood_of_headers_keeps_nobody_waiting():
    """Secrets were looked for in each of them, which took seconds of the worker's time."""
    redaction = Redaction(bytes([number, 7]) * 100 for number in range(50))
    response = ReceivedResponse(500, (("a", ""),) * 25_000, b"", truncated=False)
    request = OutgoingRequest("https://ci.example/", (), b"", timedelta(seconds=1))
    began = time.thread_time()
    record = sent_record(1, NOW, request, Exchange(response, None, Timings(), None), redaction)
    assert time.thread_time() - began < 1
    assert len(record.model_dump_json()) < 50_000


def test_a_record_of_the_greatest_size_stays_far_under_a_failures_two_mebibytes():
    headers = [(f"X-{number}", "\x01" * 4000) for number in range(20)]
    body = b'"\\' * BODY_LIMIT
    record = a_record(body=body, answer=body[:BODY_LIMIT], headers=headers, sent=headers)
    assert len(record.model_dump_json()) < 512 * 1024


@pytest.mark.parametrize(
    ("status", "value", "seconds"),
    [
        (429, "120", 120),
        (503, " 7 ", 7),
        (301, "7", 7),
        (500, "0", 0),
        (429, format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (429, "Thu, 01 Jan 2026 00:01:30 -0000", 90),
        (429, "Thu, 01 Jan 2026 01:01:30 +0100", 90),
        (429, "Wed, 31 Dec 2025 00:00:00 GMT", 0),
        (200, "120", None),
        (429, "", None),
        (429, "-5", None),
        (429, "1.5", None),
        (429, "soon", None),
        (429, "١٢", None),
        (429, "9" * 400, None),
        (429, "Thu, 01 Jan 9999 00:00:00 GMT", None),
        (429, "Thu, 99 Jan 2026 00:00:00 GMT", None),
        (429, "Thu, 01 Jan 99999999999999999999 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_nonsense_is_ignored(status, value, seconds):
    response = ReceivedResponse(status, (("retry-After", value),), b"", truncated=False)
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after(response, NOW) == expected


@given(st.text(max_size=40) | st.integers().map(str))
def test_no_retry_after_makes_reading_it_fail(value):
    response = ReceivedResponse(503, (("Retry-After", value),), b"", truncated=False)
    wait = retry_after(response, NOW)
    assert wait is None or wait >= timedelta()


def test_a_date_counts_from_the_end_of_the_attempt():
    at = format_datetime(NOW + timedelta(seconds=65), usegmt=True)
    record = a_record(status=503, headers=[("Retry-After", at)])
    assert record.retry_after == timedelta(seconds=60)
