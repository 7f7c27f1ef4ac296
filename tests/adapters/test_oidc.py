"""Tokens judged by the keys of a real issuer on loopback."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from structlog.testing import capture_logs

from portcall.adapters import oidc
from portcall.adapters.http import HttpTransport
from portcall.adapters.oidc import OidcTokens
from portcall.addresses import Allowed
from portcall.auth import OidcAuth
from portcall.errors import UnavailableError
from tests.fixtures.receiver import Answer, Receiver

AUDIENCE = "https://portcall.test/notifications/gar"
EMAIL = "pubsub@project.iam.test"
RSA = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP384R1())
ED = ed25519.Ed25519PrivateKey.generate()
KEYS = {"rsa": (RSA, "RS256"), "ec": (EC, "ES384"), "ed": (ED, "EdDSA")}
DISCOVERY = "/.well-known/openid-configuration"


def public_jwk(kid: str | None, key: Any, algorithm: str, **members: str) -> dict[str, Any]:
    made = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {**made, "alg": algorithm, **({"kid": kid} if kid else {}), **members}


class Issuer:
    """A server that publishes keys, and signs tokens with them."""

    def __init__(self, server: Receiver) -> None:
        self.server = server
        self.name = server.url("")
        self.wanted = OidcAuth(issuer=self.name, audience=AUDIENCE, email=EMAIL)
        self.publish(*(public_jwk(kid, *pair) for kid, pair in KEYS.items()))

    def publish(self, *jwks: dict[str, Any], delay: float = 0) -> None:
        found = {"issuer": self.name, "jwks_uri": self.name + "/keys"}
        self.server.answer(Answer(body=json.dumps(found).encode(), delay=delay), path=DISCOVERY)
        self.server.answer(Answer(body=json.dumps({"keys": jwks}).encode()), path="/keys")

    def token(self, kid: str | None = "rsa", key: Any = None, **claims: Any) -> str:
        own, algorithm = KEYS[kid or "rsa"] if kid in (*KEYS, None) else (OTHER, "RS256")
        values = {
            "iss": self.name,
            "aud": AUDIENCE,
            "exp": int(time.time()) + 60,
            "email": EMAIL,
            "email_verified": True,
            **claims,
        }
        given = {name: value for name, value in values.items() if value is not None}
        headers = {"kid": kid} if kid else {}
        return jwt.encode(given, key or own, algorithm, headers=headers)

    @property
    def fetches(self) -> int:
        return sum(request.path == DISCOVERY for request in self.server.requests)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer(receiver: Receiver) -> Issuer:
    return Issuer(receiver)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def tokens(clock: Clock) -> AsyncIterator[OidcTokens]:
    async with HttpTransport(Allowed([ip_network("127.0.0.0/8")])) as transport:
        yield OidcTokens(transport, clock=clock)


@pytest.mark.parametrize("kid", KEYS)
async def test_a_token_of_each_kind_of_key_is_trusted_and_the_keys_are_read_once(
    issuer: Issuer, tokens: OidcTokens, kid: str
) -> None:
    for _ in range(3):
        assert await tokens.refusal(issuer.token(kid), issuer.wanted) is None
    assert [(r.method, r.path) for r in issuer.server.requests] == [
        ("GET", DISCOVERY),
        ("GET", "/keys"),
    ]
    assert "content-length" not in issuer.server.requests[0].headers


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"aud": "https://other.test"}, "Audience doesn't match"),
        ({"aud": None}, 'Token is missing the "aud" claim'),
        ({"iss": "https://other.test"}, "Invalid issuer"),
        ({"iss": None}, 'Token is missing the "iss" claim'),
        ({"exp": 1_000_000_000}, "Signature has expired"),
        ({"exp": None}, 'Token is missing the "exp" claim'),
        ({"nbf": 4_000_000_000}, "The token is not yet valid (nbf)"),
        ({"email": "somebody@else.test"}, "email is another, or not there"),
        ({"email": None}, "email is another, or not there"),
        ({"email_verified": False}, "email_verified is not true"),
        ({"email_verified": "true"}, "email_verified is not true"),
        ({"email_verified": None}, "email_verified is not true"),
        ({"key": OTHER}, "Signature verification failed"),
    ],
)
async def test_a_token_with_anything_wrong_is_refused(
    issuer: Issuer, tokens: OidcTokens, claims: dict[str, Any], why: str
) -> None:
    assert await tokens.refusal(issuer.token(**claims), issuer.wanted) == why


async def test_clocks_may_be_a_little_apart(issuer: Issuer, tokens: OidcTokens) -> None:
    now = int(time.time())
    late = issuer.token(exp=now - 10, nbf=now + 10)
    assert await tokens.refusal(late, issuer.wanted) is None


async def test_without_a_configured_email_any_of_the_audience_will_do(
    issuer: Issuer, tokens: OidcTokens
) -> None:
    wanted = issuer.wanted.model_copy(update={"email": None})
    token = issuer.token(email=None, email_verified=None, aud=["x", AUDIENCE])
    assert await tokens.refusal(token, wanted) is None


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = (json.dumps(part).encode() for part in (header, claims))
    return ".".join(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts) + "."


async def test_a_published_key_is_no_shared_secret(issuer: Issuer, tokens: OidcTokens) -> None:
    secret = base64.urlsafe_b64encode(b"x" * 32).decode().rstrip("=")
    shared = {"kty": "oct", "kid": "oct", "k": secret, "alg": "HS256"}
    issuer.publish(public_jwk("rsa", RSA, "RS256"), shared)
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    forged = [
        jwt.encode(claims, b"x" * 32, "HS256", headers={"kid": "oct"}),
        jwt.encode(claims, b"x" * 32, "HS256", headers={"kid": "rsa"}),
        unsigned({"alg": "none", "kid": "rsa"}, claims),
        unsigned({"alg": "None", "kid": "rsa"}, claims),
        unsigned({"kid": "rsa"}, claims),
    ]
    for token in forged:
        assert await tokens.refusal(token, issuer.wanted)


@pytest.mark.parametrize(
    "token",
    ["x", "a.b.c", "..", "é.é.é", "\ud800.a.b", unsigned({"alg": "RS256", "kid": 7}, {})],
)
async def test_what_is_no_token_is_refused(issuer: Issuer, tokens: OidcTokens, token: str) -> None:
    assert await tokens.refusal(token, issuer.wanted)


async def test_a_header_nested_too_deeply_is_refused(issuer: Issuer, tokens: OidcTokens) -> None:
    deep = base64.urlsafe_b64encode(b"[" * 60_000).decode()
    assert await tokens.refusal(deep + ".e30.AA", issuer.wanted)


async def test_a_flipped_bit_of_a_token_never_passes(issuer: Issuer, tokens: OidcTokens) -> None:
    token = issuer.token("ed")
    assert await tokens.refusal(token, issuer.wanted) is None
    parts = token.split(".")
    # The last character of a part in base64url has bits that are no part of the value.
    ends = {len(".".join(parts[: n + 1])) - 1 for n in range(3)}
    for place in set(range(len(token))) - ends:
        for bit in range(7):
            forged = bytearray(token.encode())
            forged[place] ^= 1 << bit
            assert await tokens.refusal(forged.decode(), issuer.wanted), (place, bit)


async def test_google_writes_its_own_name_in_two_ways() -> None:
    assert oidc._spellings("https://accounts.google.com") == (
        "https://accounts.google.com",
        "accounts.google.com",
    )
    assert oidc._spellings("https://issuer.test") == ("https://issuer.test",)


async def test_a_token_without_a_key_id_is_judged_by_the_only_key(
    issuer: Issuer, tokens: OidcTokens, clock: Clock
) -> None:
    assert "signed it" in (await tokens.refusal(issuer.token(None), issuer.wanted) or "")
    clock.now += oidc.PAUSE
    issuer.publish(public_jwk(None, RSA, "RS256"))
    assert await tokens.refusal(issuer.token(None), issuer.wanted) is None


async def test_a_new_key_is_found_but_made_up_ids_do_not_reach_the_issuer_each_time(
    issuer: Issuer, tokens: OidcTokens, clock: Clock
) -> None:
    assert await tokens.refusal(issuer.token(), issuer.wanted) is None
    issuer.publish(public_jwk("new", OTHER, "RS256"))
    for _ in range(20):
        assert await tokens.refusal(issuer.token("made-up"), issuer.wanted)
    assert issuer.fetches == 1
    clock.now += oidc.PAUSE
    assert await tokens.refusal(issuer.token("new"), issuer.wanted) is None
    assert issuer.fetches == 2
    assert "signed it" in (await tokens.refusal(issuer.token(), issuer.wanted) or "")


async def test_an_encryption_key_signs_nothing(issuer: Issuer, tokens: OidcTokens) -> None:
    issuer.publish(public_jwk("rsa", RSA, "RS256", use="enc"), public_jwk("ec", EC, "ES384"))
    assert "signed it" in (await tokens.refusal(issuer.token("rsa"), issuer.wanted) or "")


async def test_many_tokens_at_once_are_one_fetch(issuer: Issuer, tokens: OidcTokens) -> None:
    asked = (tokens.refusal(issuer.token(), issuer.wanted) for _ in range(20))
    assert set(await asyncio.gather(*asked)) == {None}
    assert issuer.fetches == 1


async def test_keys_that_are_known_outlive_their_issuer(
    issuer: Issuer, tokens: OidcTokens, clock: Clock
) -> None:
    assert await tokens.refusal(issuer.token(), issuer.wanted) is None
    issuer.server.answer(503, path=DISCOVERY)
    clock.now += oidc.FRESH + 1
    began = time.monotonic()
    assert await tokens.refusal(issuer.token(), issuer.wanted) is None
    assert time.monotonic() - began < 0.2
    await issuer.server.wait_for(3)
    assert issuer.fetches == 2


FAULTS = {
    "away": (Answer(reset=True), None, "reset by"),
    "answers an error": (Answer(500), None, "answers HTTP 500"),
    "is another": (Answer(body=b'{"issuer": "https://other.test"}'), None, "another issuer"),
    "gives no JSON": (Answer(body=b"<html>"), None, "gives no JSON object"),
    "gives a list": (Answer(body=b"[]"), None, "gives no JSON object"),
    "gives deep JSON": (Answer(body=b"[" * 100_000), None, "gives no JSON object"),
    "has no keys": (None, Answer(body=b"{}"), "did not contain any keys"),
    "has odd keys": (None, Answer(body=b'{"keys": [7, {"kty": "x"}]}'), "usable keys"),
    "redirects": (Answer(302, headers={"Location": "/x"}), None, "answers HTTP 302"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_without_any_key_nobody_can_tell_and_the_log_says_why(
    issuer: Issuer, tokens: OidcTokens, clock: Clock, fault: str
) -> None:
    discovery, keys, why = FAULTS[fault]
    if discovery:
        issuer.server.answer(discovery, path=DISCOVERY)
    if keys:
        issuer.server.answer(keys, path="/keys")
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(UnavailableError):
                await tokens.refusal(issuer.token(), issuer.wanted)
    assert [line["issuer"] for line in logs] == [issuer.name]
    assert why in logs[0]["why"]
    assert issuer.fetches == 1
    issuer.publish(public_jwk("rsa", RSA, "RS256"))
    clock.now += oidc.PAUSE
    assert await tokens.refusal(issuer.token(), issuer.wanted) is None


@pytest.mark.parametrize("place", [7, "ftp://keys.test", "file:///etc/passwd", "keys"])
async def test_keys_are_fetched_over_http_only(
    issuer: Issuer, tokens: OidcTokens, place: Any
) -> None:
    found = {"issuer": issuer.name, "jwks_uri": place}
    issuer.server.answer(Answer(body=json.dumps(found).encode()), path=DISCOVERY)
    with pytest.raises(UnavailableError):
        await tokens.refusal(issuer.token(), issuer.wanted)


def test_an_issuer_with_https_has_its_keys_there_too() -> None:
    assert oidc._secure("https://keys.test", "https://issuer.test") == "https://keys.test"
    with pytest.raises(UnavailableError):
        oidc._secure("http://keys.test", "https://issuer.test")


async def test_a_slow_issuer_does_not_hold_the_answer_and_its_keys_come_later(
    issuer: Issuer, tokens: OidcTokens
) -> None:
    issuer.publish(public_jwk("rsa", RSA, "RS256"), delay=0.8)
    began = time.monotonic()
    with pytest.raises(UnavailableError):
        await tokens.refusal(issuer.token(), issuer.wanted)
    assert time.monotonic() - began < 0.6
    async with asyncio.timeout(5):
        while sum(request.path == "/keys" for request in issuer.server.requests) < 1:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.1)
    assert await tokens.refusal(issuer.token(), issuer.wanted) is None
    assert issuer.fetches == 1


async def test_an_issuer_on_a_private_network_must_be_allowed(issuer: Issuer) -> None:
    async with HttpTransport() as transport:
        with capture_logs() as logs, pytest.raises(UnavailableError):
            await OidcTokens(transport).refusal(issuer.token(), issuer.wanted)
    assert "PORTCALL_ALLOWED_NETWORKS" in logs[0]["why"]
    assert issuer.server.requests == []
