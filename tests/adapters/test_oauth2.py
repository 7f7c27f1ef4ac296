"""The access tokens, from a real token server over the real transport."""

import asyncio
import base64
import json
from datetime import timedelta
from ipaddress import ip_network
from urllib.parse import parse_qs

import pytest

from portcall.adapters.http import HttpTransport
from portcall.adapters.oauth2 import FAILURE_KEPT, FRESH, LIFETIME, OAuth2Tokens
from portcall.adapters.processes import free_port
from portcall.addresses import Allowed
from portcall.attempts import AttemptError, AttemptOutcome, AttemptRecord, ErrorType
from portcall.auth import OAuth2Auth
from portcall.policies import RetryPolicy
from portcall.retry import is_retryable
from tests.fixtures.receiver import Answer

SECRET = "cl13nt s3cr3t/+"


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def transport():
    async with HttpTransport(Allowed((ip_network("127.0.0.0/8"),))) as transport:
        yield transport


@pytest.fixture
def tokens(transport, clock):
    return OAuth2Tokens(transport, clock)


def an_auth(receiver, **fields):
    given = {
        "token_url": receiver.url("/token"),
        "client_id": "portcall",
        "client_secret": SECRET,
    }
    return OAuth2Auth.model_validate(given | fields)


def a_token(name="t0k3n", **more):
    document = {"access_token": name, "token_type": "Bearer", "expires_in": 100, **more}
    answer = {name: value for name, value in document.items() if value is not None}
    return Answer(200, json.dumps(answer).encode())


async def test_a_client_proves_itself_by_basic_and_asks_for_scope_and_audience(tokens, receiver):
    receiver.answer(a_token())
    auth = an_auth(receiver, scope="read write", audience="https://ci.example")
    assert await tokens.token(auth) == "t0k3n"
    [request] = receiver.requests
    assert (request.method, request.path) == ("POST", "/token")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    pair = base64.b64decode(request.headers["authorization"].removeprefix("Basic "))
    assert pair == b"portcall:cl13nt+s3cr3t%2F%2B"
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["read write"],
        "audience": ["https://ci.example"],
    }


async def test_a_client_may_prove_itself_in_the_body(tokens, receiver):
    receiver.answer(a_token())
    assert await tokens.token(an_auth(receiver, client_auth="body")) == "t0k3n"
    [request] = receiver.requests
    assert "authorization" not in request.headers
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["portcall"],
        "client_secret": [SECRET],
    }


@pytest.mark.parametrize(
    ("expires_in", "used"), [(100, 90), (1000, 970), ("100", 90), (None, LIFETIME - 30), (0, 0)]
)
async def test_a_token_is_used_until_shortly_before_its_end(
    tokens, receiver, clock, expires_in, used
):
    receiver.answer(a_token("first", expires_in=expires_in), a_token("second"))
    assert await tokens.token(an_auth(receiver)) == "first"
    if used:
        clock.now += used - 0.1
        assert await tokens.token(an_auth(receiver)) == "first"
        clock.now += 30.2 if expires_in is None else 0.2
    assert await tokens.token(an_auth(receiver)) == "second"


async def test_many_who_ask_at_once_share_one_request_and_one_who_gives_up_ends_it_for_nobody(
    tokens, receiver
):
    receiver.answer(Answer(200, a_token().body, delay=0.1))
    asking = [asyncio.create_task(tokens.token(an_auth(receiver))) for _ in range(20)]
    await asyncio.sleep(0.02)
    asking[0].cancel()
    got = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(got[0], asyncio.CancelledError)
    assert got[1:] == ["t0k3n"] * 19
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    "other",
    [{"client_id": "x"}, {"client_secret": "x"}, {"scope": "x"}, {"audience": "x"}],
)
async def test_a_token_belongs_to_what_it_was_asked_with(tokens, receiver, other):
    receiver.answer(a_token("first"), a_token("second"))
    assert await tokens.token(an_auth(receiver)) == "first"
    assert await tokens.token(an_auth(receiver, **other)) == "second"


