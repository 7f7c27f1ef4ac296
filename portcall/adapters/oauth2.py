"""Gets access tokens by client credentials, through the guarded transport (RFC 6749, section 4.4).

`oauthlib` writes the request and reads the answer; here is when to ask, and what is kept.
"""

import asyncio
import base64
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlsplit

from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error

from portcall.attempts import AttemptError, ErrorType, in_one_line
from portcall.auth import TOKEN_TIMEOUT, OAuth2Auth
from portcall.outgoing import user_agent
from portcall.ports import OutgoingRequest, ReceivedResponse, Transport
from portcall.redaction import Redaction
from portcall.sensitive import secrets_in_url

LIFETIME = 300.0
"""Seconds that a token is used which does not say how long it lasts."""

MARGIN = 30.0
"""Seconds before its end at which a token is renewed, or a tenth of its life."""

LONGEST_LIFETIME = 86_400.0
FRESH = 5.0
"""Seconds for which a token is not renewed: refused so soon, another would be refused too."""

FAILURE_KEPT = 1.0
KEPT_AT_MOST = 1000
_BODY_LIMIT = 64 * 1024
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")

Answer = str | AttemptError


class _NoTokenError(Exception):
    """Why there is no token."""

    def __init__(self, why: str, kind: ErrorType = ErrorType.AUTH) -> None:
        super().__init__(why)
        self.kind = kind


@dataclass(frozen=True)
class _Kept:
    """What the server answered, from when until when it is used."""

    answer: Answer
    since: float
    until: float


class OAuth2Tokens:
    """The AccessTokens of one process."""

    def __init__(
        self,
        transport: Transport,
        clock: Callable[[], float] = time.monotonic,
        *,
        at_most: int = KEPT_AT_MOST,
    ) -> None:
        """Take what sends; beyond `at_most` answers those that are over are forgotten."""
        self._transport = transport
        self._at_most = at_most
        self._clock = clock
        self._kept: dict[OAuth2Auth, _Kept] = {}
        self._asking: dict[OAuth2Auth, asyncio.Task[Answer]] = {}

    async def token(self, auth: OAuth2Auth, *, renew: bool = False) -> Answer:
        """Give a token, a fresh one with `renew`; what stands against it comes back as a value."""
        kept, now = self._kept.get(auth), self._clock()
        if kept and now < (min(kept.until, kept.since + FRESH) if renew else kept.until):
            return kept.answer
        asking = self._asking.get(auth)
        if asking is None:
            asking = asyncio.create_task(self._ask(auth))
            self._asking[auth] = asking
            asking.add_done_callback(lambda _: self._asking.pop(auth, None))
        return await asyncio.shield(asking)  # who gives up must not end it for the others

    async def _ask(self, auth: OAuth2Auth) -> Answer:
        answer: Answer
        try:
            answer, lasts = _token_of(auth, await self._exchange(auth))
        except _NoTokenError as error:
            answer, lasts = _refused(auth, error), FAILURE_KEPT
        now = self._clock()
        self._forget(now)
        self._kept[auth] = _Kept(answer, now, now + lasts)
        return answer

    async def _exchange(self, auth: OAuth2Auth) -> ReceivedResponse:
        exchange = await self._transport.send(_request(auth))
        if exchange.response is None:
            error = exchange.error
            blocked = error is not None and error.type is ErrorType.BLOCKED
            why = error.message if error else "no response"
            raise _NoTokenError(why, ErrorType.BLOCKED if blocked else ErrorType.AUTH)
        return exchange.response

    def _forget(self, now: float) -> None:
        if len(self._kept) >= self._at_most:
            self._kept = {auth: kept for auth, kept in self._kept.items() if kept.until > now}


def _request(auth: OAuth2Auth) -> OutgoingRequest:
    secret = auth.client_secret.get_secret_value()
    in_body = auth.client_auth == "body"
    # What is None is left out by the library, though its types do not say so.
    more: dict[str, Any] = {
        "scope": auth.scope,
        "audience": auth.audience,
        "client_secret": secret if in_body else None,
    }
    client = BackendApplicationClient(auth.client_id)
    body = client.prepare_request_body(include_client_id=in_body, **more)
    headers = [
        ("User-Agent", user_agent()),
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ]
    if auth.client_auth == "header":  # form-encoded first (RFC 6749, section 2.3.1)
        pair = f"{quote_plus(auth.client_id)}:{quote_plus(secret)}".encode()
        headers.append(("Authorization", f"Basic {base64.b64encode(pair).decode()}"))
    return OutgoingRequest(
        url=auth.token_url,
        headers=tuple(headers),
        body=body.encode(),
        timeout=TOKEN_TIMEOUT,
        body_limit=_BODY_LIMIT,
        pool="access tokens",
    )


def _token_of(auth: OAuth2Auth, response: ReceivedResponse) -> tuple[str, float]:
    """Give the token, and for how many seconds to use it; raise _NoTokenError."""
    status, found = f"HTTP {response.status}", _json(response.body)
    if response.status // 100 != 2 and "error" not in found:
        raise _NoTokenError(status)
    if not found:
        raise _NoTokenError(f"the answer ({status}) is no JSON object")
    client = BackendApplicationClient(auth.client_id)
    try:
        token = client.parse_request_body_response(json.dumps(found))
        lasts = _lasts(found.get("expires_in"))
    except OAuth2Error as error:
        why = f"{error.error}: {error.description}" if error.description else str(error.error)
        raise _NoTokenError(why) from None
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise _NoTokenError(f"the answer ({status}) is not understood") from None
    kind = token.get("token_type", "Bearer")
    if str(kind).lower() != "bearer":
        raise _NoTokenError(f"the token's type is {kind}, not Bearer")
    access = found["access_token"]
    if not (isinstance(access, str) and _TOKEN.fullmatch(access)):
        raise _NoTokenError("the token does not fit into a header")
    return access, lasts


def _lasts(expires_in: Any) -> float:
    if expires_in is None:
        return LIFETIME
    lifetime = min(float(expires_in), LONGEST_LIFETIME)
    return max(lifetime - min(MARGIN, lifetime / 10), 0.0)


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _refused(auth: OAuth2Auth, error: _NoTokenError) -> AttemptError:
    """Say in one short line that there is no token; what the server quotes shows no secret."""
    secret = auth.client_secret.get_secret_value()
    pair = base64.b64encode(f"{quote_plus(auth.client_id)}:{quote_plus(secret)}".encode())
    secrets = [secret.encode(), pair, *secrets_in_url(auth.token_url)]
    why = Redaction(secrets).text(in_one_line(str(error)))[:300]
    host = urlsplit(auth.token_url).netloc.rpartition("@")[2]
    return AttemptError(type=error.kind, message=f"no access token from {host}: {why}")
