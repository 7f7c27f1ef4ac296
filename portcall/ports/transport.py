"""Sending a webhook, and what becomes of it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from portcall.attempts import BODY_LIMIT, AttemptError, Headers, Timings
from portcall.auth import OAuth2Auth
from portcall.receiving import Proxy, Tls


@dataclass(frozen=True)
class OutgoingRequest:
    """A request ready to be sent, secrets in clear. `timeout` bounds the whole exchange.

    `body_limit` is the bytes of the response's body that are read at most. Connections are kept
    and shared among requests of the same `pool`, `tls`, `proxy` and `skip_cert_verify` only.
    """

    url: str
    headers: Headers
    body: bytes
    timeout: timedelta
    skip_cert_verify: bool = False
    method: str = "POST"
    body_limit: int = BODY_LIMIT
    pool: str = ""
    tls: Tls | None = None
    proxy: Proxy | None = None


@dataclass(frozen=True)
class ReceivedResponse:
    """What was read of a response: at most the request's `body_limit` bytes of body."""

    status: int
    headers: Headers
    body: bytes
    truncated: bool


@dataclass(frozen=True)
class Exchange:
    """What became of a request: a response or an error, never both, never an exception."""

    response: ReceivedResponse | None
    error: AttemptError | None
    timings: Timings
    peer: str | None


class Transport(Protocol):
    """Sends webhooks and guards the network."""

    async def send(self, request: OutgoingRequest) -> Exchange:
        """Send one request; the receiver's faults come back as a value.

        Raise OutOfResourcesError where this process lacks what it takes to send anything.
        """
        ...


class AccessTokens(Protocol):
    """Gets access tokens by OAuth 2.0 client credentials, and keeps them while they last."""

    async def token(self, auth: OAuth2Auth, *, renew: bool = False) -> str | AttemptError:
        """Give a token, a fresh one with `renew`; what stands against it comes back as a value.

        The error is of the type `auth`, or what kept us from asking; it quotes no secret.
        """
        ...