async def test_a_token_is_renewed_on_request_unless_it_was_just_got(tokens, receiver, clock):
    receiver.answer(a_token("first"), a_token("second"))
    assert await tokens.token(an_auth(receiver)) == "first"
    assert await tokens.token(an_auth(receiver), renew=True) == "first"
    clock.now += FRESH
    assert await tokens.token(an_auth(receiver), renew=True) == "second"
    assert await tokens.token(an_auth(receiver)) == "second"


async def test_a_failure_is_kept_for_a_second_alone(tokens, receiver, clock):
    receiver.answer(500, a_token())
    for _ in range(3):
        assert isinstance(await tokens.token(an_auth(receiver)), AttemptError)
    assert len(receiver.requests) == 1
    clock.now += FAILURE_KEPT
    assert await tokens.token(an_auth(receiver)) == "t0k3n"


ECHO = json.dumps({"error": "invalid_client", "error_description": f"no client {SECRET!r} here"})


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(401, b'{"error": "invalid_client"}'), "invalid_client"),
        (
            Answer(400, b'{"error": "invalid_scope", "error_description": "no\\nsuch  scope"}'),
            "invalid_scope: no such scope",
        ),
        (Answer(200, b'{"error": "odd"}'), "odd"),
        (Answer(401, ECHO.encode()), "invalid_client: no client '[redacted]' here"),
        (Answer(503, b"<html>"), "HTTP 503"),
        (Answer(302, b"", {"Location": "/elsewhere"}), "HTTP 302"),
        (Answer(200, b"<html>"), "the answer (HTTP 200) is no JSON object"),
        (Answer(200, b"[" * 60_000), "the answer (HTTP 200) is no JSON object"),
        (Answer(200, b'["a"]'), "the answer (HTTP 200) is no JSON object"),
        (Answer(200, b" " * 70_000 + a_token().body), "the answer (HTTP 200) is no JSON object"),
        (a_token(None), "missing_token: Missing access token parameter."),
        (a_token(expires_in="soon"), "the answer (HTTP 200) is not understood"),
        (a_token(expires_in=10**400), "the answer (HTTP 200) is not understood"),
        (
            Answer(200, b'{"access_token": null, "token_type": "Bearer"}'),
            "the token does not fit into a header",
        ),
        (a_token(token_type="mac"), "the token's type is mac, not Bearer"),
        (a_token("two words"), "the token does not fit into a header"),
        (a_token("a\r\nX: b"), "the token does not fit into a header"),
    ],
    ids=lambda value: None if isinstance(value, Answer) else value,
)
async def test_why_there_is_no_token_is_said_and_no_secret_quoted(tokens, receiver, answer, why):
    receiver.answer(answer)
    error = await tokens.token(an_auth(receiver))
    assert error == AttemptError(
        type=ErrorType.AUTH, message=f"no access token from 127.0.0.1:{receiver.port}: {why}"
    )


async def test_a_token_server_that_cannot_be_reached_is_told_from_one_that_may_not_be(
    tokens, receiver
):
    nobody = f"127.0.0.1:{free_port('127.0.0.1')}"
    refused = await tokens.token(an_auth(receiver, token_url=f"http://{nobody}/token"))
    assert refused == AttemptError(
        type=ErrorType.AUTH,
        message=f"no access token from {nobody}: connection refused by {nobody}",
    )
    blocked = await tokens.token(an_auth(receiver, token_url="http://10.0.0.1/token"))
    assert blocked.type is ErrorType.BLOCKED
    assert "private address" in blocked.message


async def test_tokens_that_are_over_are_forgotten(transport, receiver, clock):
    receiver.answer(a_token())
    tokens = OAuth2Tokens(transport, clock, at_most=3)
    for number in range(9):
        clock.now += 40
        await tokens.token(an_auth(receiver, client_id=str(number)))
    assert len(tokens._kept) == 3


def test_no_access_token_is_retried_as_the_network_is():
    record = AttemptRecord(
        number=1,
        started_at="2026-01-01T00:00:00Z",
        outcome=AttemptOutcome.FAILED,
        error=AttemptError(type=ErrorType.AUTH, message="no access token"),
    )
    assert is_retryable(RetryPolicy(), record)
    assert not is_retryable(RetryPolicy(retry_on=["timeout", "5xx"]), record)
    assert timedelta(seconds=FAILURE_KEPT) < RetryPolicy().initial_interval
