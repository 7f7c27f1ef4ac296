"""Do not trust, verify: events asked of the real registry before anything is delivered."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from portcall.adapters.devserver import DevServer
from portcall.adapters.processes import free_port
from tests.fixtures.portcall import BEARER, QUICK, SOURCE_TOKEN, Portcall, push
from tests.fixtures.receiver import Receiver
from tests.fixtures.registry import (
    IMAGE,
    INDEX,
    LOGIN,
    Registry,
    StartRegistry,
    notifying,
    running_registry,
)

NUMBERS = itertools.count(7000)
RunQuiet = Callable[..., AbstractAsyncContextManager[Registry]]


async def doubt(portcall: Portcall, receiver: Receiver, **verify: Any) -> None:
    """Make sources that verify, a policy for what is true and one for what is not."""
    auth = {"type": "bearer", "token": SOURCE_TOKEN}
    for name, kind in (("doubted", "distribution"), ("tagless", "proposal")):
        await portcall.put("sources", name=name, kind=kind, auth=auth, verify=verify)
    for name, asked in (("all", {}), ("forged", {"verification": ["unverified"]})):
        await portcall.put("targets", name=name, url=receiver.url(f"/{name}"))
        match = {"event_types": ["artifact.pushed", "artifact.deleted"], **asked}
        spec = {"match": match, "retry": QUICK, "format": "cloudevents"}
        await portcall.put("policies", name=name, targets=[name], **spec)
    await asyncio.sleep(1)


@pytest.fixture
async def registry(
    portcall: Portcall, receiver: Receiver, start_registry: StartRegistry
) -> AsyncIterator[Registry]:
    registry = await start_registry(f"{portcall.url}/notifications/doubted", BEARER)
    await doubt(portcall, receiver, url=registry.url)
    yield registry
    for name in ("doubted", "tagless"):
        await portcall.api.delete(f"/api/v1/sources/{name}")
    for name in ("all", "forged"):
        await portcall.api.delete(f"/api/v1/policies/{name}")


async def the_event(portcall: Portcall, **wanted: Any) -> dict[str, Any]:
    """Give the one event that is as wanted, once it was matched."""

    def matched(page: Any) -> bool:
        return bool(page["items"]) and page["items"][0]["outcome"] is not None

    page = await portcall.until("/api/v1/events", matched, **wanted)
    [found] = page["items"]
    document: dict[str, Any] = (await portcall.api.get(f"/api/v1/events/{found['id']}")).json()
    return document


async def claim(portcall: Portcall, tag: str, digest: str) -> str:
    """Send a notification that no registry has sent; give the event's id."""
    body = push("prod/app", tag, next(NUMBERS))
    body["events"][0]["target"]["digest"] = digest
    answer = await portcall.sender.post("/notifications/doubted", json=body)
    event_id: str = answer.json()["events"][0]["id"]
    return event_id


async def test_a_true_push_is_verified_enriched_and_delivered(
    portcall: Portcall, receiver: Receiver, registry: Registry
) -> None:
    digest = await registry.push_image("verified/image", "v1", architecture="arm64")
    index = await registry.push_index("verified/index", "v1", ["amd64", "arm64"])
    image = await the_event(portcall, source="doubted", repository="verified/image")
    assert image["event"]["verification"] == {"state": "verified", "reason": None}
    assert (image["digest"], image["event"]["platforms"]) == (digest, ["linux/arm64"])
    multi = await the_event(portcall, source="doubted", repository="verified/index", tag="v1")
    assert (multi["digest"], multi["event"]["media_type"]) == (index, INDEX)
    assert multi["event"]["platforms"] == ["linux/amd64", "linux/arm64"]
    sent = await receiver.wait_for(2)
    assert {request.path for request in sent} == {"/all"}
    delivered = [json.loads(request.body)["data"] for request in sent]
    assert [data["verification"]["state"] for data in delivered] == ["verified", "verified"]
    assert b'"state":"verified"' in sent[0].body.replace(b" ", b"")


