"""Makes the record of an attempt: caps and redacts what went over the wire, says how it ended."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from portcall.attempts import (
    BODY_LIMIT,
    AttemptError,
    AttemptOutcome,
    AttemptRecord,
    ErrorType,
    Headers,
    RequestRecord,
    ResponseRecord,
)
from portcall.durations import LONGEST
from portcall.events import text_or_base64
from portcall.ports import Exchange, OutgoingRequest, ReceivedResponse
from portcall.redaction import Redaction

HEADERS_LIMIT = 16 * 1024
"""Characters of headers that a record keeps of a request or response, as HTTP/1.1 writes them."""

_COLON_AND_LINE_BREAK = 4


def sent_record(
    number: int,
    started_at: datetime,
    request: OutgoingRequest,
    exchange: Exchange,
    redaction: Redaction,
) -> AttemptRecord:
    """Give the record of a request that was sent, or of which sending was tried."""
    ended_at = started_at + timedelta(milliseconds=exchange.timings.total)
    error = exchange.error
    return AttemptRecord(
        number=number,
        started_at=started_at,
        outcome=_outcome(exchange),
        request=request_record(request, redaction),
        response=_response_record(exchange.response, redaction) if exchange.response else None,
        error=error and error.model_copy(update={"message": redaction.text(error.message)}),
        timings_ms=exchange.timings,
        peer=exchange.peer,
        retry_after=retry_after(exchange.response, ended_at) if exchange.response else None,
    )


def unsent_record(
    number: int, started_at: datetime, outcome: AttemptOutcome, kind: ErrorType, message: str
) -> AttemptRecord:
    """Give the record of an attempt of which there is nothing to show."""
    error = AttemptError(type=kind, message=message)
    return AttemptRecord(number=number, started_at=started_at, outcome=outcome, error=error)


def retry_after(response: ReceivedResponse, now: datetime) -> timedelta | None:
    """Read `Retry-After` (RFC 9110, section 10.2.3) of an answer that is no 2xx.

    Seconds or a date; one that lies in the past is no wait, nonsense is ignored.
    """
    values = [value.strip() for name, value in response.headers if name.lower() == "retry-after"]
    if not values or response.status // 100 == 2:
        return None
    if values[0].isascii() and values[0].isdigit():
        seconds = float(values[0])
        return timedelta(seconds=seconds) if seconds <= LONGEST.total_seconds() else None
    try:
        when = parsedate_to_datetime(values[0])
    except (ValueError, OverflowError):
        return None
    wait = (when if when.tzinfo else when.replace(tzinfo=UTC)) - now
    return max(wait, timedelta()) if wait <= LONGEST else None


def _outcome(exchange: Exchange) -> AttemptOutcome:
    if exchange.error and exchange.error.type is ErrorType.BLOCKED:
        return AttemptOutcome.BLOCKED
    if exchange.response and exchange.response.status // 100 == 2:
        return AttemptOutcome.DELIVERED
    return AttemptOutcome.FAILED


def request_record(request: OutgoingRequest, redaction: Redaction) -> RequestRecord:
    """Give what a record shows of a request."""
    body, encoding = text_or_base64(redaction.body(request.body)[:BODY_LIMIT])
    return RequestRecord(
        method=request.method,
        url=redaction.url(request.url),
        headers=_shown_headers(request.headers, redaction),
        body=body,
        body_encoding=encoding,
        body_bytes=len(request.body),
        truncated=len(request.body) > BODY_LIMIT,
    )


def _response_record(response: ReceivedResponse, redaction: Redaction) -> ResponseRecord:
    redacted = redaction.body(response.body, truncated=response.truncated)
    body, encoding = text_or_base64(redacted[:BODY_LIMIT])
    return ResponseRecord(
        status=response.status,
        headers=_shown_headers(response.headers, redaction),
        body=body,
        body_encoding=encoding,
        body_bytes=len(response.body),
        truncated=response.truncated,
    )


def _shown_headers(headers: Headers, redaction: Redaction) -> Headers:
    """Keep the headers that fit, without secrets, and say how many did not.

    Secrets are looked for in those alone: in the tens of thousands that fit into an answer it
    would take seconds.
    """
    kept: list[tuple[str, str]] = []
    room = HEADERS_LIMIT
    for header in headers:
        [(name, value)] = redaction.headers((header,))
        room -= len(name) + len(value) + _COLON_AND_LINE_BREAK
        if room < 0:
            return (*kept, ("...", f"{len(headers) - len(kept)} more headers were not kept"))
        kept.append((name, value))
    return tuple(kept)
