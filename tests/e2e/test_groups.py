"""Groups and order from the registry's notification to the receiver, by real processes."""

import asyncio
import itertools
import json
from typing import Any

from tests.fixtures.portcall import Portcall, push
from tests.fixtures.receiver import Receiver

NUMBERS = itertools.count(300_000)


async def send(portcall: Portcall, repository: str, *tags: str) -> list[str]:
    """Send a push for each tag, one after another; give the ids of the events."""
    found = []
    for tag in tags:
        body = push(repository, tag, number=next(NUMBERS))
        answer = await portcall.sender.post("/notifications/dist", json=body)
        assert answer.status_code == 202
        found.append(answer.json()["events"][0]["id"])
    return found


def tags(receiver: Receiver) -> list[list[str]]:
    """Give the tags of each message that the receiver got."""
    return [
        [item["tag"] for item in json.loads(request.body)["events"]]
        for request in receiver.requests
    ]


async def page(portcall: Portcall, event_id: str, state: str) -> dict[str, Any]:
    """Give the event's page as soon as its group stands so."""
    async with asyncio.timeout(20):
        while True:
            shown: dict[str, Any] = (await portcall.api.get(f"/api/v1/events/{event_id}")).json()
            if [group["state"] for group in shown.get("group_list", ())] == [state]:
                return shown
            await asyncio.sleep(0.1)


async def test_nothing_is_lost_when_the_worker_is_killed_while_a_group_gathers(
    portcall: Portcall, receiver: Receiver
) -> None:
    await portcall.configure(receiver.url(), group={"window": "60s", "max": 5})
    first = await send(portcall, "prod/killed", "v1", "v2", "v3")
    for event_id in first:
        shown = await page(portcall, event_id, "gathering")
        assert (shown["deliveries"], shown["groups"]) == (0, 1)
    await portcall.kill_worker()
    fourth = await send(portcall, "prod/killed", "v4")
    assert tags(receiver) == []
    await portcall.start_worker()
    fifth = await send(portcall, "prod/killed", "v5")
    await receiver.wait_for(1)
    assert tags(receiver) == [["v1", "v2", "v3", "v4", "v5"]]
    pages = [await page(portcall, event_id, "sent") for event_id in (*first, *fourth, *fifth)]
    [delivery] = {item["id"] for shown in pages for item in shown["delivery_list"]}
    wanted = {"repository": "prod/killed", "tag": "v4"}
    listed = (await portcall.api.get("/api/v1/deliveries", params=wanted)).json()["items"]
    assert [item["id"] for item in listed] == [delivery]


async def test_a_group_that_is_sent_again_has_the_same_webhook_id(
    portcall: Portcall, receiver: Receiver
) -> None:
    await portcall.configure(receiver.url(), group={"window": "60s", "max": 2})
    receiver.answer(404, 200)
    [event_id, _] = await send(portcall, "prod/again", "v1", "v2")
    await receiver.wait_for(1)
    shown = await page(portcall, event_id, "sent")
    delivery = shown["delivery_list"][0]["id"]
    async with asyncio.timeout(20):
        answer = await portcall.api.post(f"/api/v1/deliveries/{delivery}/redeliver")
        while answer.status_code == 409:
            answer = await portcall.api.post(f"/api/v1/deliveries/{delivery}/redeliver")
    await receiver.wait_for(2)
    assert tags(receiver) == [["v1", "v2"]] * 2
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1


async def test_an_ordered_receiver_that_fails_now_and_then_sees_one_at_a_time(
    portcall: Portcall, receiver: Receiver
) -> None:
    retry = {"initial_interval": "300ms", "maximum_interval": "300ms", "maximum_attempts": 5}
    await portcall.configure(receiver.url(), ordered=True, retry=retry)
    receiver.answer(503, 200, 200, 503, 503, 200)
    wanted = [f"v{n}" for n in range(6)]
    await send(portcall, "prod/ordered", *wanted)
    await receiver.wait_for(9)
    seen = [seen[0] for seen in tags(receiver)]
    assert seen == ["v0", "v0", "v1", "v2", "v2", "v2", "v3", "v4", "v5"]
