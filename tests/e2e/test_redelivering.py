import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.e2e.test_main_path import notify
from tests.fixtures.portcall import Portcall
from tests.fixtures.receiver import Receiver

FAILED, FEWER = 30, 12


async def failed(
    portcall: Portcall, receiver: Receiver, repository: str, count: int
) -> Sequence[str]:
    """Let a receiver reject deliveries of a repository, then mend it; give their ids."""
    await portcall.configure(receiver.url())
    receiver.answer(404)
    await asyncio.gather(*(notify(portcall, repository=repository) for _ in range(count)))
    page = await portcall.until(
        "/api/v1/deliveries",
        lambda page: [item["closed_at"] is None for item in page["items"]] == [False] * count,
        outcome="rejected",
        repository=repository,
        limit=200,
    )
    receiver.answer(200)
    receiver.requests.clear()
    return [item["id"] for item in page["items"]]


async def redeliver(portcall: Portcall, **wanted: Any) -> dict[str, Any]:
    answer = await portcall.api.post("/api/v1/redeliveries", json=wanted)
    assert answer.is_success, answer.text
    begun: dict[str, Any] = answer.json()
    return begun


async def ended(portcall: Portcall, begun: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = await portcall.until(
        f"/api/v1/redeliveries/{begun['id']}", lambda shown: shown["state"] == "done", timeout=45
    )
    return found


async def all_delivered(portcall: Portcall, ids: Sequence[str], repository: str) -> None:
    """Wait until the log shows all of them as delivered and none as failed."""
    page = await portcall.until(
        "/api/v1/deliveries",
        lambda page: len(page["items"]) == len(ids),
        timeout=40,
        outcome="delivered",
        repository=repository,
        limit=200,
    )
    assert {item["id"] for item in page["items"]} == set(ids)
    rejected = {"outcome": "rejected", "repository": repository}
    listed = await portcall.api.get("/api/v1/deliveries", params=rejected)
    assert listed.json()["items"] == []


def times_received(receiver: Receiver) -> Counter[str]:
    return Counter(request.headers["webhook-id"] for request in receiver.requests)


async def test_all_that_failed_is_delivered_by_one_call_exactly_once(
    portcall: Portcall, receiver: Receiver
) -> None:
    ids = await failed(portcall, receiver, "again/app", FAILED)
    wanted = {"target": "ci", "repository": "again/*"}
    assert await redeliver(portcall, **wanted, dry_run=True) == {"count": FAILED, "exact": True}
    begun = await redeliver(portcall, **wanted)
    assert (await redeliver(portcall, **wanted))["id"] == begun["id"]
    done = await ended(portcall, begun)
    assert [done[name] for name in ("redelivered", "skipped", "failed")] == [FAILED, 0, 0]
    await all_delivered(portcall, ids, "again/app")
    received = times_received(receiver)
    assert len(received) == FAILED
    assert set(received.values()) == {1}
    assert await redeliver(portcall, **wanted, dry_run=True) == {"count": 0, "exact": True}


async def test_a_redelivery_outlives_the_worker_that_was_doing_it(
    portcall: Portcall, receiver: Receiver
) -> None:
    ids = await failed(portcall, receiver, "killed/app", FEWER)
    begun = await redeliver(portcall, repository="killed/app")
    await receiver.wait_for(FEWER // 3)
    await portcall.kill_worker()
    assert len(receiver.requests) < FEWER
    await portcall.start_worker()
    done = await ended(portcall, begun)
    assert [done[name] for name in ("redelivered", "skipped", "failed")] == [FEWER, 0, 0]
    await all_delivered(portcall, ids, "killed/app")
    # What the dead worker was sending just then may have come twice: nobody can know.
    received = times_received(receiver)
    lost = await asyncio.gather(*(attempts_lost(portcall, identity) for identity in ids))
    assert len(received) == FEWER
    assert sum(received.values()) - FEWER <= sum(lost)


async def attempts_lost(portcall: Portcall, identity: str) -> int:
    shown = (await portcall.api.get(f"/api/v1/deliveries/{identity}")).json()
    return sum(record["outcome"] == "lost" for record in shown["attempt_records"])


async def test_a_target_is_pinged_repaired_and_enabled_and_what_failed_is_sent_again(
    portcall: Portcall, receiver: Receiver
) -> None:
    await portcall.configure(receiver.url())
    receiver.answer(410)
    await notify(portcall, repository="gone/app")
    health = await portcall.until(
        "/api/v1/targets/ci/health", lambda shown: shown["state"] == "disabled"
    )
    assert (health["disabled_by"], "410" in health["reason"]) == ("portcall", True)
    receiver.answer(200)
    pinged = await portcall.api.post("/api/v1/targets/ci/ping")
    assert (pinged.status_code, pinged.json()["delivered"]) == (200, True)
    assert pinged.json()["record"]["request"]["url"] == receiver.url()
    await notify(portcall, repository="gone/app")
    await portcall.until(
        "/api/v1/deliveries", lambda page: len(page["items"]) == 1,
        outcome="blocked", repository="gone/app",
    )  # fmt: skip
    enabled = (await portcall.api.post("/api/v1/targets/ci/enable")).json()
    assert (enabled["was"], enabled["failed"]) == ("disabled", 2)
    assert enabled["health"]["state"] == "healthy"
    done = await ended(portcall, await redeliver(portcall, **enabled["redeliver"]))
    assert done["redelivered"] == 2
    await portcall.until(
        "/api/v1/deliveries", lambda page: len(page["items"]) == 2,
        outcome="delivered", repository="gone/app",
    )  # fmt: skip
    shown = await portcall.until(
        "/api/v1/targets/ci/health", lambda shown: shown["last_success_at"] is not None
    )
    assert shown["state"] == "healthy"
