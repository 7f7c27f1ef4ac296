"""Which events intake marks, so that their registry is asked about them."""

import httpx
import pytest

from portcall.auth import NoAuth
from portcall.events import RegistryEvent, Verification
from portcall.policies import RegistryAccess, Source
from tests.api.conftest import TOKEN, Backend
from tests.fixtures.portcall import push

PENDING = Verification(state="pending")


@pytest.fixture
async def sender(backend: Backend, api: httpx.AsyncClient) -> httpx.AsyncClient:
    access = RegistryAccess(url="https://registry.test")
    for name, verify in (("doubted", access), ("trusted", None)):
        source = Source(name=name, kind="distribution", auth=NoAuth(), verify=verify)
        await backend.store.sources.create(source)
    return api


def the_event(backend: Backend) -> RegistryEvent:
    [event] = backend.engine.events.values()
    return event


async def test_a_push_of_a_source_that_verifies_is_pending(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    await sender.post("/notifications/doubted", json=push())
    assert the_event(backend).verification == PENDING


async def test_a_push_of_a_source_that_does_not_is_unmarked(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    await sender.post("/notifications/trusted", json=push())
    assert the_event(backend).verification is None


async def test_an_event_that_waited_in_the_inbox_is_pending_too(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    backend.engine.available = False
    await sender.post("/notifications/doubted", json=push())
    [entry] = await backend.inbox.oldest_waiting(1)
    assert entry.events[0].verification == PENDING


async def test_a_parked_notification_is_pending_when_it_is_replayed(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    body = httpx.Request("POST", "http://x.test", json=push()).content
    entry = await backend.inbox.park("doubted", "was not understood", body, {}, None)
    sender.headers["Authorization"] = f"Bearer {TOKEN}"
    await sender.post(f"/api/v1/inbox/{entry}/replay")
    assert the_event(backend).verification == PENDING


@pytest.mark.parametrize(("source", "ignored"), [("doubted", 1), ("trusted", 0)])
async def test_pulls_that_portcall_made_to_verify_are_ignored(
    backend: Backend, sender: httpx.AsyncClient, source: str, ignored: int
) -> None:
    body = push()
    body["events"][0] |= {"action": "pull"}
    body["events"][0]["request"] |= {"useragent": "Portcall/1.0"}
    answer = await sender.post(f"/notifications/{source}", json=body)
    assert answer.json()["ignored"] == ignored
    body["events"][0]["request"] |= {"useragent": "containerd/2.1"}
    await sender.post(f"/notifications/{source}", json=body)
    assert the_event(backend).type == "artifact.pulled"
    assert the_event(backend).verification is None
