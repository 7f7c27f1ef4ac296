"""Senders that prove who they are by a signature or a token."""

import hmac
import json
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from portcall.auth import HmacAuth, OidcAuth
from portcall.policies import Source
from portcall.sources.kind import BODY_LIMIT
from tests.api.conftest import TOKEN, Backend
from tests.fixtures.portcall import push

SECRET = "planted-signing-secret"
BODY = json.dumps(push()).encode()


def signature(body: bytes) -> dict[str, str]:
    return {"X-Mine": hmac.new(SECRET.encode(), body, "sha256").hexdigest()}


@pytest.fixture
async def sender(backend: Backend, api: httpx.AsyncClient) -> httpx.AsyncClient:
    signed = HmacAuth.model_validate({"secret": SECRET, "header": "X-Mine"})
    token = OidcAuth(audience="https://portcall.test/notifications/issued")
    for name, auth in (("signed", signed), ("issued", token)):
        await backend.store.sources.create(Source(name=name, kind="distribution", auth=auth))
    del api.headers["Authorization"]
    return api


async def test_a_signed_notification_is_accepted(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    answer = await sender.post("/notifications/signed", content=BODY, headers=signature(BODY))
    assert answer.status_code == 202
    assert len(backend.engine.events) == 1


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "there is no signature"),
        ({"X-Mine": "0" * 64}, "the signature is wrong"),
        ({"Authorization": f"Bearer {SECRET}"}, "there is no signature"),
    ],
)
async def test_without_the_right_signature_the_body_is_never_parsed(
    backend: Backend, sender: httpx.AsyncClient, headers: dict[str, str], why: str
) -> None:
    with capture_logs() as logs:
        answer = await sender.post(
            "/notifications/signed?strict=true", content=b"not json", headers=headers
        )
    assert answer.status_code == 401
    assert answer.json()["detail"] == "The credential of source signed is missing or wrong."
    assert [(line["source"], line["why"]) for line in logs] == [("signed", why)]
    assert await backend.inbox.list() == []


async def test_a_signed_body_over_the_limit_is_refused_before_its_signature(
    sender: httpx.AsyncClient,
) -> None:
    body = b" " * (BODY_LIMIT + 1)
    for headers in (signature(body), {}):
        answer = await sender.post("/notifications/signed", content=body, headers=headers)
        assert answer.status_code == 413


async def test_the_signature_is_not_kept_with_what_is_parked(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    answer = await sender.post("/notifications/signed", content=b"{", headers=signature(b"{"))
    entry = await backend.inbox.get(int(answer.json()["parked"]["id"]))
    assert "x-mine" not in entry.headers


async def test_a_trusted_token_is_accepted(backend: Backend, sender: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {backend.tokens.trusted}"}
    answer = await sender.post("/notifications/issued", content=BODY, headers=headers)
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "there is no bearer token"),
        ({"Authorization": "a-trusted-token"}, "there is no bearer token"),
        (
            {"Authorization": "Bearer planted-wrong"},
            "no key of https://accounts.google.com signed it",
        ),
    ],
)
async def test_a_token_that_is_not_trusted_is_refused_and_the_log_alone_says_why(
    sender: httpx.AsyncClient, headers: dict[str, str], why: str
) -> None:
    with capture_logs() as logs:
        answer = await sender.post("/notifications/issued", content=BODY, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "The credential of source issued is missing or wrong."
    assert [line["why"] for line in logs] == [why]
    assert "planted" not in str(logs)


async def test_while_nobody_can_judge_a_token_the_sender_is_asked_to_come_again(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    backend.tokens.available = False
    headers = {"Authorization": f"Bearer {backend.tokens.trusted}"}
    answer = await sender.post("/notifications/issued", content=BODY, headers=headers)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"auth": {"type": "hmac", "secret": "s"}}, "auth.header"),
        (
            {"auth": {"type": "oidc", "audience": "a", "issuer": "https://169.254.169.254"}},
            "auth.issuer",
        ),
        ({"auth": {"type": "none"}, "verify": {"url": "http://127.0.0.1:5000"}}, "verify.url"),
    ],
)
async def test_a_source_that_could_never_work_is_refused_when_it_is_saved(
    api: httpx.AsyncClient, spec: dict[str, Any], field: str
) -> None:
    api.headers["Authorization"] = f"Bearer {TOKEN}"
    answer = await api.put("/api/v1/sources/s", json={"kind": "distribution", **spec})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_source_that_portcall_may_ask_is_saved(api: httpx.AsyncClient) -> None:
    spec = {
        "kind": "distribution",
        "auth": {"type": "hmac", "secret": "s", "header": "X-Mine"},
        "verify": {"url": "http://10.1.0.9:5000", "auth": {"type": "none"}},
    }
    assert (await api.put("/api/v1/sources/s", json=spec)).status_code == 201
