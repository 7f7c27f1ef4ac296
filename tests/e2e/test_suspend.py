import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.e2e.test_main_path import notify
from tests.fixtures.portcall import QUICK, Portcall
from tests.fixtures.receiver import Receiver

HOLDING = {"enabled": False, "while_disabled": "hold"}
SKIPPING = {"enabled": False, "while_disabled": "skip"}
ON: dict[str, Any] = {}


async def switch(
    portcall: Portcall, receiver: Receiver, noun: str, changed: dict[str, Any]
) -> None:
    """Write the policy or the target that `configure` made, switched so."""
    if noun == "policies":
        await portcall.put(noun, name="all", targets=["ci"], match={}, retry=QUICK, **changed)
    else:
        await portcall.put(noun, name="ci", url=receiver.url(), **changed)


async def suspended(
    portcall: Portcall, receiver: Receiver, noun: str, changed: dict[str, Any], events: int
) -> Sequence[str]:
    """Let events arrive while a policy or target is suspended; give their ids."""
    await portcall.configure(receiver.url())
    await switch(portcall, receiver, noun, changed)
    await asyncio.sleep(1)  # within a second a change holds in every process
    return [await notify(portcall, repository=f"hold/{noun}") for _ in range(events)]


async def held(portcall: Portcall, ids: Sequence[str]) -> Sequence[dict[str, Any]]:
    """Wait until the deliveries of these events, and only these, are held."""
    page = await portcall.until(
        "/api/v1/deliveries", lambda page: len(page["items"]) == len(ids), outcome="held"
    )
    assert {item["event_id"] for item in page["items"]} == set(ids)
    items: Sequence[dict[str, Any]] = page["items"]
    return items


async def delivered(portcall: Portcall, ids: Sequence[str]) -> None:
    for event_id in ids:
        await portcall.until(
            "/api/v1/deliveries",
            lambda page: [item["outcome"] for item in page["items"]] == ["delivered"],
            event_id=event_id,
        )


@pytest.mark.parametrize(
    ("noun", "why"),
    [
        ("policies", "the policy all is disabled and holds its deliveries"),
        ("targets", "the target ci is disabled and holds its deliveries"),
    ],
)
async def test_what_arrives_while_suspended_is_held_and_delivered_once_on_resume(
    portcall: Portcall, receiver: Receiver, noun: str, why: str
) -> None:
    ids = await suspended(portcall, receiver, noun, HOLDING, 3)
    items = await held(portcall, ids)
    shown = (await portcall.api.get(f"/api/v1/deliveries/{items[0]['id']}")).json()
    assert (shown["reason"], shown["attempts"], shown["attempt_records"]) == (why, 0, [])
    assert shown["held_since"] >= shown["started_at"]
    assert receiver.requests == []
    await switch(portcall, receiver, noun, ON)
    await delivered(portcall, ids)
    assert len(receiver.requests) == 3
    shown = (await portcall.api.get(f"/api/v1/deliveries/{items[0]['id']}")).json()
    assert (shown["reason"], shown["held_since"], shown["attempts"]) == (None, None, 1)


@pytest.mark.parametrize(("noun", "condition"), [("policies", "enabled"), ("targets", "target")])
async def test_what_arrives_while_suspended_is_skipped_and_the_event_says_so(
    portcall: Portcall, receiver: Receiver, noun: str, condition: str
) -> None:
    [event_id] = await suspended(portcall, receiver, noun, SKIPPING, 1)
    event = await portcall.until(
        f"/api/v1/events/{event_id}", lambda event: event["outcome"] is not None
    )
    assert event["outcome"] == "unmatched"
    assert [miss["condition"] for miss in event["misses"] if miss["policy"] == "all"] == [condition]
    await switch(portcall, receiver, noun, ON)
    assert receiver.requests == []


async def test_a_held_delivery_can_be_cancelled_and_stays_so_on_resume(
    portcall: Portcall, receiver: Receiver
) -> None:
    ids = await suspended(portcall, receiver, "targets", HOLDING, 2)
    one, other = await held(portcall, ids)
    assert (await portcall.api.post(f"/api/v1/deliveries/{one['id']}/cancel")).status_code == 202
    await portcall.until(
        f"/api/v1/deliveries/{one['id']}", lambda shown: shown["outcome"] == "cancelled"
    )
    await switch(portcall, receiver, "targets", ON)
    await delivered(portcall, [other["event_id"]])
    assert len(receiver.requests) == 1


async def test_what_a_policy_held_is_blocked_at_once_when_it_skips_instead(
    portcall: Portcall, receiver: Receiver
) -> None:
    ids = await suspended(portcall, receiver, "policies", HOLDING, 1)
    [item] = await held(portcall, ids)
    await switch(portcall, receiver, "policies", SKIPPING)
    shown = await portcall.until(
        f"/api/v1/deliveries/{item['id']}", lambda shown: shown["closed_at"]
    )
    assert shown["outcome"] == "blocked"
    assert shown["reason"] == "the policy all is disabled"
    assert receiver.requests == []


async def test_what_is_held_survives_the_death_of_the_worker(
    portcall: Portcall, receiver: Receiver
) -> None:
    ids = await suspended(portcall, receiver, "policies", HOLDING, 2)
    await held(portcall, ids)
    await portcall.kill_worker()
    await switch(portcall, receiver, "policies", ON)
    await portcall.start_worker()
    await delivered(portcall, ids)
    assert len(receiver.requests) == 2
