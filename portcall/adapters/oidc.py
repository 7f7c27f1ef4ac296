"""Judges bearer tokens by their issuer's published keys (OpenID Connect Discovery 1.0).

Keys are fetched through the guarded network and kept. An issuer that is away costs nothing
while its keys are known; who sends made-up key ids cannot make Portcall ask it all the time.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import jwt
import structlog

from portcall.auth import OidcAuth
from portcall.errors import UnavailableError
from portcall.outgoing import user_agent
from portcall.ports import OutgoingRequest, Transport

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""Signatures by a private key alone: with HS256 a published key would be the secret (RFC 8725)."""

LEEWAY = timedelta(seconds=30)
"""How far the issuer's clock and ours may be apart."""

FRESH = 3600.0
"""Seconds after which keys are fetched again, so that a withdrawn one does not count for ever."""

PAUSE = 10.0
"""Seconds between two fetches from one issuer, whatever tokens come."""

PATIENCE = 0.4
"""Seconds that a sender waits for a fetch, which goes on without it."""

TIMEOUT = timedelta(seconds=5)
DOCUMENT_LIMIT = 512 * 1024

log = structlog.get_logger(__name__)


class OidcTokens:
    """`ports.TokenVerifier` that fetches keys through `transport`."""

    def __init__(
        self, transport: Transport, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Know no issuer yet."""
        self._transport = transport
        self._clock = clock
        self._issuers: dict[str, _Issuer] = {}

    async def refusal(self, token: str, wanted: OidcAuth) -> str | None:
        """Say why the token is not to be trusted, never quoting it; None where it is."""
        issuer = self._issuers.setdefault(
            wanted.issuer, _Issuer(wanted.issuer, self._transport, self._clock)
        )
        try:
            key = await issuer.key(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                return f"no key of {wanted.issuer} signed it"
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=wanted.audience,
                issuer=_spellings(wanted.issuer),
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
            )
        except jwt.PyJWTError as error:
            return str(error)
        except (ValueError, RecursionError):
            return "it is not a JWT"
        return _email_refusal(claims, wanted.email)


class _Issuer:
    """The keys of one issuer, by key id."""

    def __init__(self, name: str, transport: Transport, clock: Callable[[], float]) -> None:
        self._name = name
        self._transport = transport
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at = self._asked_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, kid: str | None) -> jwt.PyJWK | None:
        """Give the key with this id; of a token that names none, the only one there is."""
        if self._keys and self._clock() - self._read_at > FRESH:
            self._fetch()  # nobody waits for it
        if self._find(kid) is None and (fetching := self._fetch()):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(fetching), PATIENCE)
        if not self._keys:
            raise UnavailableError("The keys of the token's issuer are not known yet.")
        return self._find(kid)

    def _find(self, kid: str | None) -> jwt.PyJWK | None:
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid) if kid else None

    def _fetch(self) -> asyncio.Task[None] | None:
        """Start a fetch unless one is under way or has just been; give the one to wait for."""
        if self._fetching is None and self._clock() - self._asked_at >= PAUSE:
            self._asked_at = self._clock()
            self._fetching = asyncio.create_task(self._read())
            self._fetching.add_done_callback(self._fetched)
        return self._fetching

    def _fetched(self, _: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _read(self) -> None:
        try:
            self._keys = await self._published()
            self._read_at = self._clock()
        except (UnavailableError, jwt.PyJWTError) as error:
            log.warning("an issuer's keys cannot be read", issuer=self._name, why=str(error))

    async def _published(self) -> dict[str, jwt.PyJWK]:
        place = self._name.rstrip("/") + "/.well-known/openid-configuration"
        found = await self._document(place)
        if found.get("issuer") not in _spellings(self._name):
            raise UnavailableError(f"{place} is the document of another issuer")
        jwks = await self._document(_secure(found.get("jwks_uri"), self._name))
        keys = jwt.PyJWKSet.from_dict(dict(jwks)).keys
        # `use` says "enc" of keys that sign nothing (RFC 7517, section 4.2).
        return {str(key.key_id): key for key in keys if key.public_key_use in (None, "sig")}

    async def _document(self, url: str) -> Mapping[str, Any]:
        request = OutgoingRequest(
            url=url,
            headers=(("User-Agent", user_agent()), ("Accept", "application/json")),
            body=b"",
            timeout=TIMEOUT,
            method="GET",
            body_limit=DOCUMENT_LIMIT,
        )
        exchange = await self._transport.send(request)
        if exchange.error or exchange.response is None:
            raise UnavailableError(f"{url}: {exchange.error and exchange.error.message}")
        if exchange.response.status != 200:
            raise UnavailableError(f"{url} answers HTTP {exchange.response.status}")
        try:
            document = json.loads(exchange.response.body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise UnavailableError(f"{url} gives no JSON object")
        return document


def _spellings(issuer: str) -> tuple[str, ...]:
    """Give what a token may call its issuer; Google leaves the scheme out of some tokens."""
    if issuer == "https://accounts.google.com":
        return issuer, "accounts.google.com"
    return (issuer,)


def _secure(url: Any, issuer: str) -> str:
    """Give the URL of the keys; an issuer with https has its keys there too."""
    allowed = {"https", urlsplit(issuer).scheme}
    if not isinstance(url, str) or urlsplit(url).scheme not in allowed:
        raise UnavailableError("jwks_uri is no https URL")
    return url


def _email_refusal(claims: Mapping[str, Any], email: str | None) -> str | None:
    if email is None:
        return None
    if claims.get("email") != email:
        return "email is another, or not there"
    return None if claims.get("email_verified") is True else "email_verified is not true"
