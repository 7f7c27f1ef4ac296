"""Limits, pauses and queues of targets, on real processes: two workers, one receiver a path."""

import asyncio
import itertools
import time
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import pytest

from portcall.adapters.devserver import DevServer
from tests.fixtures.portcall import QUICK, SOURCE_TOKEN, Portcall, StartPortcall, push
from tests.fixtures.receiver import Answer, ReceivedRequest, Receiver

PATIENT = {**QUICK, "maximum_attempts": 30}
NUMBERS = itertools.count(400_000)


async def a_target(portcall: Portcall, receiver: Receiver, name: str, **spec: object) -> None:
    """Make a target with the path of its name, and a policy for the repository of its name."""
    await portcall.put("targets", name=name, url=receiver.url(f"/{name}"), **spec)
    match = {"repository": {"in": [f"prod/{name}"]}}
    await portcall.put("policies", name=name, targets=[name], match=match, retry=PATIENT)


async def send(portcall: Portcall, name: str, count: int) -> list[int]:
    """Send events for a target one after the other; give their numbers."""
    numbers = [next(NUMBERS) for _ in range(count)]
    for number in numbers:
        body = push(f"prod/{name}", number=number)
        answer = await portcall.sender.post("/notifications/dist", json=body)
        assert answer.status_code == 202
    return numbers


def arrived(receiver: Receiver, name: str) -> list[ReceivedRequest]:
    return [request for request in receiver.requests if request.path == f"/{name}"]


def numbers_of(requests: Sequence[ReceivedRequest]) -> list[int]:
    return [int(r.body.decode().partition('"imageId"')[2].split('"')[1], 16) for r in requests]


async def until_arrived(receiver: Receiver, name: str, count: int) -> list[ReceivedRequest]:
    deadline = time.monotonic() + 40
    while len(arrived(receiver, name)) < count:
        came = len(arrived(receiver, name))
        assert time.monotonic() < deadline, f"{came} of {count} came to {name}"
        await asyncio.sleep(0.05)
    return arrived(receiver, name)


def started_at(deliveries: Iterable[dict[str, Any]]) -> dict[int, str]:
    """Give when the delivery of each event's number was started."""
    return {int(item["event_id"][-6:]): item["started_at"] for item in deliveries}


def in_order(came: Sequence[Any]) -> float:
    """Give the share of pairs of which the older came first: 1.0 in order, 0.5 by chance."""
    pairs = list(itertools.combinations(came, 2))
    return sum(first < later for first, later in pairs) / len(pairs)


async def the_rate_holds(portcall: Portcall, receiver: Receiver) -> None:
    sent = await send(portcall, "rate", 20)
    came = await until_arrived(receiver, "rate", 20)
    times = [request.arrived_at for request in came]
    assert sorted(numbers_of(came)) == sent
    # A second's worth may come at once, and then five a second.
    assert times[-1] - times[0] > 2.5
    for first, later in zip(times, times[11:], strict=False):
        assert later - first > 0.8
    page = await portcall.until(
        "/api/v1/deliveries",
        lambda page: len(page["items"]) == 20,
        target="rate",
        outcome="delivered",
    )
    started = started_at(page["items"])
    # The first ones did not have to wait; the others go oldest first, as they are found.
    assert in_order([started[number] for number in numbers_of(came)[6:]]) > 0.6


async def one_at_a_time(portcall: Portcall, receiver: Receiver) -> None:
    receiver.answer(Answer(delay=0.2), path="/one")
    sent = await send(portcall, "one", 6)
    came = await until_arrived(receiver, "one", 6)
    assert sorted(numbers_of(came)) == sent
    times = [request.arrived_at for request in came]
    assert all(later - first > 0.19 for first, later in pairwise(times))


async def all_arrive_once_it_is_back(portcall: Portcall, receiver: Receiver) -> None:
    receiver.answer(Answer(never=True), path="/hang")
    sent = await send(portcall, "hang", 8)
    deliveries = "/api/v1/deliveries"
    page = await portcall.until(
        deliveries, lambda page: len(page["items"]) >= 4, target="hang", outcome="queued"
    )
    await until_arrived(receiver, "hang", 3)
    shown = (await portcall.api.get(f"{deliveries}/{page['items'][0]['id']}")).json()
    assert shown["reason"]
    assert shown["queued_since"]
    hung = arrived(receiver, "hang")
    assert all(later.arrived_at - first.arrived_at > 0.9 for first, later in pairwise(hung))
    receiver.answer(200, path="/hang")
    page = await portcall.until(
        deliveries, lambda page: len(page["items"]) == 8, target="hang", outcome="delivered"
    )
    came = numbers_of(arrived(receiver, "hang")[len(hung) :])
    assert sorted(set(came)) == sent
    assert len(came) <= 9  # the one that was trying hung once more
    # Those that tried while it hung come again in their own time, the others oldest first.
    started = started_at(item for item in page["items"] if item["attempts"] == 1)
    order = [started[number] for number in came if number in started]
    assert len(order) < 3 or in_order(order) > 0.6


async def all_wait_for_retry_after(portcall: Portcall, receiver: Receiver) -> None:
    receiver.answer(Answer(429, headers={"Retry-After": "3"}), 200, path="/busy")
    sent = await send(portcall, "busy", 1)
    [first] = await until_arrived(receiver, "busy", 1)
    await asyncio.sleep(1.8)  # until the other worker knows of it too
    sent += await send(portcall, "busy", 3)
    came = (await until_arrived(receiver, "busy", 5))[1:]
    assert sorted(numbers_of(came)) == sent
    assert came[0].arrived_at - first.arrived_at > 2.5


@pytest.mark.timeout(150)
async def test_limits_and_pauses_hold_over_two_workers_and_nothing_is_lost(
    temporal: DevServer, start_portcall: StartPortcall, receiver: Receiver
) -> None:
    portcall = await start_portcall(temporal.address, workers=2)
    auth = {"type": "bearer", "token": SOURCE_TOKEN}
    await portcall.put("sources", name="dist", kind="distribution", auth=auth)
    breaker = {"failures": 2, "pause": "1s", "longest_pause": "1s"}
    await a_target(portcall, receiver, "rate", rate="5/s")
    await a_target(portcall, receiver, "one", max_concurrent=1)
    await a_target(portcall, receiver, "hang", breaker=breaker, timeout="1s", max_concurrent=1)
    await a_target(portcall, receiver, "busy")
    await asyncio.sleep(1.2)  # within a second a change holds in every process
    await asyncio.gather(
        the_rate_holds(portcall, receiver),
        one_at_a_time(portcall, receiver),
        all_arrive_once_it_is_back(portcall, receiver),
        all_wait_for_retry_after(portcall, receiver),
    )
