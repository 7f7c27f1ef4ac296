"""`AttemptRecord`: one HTTP request of a delivery, with its response or its error.

It is built once, by the attempt activity; it is what history keeps, what `retry.py` reads
and what the API shows.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from portcall.durations import Duration
from portcall.events import Value

BODY_LIMIT = 64 * 1024
"""Bytes of a request's or response's body that a record keeps."""

Headers = tuple[tuple[str, str], ...]


class Outcome(StrEnum):
    """Where a delivery stands; the value of the search attribute `Outcome`.

    `held`: what it belongs to is suspended. `queued`: it waits for its target, which is at its
    limit or paused. `waiting`: for its turn, behind an earlier one of the same repository.
    """

    DELIVERING = "delivering"
    RETRYING = "retrying"
    HELD = "held"
    QUEUED = "queued"
    WAITING = "waiting"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    REJECTED = "rejected"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"


OPEN_OUTCOMES = (
    Outcome.DELIVERING,
    Outcome.RETRYING,
    Outcome.HELD,
    Outcome.QUEUED,
    Outcome.WAITING,
)
"""Those of a delivery that has not ended."""


class EventOutcome(StrEnum):
    """What matching found for an event; the same search attribute."""

    MATCHED = "matched"
    UNMATCHED = "unmatched"


class AttemptOutcome(StrEnum):
    """How one attempt ended.

    `delivered`: a 2xx. `failed`: another status, or no complete response. `blocked`: not
    sent, the target may not be reached. `lost`: the worker died; whether the receiver got
    the request is unknown.
    """

    DELIVERED = "delivered"
    FAILED = "failed"
    BLOCKED = "blocked"
    LOST = "lost"


class ErrorType(StrEnum):
    """Why there is no response; `auth`: no access token was to be had."""

    TIMEOUT = "timeout"
    CONNECT = "connect"
    TLS = "tls"
    DNS = "dns"
    BLOCKED = "blocked"
    PROTOCOL = "protocol"
    AUTH = "auth"
    LOST = "lost"
    INTERNAL = "internal"


class RequestRecord(Value):
    """The request as it was sent, secrets redacted, body cut at `BODY_LIMIT`."""

    method: str = "POST"
    url: str
    headers: Headers = ()
    body: str = ""
    body_encoding: Literal["utf-8", "base64"] = "utf-8"
    body_bytes: int = 0
    truncated: bool = False


class ResponseRecord(Value):
    """The response as it came; `body_bytes` counts what was read, `truncated` says more came."""

    status: int
    headers: Headers = ()
    body: str = ""
    body_encoding: Literal["utf-8", "base64"] = "utf-8"
    body_bytes: int = 0
    truncated: bool = False


class AttemptError(Value):
    """What stood in the way of a response, in one sentence."""

    type: ErrorType
    message: str


def in_one_line(words: str) -> str:
    """Give what a receiver said as a part of a sentence of ours: no sign breaks or hides it."""
    line = " ".join(words.split())
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in line)


class Timings(Value):
    """Milliseconds; a phase that did not take place (a reused connection) is None."""

    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None
    total: float = 0.0


class AttemptRecord(Value):
    """One attempt. `number` counts from 1 in each run; `peer` is `address:port`."""

    number: int
    run_id: str = ""
    started_at: datetime
    outcome: AttemptOutcome
    request: RequestRecord | None = None
    response: ResponseRecord | None = None
    error: AttemptError | None = None
    timings_ms: Timings = Timings()
    peer: str | None = None
    retry_after: Duration | None = None
    next_attempt_in: Duration | None = None

    @property
    def http_status(self) -> int | None:
        """The response's status, where there was a response."""
        return self.response.status if self.response else None

    def summary(self) -> str:
        """Say in one line how it ended, for the Web UI and tables."""
        if self.error:
            return f"{self.error.type}: {self.error.message}"
        if self.response:
            return f"HTTP {self.response.status}"
        return str(self.outcome)

    def waiting(self, delay: timedelta) -> "AttemptRecord":
        """Give the record with the wait that followed it."""
        return self.model_copy(update={"next_attempt_in": delay})