async def test_a_forged_notification_reaches_only_the_policy_that_asks_for_it(
    portcall: Portcall, receiver: Receiver, registry: Registry
) -> None:
    await registry.push_image("prod/app", "v1")
    await receiver.wait_for(1)
    absent = await claim(portcall, "v9", "sha256:" + "9" * 64)
    moved = await claim(portcall, "v1", "sha256:" + "8" * 64)
    event = await the_event(portcall, event_id=absent)
    reason = "the registry has no prod/app:v9"
    assert event["event"]["verification"] == {"state": "unverified", "reason": reason}
    event = await the_event(portcall, event_id=moved)
    assert event["event"]["verification"]["reason"].startswith("prod/app:v1 is at sha256:")
    [missed] = [miss for miss in event["misses"] if miss["policy"] == "all"]
    assert missed["condition"] == "verification"
    paths = [request.path for request in await receiver.wait_for(3)]
    assert paths == ["/all", "/forged", "/forged"]


async def test_a_deletion_is_verified_by_what_is_gone(
    portcall: Portcall, receiver: Receiver, registry: Registry
) -> None:
    digest = await registry.push_image("deleted/app", "v1")
    await receiver.wait_for(1)
    await registry.delete("deleted/app", digest)
    wanted = {"repository": "deleted/app", "event_type": "artifact.deleted"}
    event = await the_event(portcall, **wanted)
    assert event["event"]["verification"]["state"] == "verified"


async def test_what_the_notification_left_out_is_looked_up(
    portcall: Portcall, receiver: Receiver, registry: Registry
) -> None:
    digest = await registry.push_image("tagless/app", "v1")
    said = {"eventType": "PUSH", "fullName": "tagless/app", "tag": "v1", "triggerTime": 1760000000}
    await portcall.sender.post("/notifications/tagless", json={"events": [said]})
    event = (await the_event(portcall, source="tagless"))["event"]
    assert (event["digest"], event["media_type"]) == (digest, IMAGE)
    assert event["platforms"] == ["linux/amd64"]


async def test_portcalls_own_look_ups_are_no_events(
    portcall: Portcall, receiver: Receiver, registry: Registry
) -> None:
    await registry.push_image("quiet/app", "v1")
    await receiver.wait_for(1)
    await registry.pull("quiet/app", "v1")
    pulls = {"repository": "quiet/app", "event_type": "artifact.pulled"}
    event = await the_event(portcall, **pulls)
    assert event["event"]["verification"] is None
    assert not event["event"]["attributes"]["user_agent"].startswith("Portcall/")


async def test_an_event_waits_while_its_registry_is_away(
    portcall: Portcall, receiver: Receiver, run_quiet: RunQuiet, temporal: DevServer
) -> None:
    async with run_quiet() as registry:
        digest = await registry.push_image("prod/app", "v1")
    await doubt(portcall, receiver, url=registry.url)
    event_id = await claim(portcall, "v1", digest)
    await shows(portcall, temporal, event_id, "connection refused")
    async with run_quiet():
        event = await the_event(portcall, event_id=event_id)
    assert event["event"]["verification"]["state"] == "verified"
    assert [request.path for request in await receiver.wait_for(1)] == ["/all"]


async def test_a_wrong_credential_denies_nothing_and_its_repair_is_noticed(
    portcall: Portcall, receiver: Receiver, run_quiet: RunQuiet, temporal: DevServer
) -> None:
    async with run_quiet(login=LOGIN) as registry:
        digest = await registry.push_image("prod/app", "v1")
        auth = {"type": "basic", "username": "portcall", "password": "wrong"}
        await doubt(portcall, receiver, url=registry.url, auth=auth)
        event_id = await claim(portcall, "v1", digest)
        await shows(portcall, temporal, event_id, "the credential is refused")
        await doubt(portcall, receiver, url=registry.url, auth={**auth, "password": "s3cret"})
        event = await the_event(portcall, event_id=event_id)
    assert event["event"]["verification"]["state"] == "verified"


@pytest.fixture
def run_quiet(registry_program: Path, tmp_path: Path) -> RunQuiet:
    """Runs the same registry, which tells nobody anything, again and again."""
    quiet = notifying("http://127.0.0.1:1", {})
    return partial(running_registry, registry_program, tmp_path, quiet, port=free_port())


async def shows(portcall: Portcall, temporal: DevServer, event_id: str, why: str) -> None:
    """Wait until Temporal shows why the registry cannot be asked."""
    client = await Client.connect(temporal.address, namespace=portcall.namespace)
    handle = client.get_workflow_handle(f"event:doubted:{event_id}")
    async with asyncio.timeout(30):
        while True:
            pending = (await handle.describe()).raw_description.pending_activities
            if any(why in activity.last_failure.message for activity in pending):
                return
            await asyncio.sleep(0.2)
