"""What registries that sign send, from the request to the event."""

import hmac
import json

import httpx
import pytest

from portcall.auth import HeaderAuth, HmacAuth, SourceAuth
from portcall.policies import Source
from tests.api.conftest import Backend
from tests.portcall.sources.notifications import recorded

SECRET = "planted-signing-secret"
SIGNED = HmacAuth.model_validate({"secret": SECRET})
IN_CLEAR = HeaderAuth.model_validate({"name": "X-JFrog-Event-Auth", "value": SECRET})

CASES = {
    "github": ("package-published", "X-Hub-Signature-256", "sha256", "sha256="),
    "nexus": ("component-created", "X-Nexus-Webhook-Signature", "sha1", ""),
    "jfrog": ("image-pushed", "X-JFrog-Event-Auth", "sha256", ""),
}


def signature(kind: str, body: bytes) -> dict[str, str]:
    _, header, algorithm, prefix = CASES[kind]
    return {header: prefix + hmac.new(SECRET.encode(), body, algorithm).hexdigest()}


async def configure(backend: Backend, kind: str, auth: SourceAuth = SIGNED) -> None:
    await backend.store.sources.create(Source(name=kind, kind=kind, auth=auth))


async def send(
    api: httpx.AsyncClient, kind: str, body: bytes, headers: dict[str, str]
) -> httpx.Response:
    sent = {**recorded(kind, CASES[kind][0]).headers, **headers}
    return await api.post(f"/notifications/{kind}", content=body, headers=sent)


@pytest.mark.parametrize("kind", CASES)
async def test_what_is_signed_becomes_an_event(
    backend: Backend, api: httpx.AsyncClient, kind: str
) -> None:
    await configure(backend, kind)
    body = recorded(kind, CASES[kind][0]).body
    answer = await send(api, kind, body, signature(kind, body))
    assert (answer.status_code, answer.json()["parked"]) == (202, None)
    (event,) = backend.engine.events.values()
    assert (event.type, event.tags) == ("artifact.pushed", ("1.4.2",))


@pytest.mark.parametrize("kind", CASES)
async def test_what_is_not_signed_or_signed_otherwise_is_refused_unread(
    backend: Backend, api: httpx.AsyncClient, kind: str
) -> None:
    await configure(backend, kind)
    for headers in ({}, signature(kind, b"something else"), {CASES[kind][1]: SECRET}):
        answer = await send(api, kind, b"no JSON", headers)
        assert answer.status_code == 401
    assert await backend.inbox.list() == []


async def test_nexus_may_have_signed_the_body_without_its_blanks(
    backend: Backend, api: httpx.AsyncClient
) -> None:
    await configure(backend, "nexus")
    body = recorded("nexus", "component-created").body
    compact = json.dumps(json.loads(body), separators=(",", ":")).encode()
    assert compact != body
    answer = await send(api, "nexus", body, signature("nexus", compact))
    assert answer.status_code == 202


async def test_a_source_that_waits_for_artifactorys_secret_takes_no_signature(
    backend: Backend, api: httpx.AsyncClient
) -> None:
    await configure(backend, "jfrog", IN_CLEAR)
    body = recorded("jfrog", "image-pushed").body
    assert (await send(api, "jfrog", body, signature("jfrog", body))).status_code == 401
    in_clear = {IN_CLEAR.name: SECRET}
    assert (await send(api, "jfrog", body, in_clear)).status_code == 202


async def test_a_redelivery_of_githubs_is_known(backend: Backend, api: httpx.AsyncClient) -> None:
    await configure(backend, "github")
    body = recorded("github", "package-published").body
    answers = [await send(api, "github", body, signature("github", body)) for _ in range(2)]
    assert [answer.json()["events"][0]["duplicate"] for answer in answers] == [False, True]


async def test_githubs_ping_is_accepted_and_starts_nothing(
    backend: Backend, api: httpx.AsyncClient
) -> None:
    await configure(backend, "github")
    ping = recorded("github", "ping")
    answer = await send(
        api, "github", ping.body, {**ping.headers, **signature("github", ping.body)}
    )
    assert (answer.status_code, answer.json()["events"]) == (202, [])
    assert backend.engine.events == {}


async def test_github_may_send_more_than_other_registries(
    backend: Backend, api: httpx.AsyncClient
) -> None:
    await configure(backend, "github")
    body = recorded("github", "package-published").body + b" " * 5 * 1024 * 1024
    assert (await send(api, "github", body, signature("github", body))).status_code == 202
