import asyncio
import time
from collections.abc import Callable

import httpx
import pytest

from api import intake
from api.rejections import Rejections
from portcall.auth import BearerAuth, NoAuth
from portcall.errors import UnavailableError
from portcall.events import RegistryEvent
from portcall.own_events import Rejection
from portcall.policies import Source
from tests.api.conftest import Backend
from tests.fixtures.portcall import push

RIGHT = {"Authorization": "Bearer planted-source-token"}
WRONG = {"Authorization": "Bearer planted-wrong-token"}


@pytest.fixture
async def sender(backend: Backend, api: httpx.AsyncClient) -> httpx.AsyncClient:
    auth = BearerAuth.model_validate({"token": "planted-source-token"})
    await backend.store.sources.create(Source(name="dist", kind="distribution", auth=auth))
    await backend.store.sources.create(Source(name="open", kind="distribution", auth=NoAuth()))
    return api


def told(backend: Backend) -> list[RegistryEvent]:
    return [event for event in backend.engine.events.values() if event.source == "portcall"]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_wrong_credential_is_told_once(backend: Backend, sender: httpx.AsyncClient) -> None:
    for _ in range(5):
        answer = await sender.post("/notifications/dist", json=push(), headers=WRONG)
        assert answer.status_code == 401
    await until(lambda: bool(told(backend)))
    [event] = told(backend)
    assert event.type == "source.rejected"
    assert event.attributes == {
        "source": "dist",
        "cause": "credential",
        "reason": "The credential of source dist is missing or wrong.",
    }
    assert "planted" not in event.model_dump_json()


async def test_a_notification_that_is_not_understood_is_told_with_its_inbox_entry(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    answer = await sender.post("/notifications/dist", content=b"{", headers=RIGHT)
    assert answer.status_code == 202
    strict = await sender.post("/notifications/open?strict=true", content=b"{")
    assert strict.status_code == 400
    await until(lambda: len(told(backend)) == 2)
    parked, refused = told(backend)
    assert (parked.attributes["source"], parked.attributes["cause"]) == ("dist", "not_understood")
    assert parked.attributes["inbox_id"] == answer.json()["parked"]["id"]
    assert parked.attributes["reason"] == answer.json()["parked"]["reason"]
    assert (refused.attributes["source"], refused.attributes["cause"]) == ("open", "not_understood")


async def test_a_body_that_is_too_large_is_told(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    answer = await sender.post("/notifications/open", content=b" " * (5 << 20))
    assert answer.status_code == 413
    await until(lambda: bool(told(backend)))
    assert told(backend)[0].attributes["cause"] == "too_large"


async def test_of_names_of_no_source_nothing_is_told(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    off = Source(name="off", kind="distribution", auth=NoAuth(), enabled=False)
    await backend.store.sources.create(off)
    for name in ("nobody", "off", "portcall"):
        answer = await sender.post(f"/notifications/{name}", json=push(), headers=WRONG)
        assert answer.status_code == 404
    assert (await sender.post("/notifications/dist", json=push(), headers=RIGHT)).is_success
    await asyncio.sleep(0.05)
    assert told(backend) == []


async def test_the_sender_does_not_wait_for_what_is_told(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    async def never(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    backend.engine.start = never  # type: ignore[method-assign, assignment]
    began = time.monotonic()
    answer = await sender.post("/notifications/dist", json=push(), headers=WRONG)
    assert answer.status_code == 401
    assert time.monotonic() - began < 0.15  # Temporal alone would have had 0.2 s


async def test_while_temporal_is_away_what_is_told_waits_in_the_inbox(
    backend: Backend, sender: httpx.AsyncClient
) -> None:
    backend.engine.available = False
    await sender.post("/notifications/dist", json=push(), headers=WRONG)
    await until(lambda: bool(backend.inbox.entries))
    [entry] = backend.inbox.entries.values()
    assert (entry.source, entry.state) == ("portcall", "waiting")
    assert entry.events[0].type == "source.rejected"


async def test_what_could_not_be_told_is_told_later(backend: Backend) -> None:
    backend.engine.available = backend.inbox.switch.available = False
    teller = Rejections(backend.services().intake, pause=0.02)
    teller.note("dist", Rejection.CREDENTIAL, "it is wrong")
    teller.note("dist", Rejection.CREDENTIAL, "it is wrong")
    assert len(teller._telling) == 1
    await until(lambda: not teller._telling)
    backend.engine.available = True
    await asyncio.sleep(intake.PAUSE)
    teller.note("dist", Rejection.CREDENTIAL, "it is wrong")
    await until(lambda: bool(told(backend)))


async def test_an_outage_is_not_a_rejection(backend: Backend) -> None:
    teller = Rejections(backend.services().intake)
    with pytest.raises(UnavailableError), teller.of("dist"):
        raise UnavailableError("Neither Temporal nor the database answers in time.")
    assert teller._telling == set()


async def test_several_processes_tell_of_one_event(backend: Backend) -> None:
    for _ in range(2):
        teller = Rejections(backend.services().intake)
        teller.note("dist", Rejection.CREDENTIAL, "it is wrong")
        await until(lambda teller=teller: not teller._telling)  # type: ignore[misc]
    assert len(told(backend)) == 1
