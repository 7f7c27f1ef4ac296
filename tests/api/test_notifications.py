import asyncio
import time
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from api import intake, known_sources
from portcall.auth import BearerAuth
from portcall.policies import Source
from portcall.sources.kind import BODY_LIMIT
from tests.api.conftest import TOKEN, Backend
from tests.fixtures.portcall import push
from tests.workflows.scripted import an_event

CREDENTIAL = {"Authorization": "Bearer planted-source-token"}
BLOB = {"mediaType": "application/octet-stream", "url": "https://r.test/v2/a/blobs/sha256:00"}


@pytest.fixture
async def sender(backend: Backend, api: httpx.AsyncClient) -> httpx.AsyncClient:
    auth = BearerAuth.model_validate({"token": "planted-source-token"})
    await backend.store.sources.create(Source(name="dist", kind="distribution", auth=auth))
    await backend.store.sources.create(Source(name="harbor", kind="harbor", auth=auth))
    api.headers.update(CREDENTIAL)
    return api


async def notify(sender: httpx.AsyncClient, **event: Any) -> httpx.Response:
    return await sender.post("/notifications/dist", json=push(**event))


async def test_an_event_that_temporal_took_has_started(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    answer = await notify(sender)
    assert answer.status_code == 202
    event_id = push()["events"][0]["id"]
    assert answer.json() == {
        "events": [{"id": event_id, "duplicate": False, "state": "started"}],
        "parked": None,
        "ignored": 0,
    }
    again = await notify(sender)
    assert again.status_code == 202
    assert again.json()["events"][0]["duplicate"] is True


async def test_while_temporal_is_away_the_inbox_takes_the_event(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    backend.engine.available = False
    answer = await notify(sender)
    assert answer.status_code == 202
    assert answer.json()["events"][0]["state"] == "waiting"
    assert [entry.state for entry in await backend.inbox.list()] == ["waiting"]


async def test_what_waits_is_forwarded_once_temporal_is_back(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    backend.engine.available = False
    await notify(sender)
    backend.engine.available = True
    services = backend.services()
    forwarding = asyncio.create_task(services.forwarder.run(lambda: False))
    try:
        async with asyncio.timeout(5):
            while await backend.inbox.list():
                await asyncio.sleep(0.01)
    finally:
        forwarding.cancel()
    assert len(backend.engine.events) == 1


async def test_with_both_away_the_sender_is_asked_to_come_again(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    await notify(sender)
    backend.engine.available = False
    backend.inbox.switch.available = False
    answer = await notify(sender, number=2)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"


async def test_a_temporal_that_hangs_does_not_hold_the_answer(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    async def hang(*_: object, **__: object) -> None:
        await asyncio.sleep(60)

    backend.engine.start = hang  # type: ignore[method-assign]
    began = time.monotonic()
    answers = await asyncio.gather(
        *(notify(sender, number=n) for n in range(intake.CONCURRENT_STARTS + 4))
    )
    assert time.monotonic() - began < 0.9
    assert {answer.json()["events"][0]["state"] for answer in answers} == {"waiting"}


async def test_a_source_that_was_read_is_known_while_the_database_is_away(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    assert (await notify(sender)).status_code == 202
    backend.store.switch.available = False
    assert (await notify(sender, number=2)).status_code == 202
    unread = await sender.post("/notifications/harbor", content=b"{}")
    assert unread.status_code == 503


async def test_a_source_that_cannot_be_read_keeps_no_other_from_being_read_anew(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    assert (await notify(sender)).status_code == 202
    backend.store.sources.unreadable.add("harbor")
    with capture_logs() as logs:
        unread = await sender.post("/notifications/harbor", content=b"{}")
    assert unread.status_code == 503
    assert "another version" not in unread.text
    assert [line["source"] for line in logs] == ["harbor"]
    await backend.store.sources.delete("dist")
    await asyncio.sleep(known_sources.FRESH)
    assert (await sender.post("/notifications/harbor", content=b"{}")).status_code == 503
    assert (await notify(sender, number=2)).status_code == 404


async def test_a_repeat_over_the_edge_of_a_window_is_answered_with_its_events_id(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    first = an_event().model_copy(update={"id": "0" * 32 + ".w7"})
    again = first.model_copy(update={"id": "0" * 32 + ".w8"})
    services = backend.services()
    await services.intake.accept(first.source, [first])
    [answer] = await services.intake.accept(again.source, [again])
    assert (answer.id, answer.duplicate) == (first.id, True)
    assert (await services.forwarder.start(again)).id == first.id


async def test_what_is_not_understood_is_parked_and_accepted(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    answer = await sender.post("/notifications/harbor", content=b'{"type": 7}')
    assert answer.status_code == 202
    parked = answer.json()["parked"]
    entry = await backend.inbox.get(int(parked["id"]))
    assert entry.body == b'{"type": 7}'
    assert entry.reason == parked["reason"]
    assert "authorization" not in entry.headers
    assert "type" in parked["reason"]


@pytest.mark.parametrize(
    ("body", "status"), [(b"not json", 400), (b'{"type": 7}', 422), (b"[]", 422)]
)
async def test_strict_refuses_what_is_not_understood_and_keeps_nothing(
    backend: Backend, sender: httpx.AsyncClient, body: bytes, status: int
) -> None:
    answer = await sender.post("/notifications/harbor?strict=true", content=body)
    assert answer.status_code == status
    assert "field" in answer.json()
    assert await backend.inbox.list() == []


async def test_one_wrong_event_of_several_is_parked_alone(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    body = push()
    body["events"].append({"id": "x", "action": "push", "target": 7})
    answer = await sender.post("/notifications/dist", json=body)
    assert answer.status_code == 202
    assert len(answer.json()["events"]) == 1
    assert answer.json()["parked"]
    strict = await sender.post("/notifications/dist?strict=true", json=body)
    assert strict.status_code == 422


async def test_blobs_are_ignored(backend: Backend, sender: httpx.AsyncClient) -> None:
    body = push()
    body["events"][0]["target"] |= BLOB
    del body["events"][0]["target"]["tag"]
    answer = await sender.post("/notifications/dist", json=body)
    assert answer.status_code == 202
    assert answer.json() == {"events": [], "parked": None, "ignored": 1}


@pytest.mark.parametrize("credential", [{}, {"Authorization": "Bearer wrong"}])
async def test_a_wrong_credential_is_refused_before_the_body_is_read(
    backend: Backend, sender: httpx.AsyncClient, credential: dict[str, str]
) -> None:
    del sender.headers["Authorization"]
    answer = await sender.post("/notifications/dist", content=b"x", headers=credential)
    assert answer.status_code == 401
    assert await backend.inbox.list() == []


async def test_an_unknown_or_disabled_source_is_not_found(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    with capture_logs() as logs:
        assert (await sender.post("/notifications/nobody", content=b"{}")).status_code == 404
    assert [(line["event"], line["source"]) for line in logs] == [("sender refused", "nobody")]
    stored = await backend.store.sources.get("dist")
    await backend.store.sources.put(stored.spec.model_copy(update={"enabled": False}))
    assert (await notify(sender)).status_code == 404


async def test_a_body_over_the_limit_is_refused(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    answer = await sender.post("/notifications/dist", content=b" " * (BODY_LIMIT + 1))
    assert answer.status_code == 413
    assert await backend.inbox.list() == []


async def test_accepted_notifications_are_counted(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    await notify(sender)
    text = (await sender.get("/metrics")).text
    assert 'portcall_events_total{source="dist",state="started"} 1.0' in text


async def test_many_wrong_events_are_parked_as_one_and_hold_up_no_good_one(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    body = push()
    body["events"] += [{"id": str(n), "action": "push", "target": 7} for n in range(900)]
    answer = await sender.post("/notifications/dist", json=body)
    assert answer.status_code == 202
    assert [event["state"] for event in answer.json()["events"]] == ["started"]
    entries = await backend.inbox.list()
    assert len(entries) == 1
    assert "899 more events" in entries[0].reason


async def test_good_events_start_though_the_wrong_one_cannot_be_kept(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    await notify(sender, number=9)
    backend.inbox.switch.available = False
    body = push()
    body["events"].append({"id": "x", "action": "push", "target": 7})
    answer = await sender.post("/notifications/dist", json=body)
    assert answer.status_code == 503
    assert len(backend.engine.events) == 2


async def test_an_event_that_temporal_refused_is_parked_and_can_be_replayed(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    backend.engine.available = False
    await notify(sender)
    backend.engine.available = True
    backend.engine.refuses = True
    forwarding = asyncio.create_task(backend.services().forwarder.run(lambda: False))
    try:
        async with asyncio.timeout(5):
            while [entry.state for entry in await backend.inbox.list()] != ["parked"]:
                await asyncio.sleep(0.01)
    finally:
        forwarding.cancel()
    (entry,) = await backend.inbox.list()
    replay = f"/api/v1/inbox/{entry.id}/replay"
    sender.headers["Authorization"] = f"Bearer {TOKEN}"
    assert (await sender.post(replay)).status_code == 422
    assert len(await backend.inbox.list()) == 1
    backend.engine.refuses = False
    assert (await sender.post(replay)).json()["events"][0]["state"] == "started"
    assert await backend.inbox.list() == []


async def test_metrics_do_not_call_an_unknown_inbox_empty(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    backend.inbox.switch.available = False
    text = (await sender.get("/metrics")).text
    assert 'portcall_inbox_entries{state="waiting"} NaN' in text
