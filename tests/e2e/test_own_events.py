"""Portcall's own events on a real installation: told where a policy asks, and never in a circle."""

import asyncio
import json
import signal
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from portcall.adapters.database import open_database
from tests.e2e.test_main_path import delivery_of, notify
from tests.fixtures.portcall import QUICK, Portcall, push
from tests.fixtures.receiver import Receiver


async def own_events(portcall: Portcall, since: datetime | None = None) -> list[dict[str, Any]]:
    params: dict[str, Any] = {"source": "portcall", "limit": 200}
    if since:
        params["since"] = since.isoformat()
    answer = await portcall.api.get("/api/v1/events", params=params)
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def settled(portcall: Portcall, since: datetime) -> Counter[str]:
    """Wait until no own event and no delivery has come for a while; count the events by type."""
    before = (-1, -1)
    while True:
        events = await own_events(portcall, since)
        page = await portcall.api.get("/api/v1/deliveries", params={"limit": 200})
        deliveries = page.json()["items"]
        now = len(events), len(deliveries)
        if now == before and all(delivery["closed_at"] for delivery in deliveries):
            return Counter(event["type"] for event in events)
        before = now
        await asyncio.sleep(0.6)


async def test_what_fails_is_told_once_and_what_is_told_in_vain_is_not(
    portcall: Portcall, receiver: Receiver
) -> None:
    """The alerts go to one receiver that works, one that refuses and one that is gone for good."""
    began = datetime.now(UTC)
    await portcall.configure(receiver.url("/refusing"), match={"sources": ["dist"]})
    for name in ("chat", "refusing", "gone"):
        await portcall.put("targets", name=name, url=receiver.url(f"/{name}"))
    receiver.answer(404, path="/refusing")
    receiver.answer(410, path="/gone")
    await delivery_of(portcall, await notify(portcall, repository="quiet/app"), "rejected")
    assert await settled(portcall, began) == Counter()  # as long as no policy names portcall

    await portcall.put(
        "policies",
        name="alerts",
        match={"sources": ["portcall"]},
        targets=["chat", "refusing", "gone"],
        format="slack",
        retry=QUICK,
    )
    await asyncio.sleep(1)  # within a second a change holds in every process
    event_id = await notify(portcall, repository="prod/app", tag="v1.2.3")
    delivery = await delivery_of(portcall, event_id, "rejected")
    # Of the two events that the alerts cannot be delivered of, one tells that a target is off.
    told = {"delivery.rejected": 1, "target.disabled": 1}
    assert await settled(portcall, began) == told
    said = [r.body.decode() for r in receiver.requests if r.path == "/chat"]
    assert len(said) == 2
    rejected = next(text for text in said if "Delivery refused" in text)
    assert "prod/app:v1.2.3" in rejected
    assert delivery["id"] in rejected
    assert json.loads(rejected)["blocks"]

    await portcall.api.post(f"/api/v1/deliveries/{delivery['id']}/redeliver")
    told["delivery.rejected"] = 2  # sent again and refused again: that is another
    async with asyncio.timeout(20):
        while await settled(portcall, began) != told:
            await asyncio.sleep(0.5)


async def test_a_wrong_credential_is_told(portcall: Portcall, receiver: Receiver) -> None:
    await portcall.configure(receiver.url(), match={"sources": ["dist"]})
    wrong = {"Authorization": "Bearer planted-wrong-credential"}
    for _ in range(3):
        answer = await portcall.sender.post("/notifications/dist", json=push(), headers=wrong)
        assert answer.status_code == 401
    page = await portcall.until(
        "/api/v1/events", lambda page: bool(page["items"]), event_type="source.rejected"
    )
    [item] = page["items"]
    event = (await portcall.api.get(f"/api/v1/events/{item['id']}")).json()["event"]
    assert event["attributes"]["source"] == "dist"
    assert "planted" not in json.dumps(event)


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT])
async def test_an_api_that_is_told_to_stop_first_notes_which_sources_it_has_heard(
    portcall: Portcall, receiver: Receiver, signal_: signal.Signals
) -> None:
    """It died of the signal that it had taken, and a restart made a source seem silent."""
    await portcall.configure(receiver.url())
    began = datetime.now(UTC)
    await notify(portcall, repository="quiet/app")
    assert portcall.api_process
    portcall.api_process.send_signal(signal_)
    assert await portcall.api_process.wait() == 0
    key = SecretStr(portcall.env["PORTCALL_SECRET_KEY"])
    async with open_database(portcall.database_url, key) as database:
        heard = await database.activity.last_heard()
    await portcall.start_api()
    assert heard["dist"] > began
