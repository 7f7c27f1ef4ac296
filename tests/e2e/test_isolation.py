import asyncio
import itertools
import statistics
import time

from portcall.adapters.devserver import DevServer
from tests.fixtures.portcall import SOURCE_TOKEN, Portcall, StartPortcall, push
from tests.fixtures.receiver import Answer, Receiver

NUMBERS = itertools.count(500_000)
HANGING = 20


async def journey(portcall: Portcall, receiver: Receiver) -> float:
    """Send an event for the target that answers; give the seconds until it arrived."""
    began, before = time.monotonic(), len(well(receiver))
    await send(portcall, "well")
    async with asyncio.timeout(30):
        while len(well(receiver)) == before:
            await asyncio.sleep(0.01)
    return well(receiver)[-1] - began


def well(receiver: Receiver) -> list[float]:
    return [request.arrived_at for request in receiver.requests if request.path == "/well"]


async def send(portcall: Portcall, name: str) -> None:
    body = push(f"prod/{name}", number=next(NUMBERS))
    answer = await portcall.sender.post("/notifications/dist", json=body)
    assert answer.status_code == 202


async def test_one_that_answers_is_served_promptly_beside_many_that_hang(
    temporal: DevServer, start_portcall: StartPortcall, receiver: Receiver
) -> None:
    """The short form of `make bench-isolation`, with more attempts that hang than connections."""
    portcall = await start_portcall(temporal.address)
    auth = {"type": "bearer", "token": SOURCE_TOKEN}
    await portcall.put("sources", name="dist", kind="distribution", auth=auth)
    receiver.answer(Answer(never=True))
    receiver.answer(200, path="/well")
    names = [f"hangs{number}" for number in range(HANGING)]
    for name in ("well", *names):
        await portcall.put("targets", name=name, url=receiver.url(f"/{name}"))
    for name, targets in (("well", ["well"]), ("hangs", names)):
        match = {"repository": {"in": [f"prod/{name}"]}}
        await portcall.put("policies", name=name, targets=targets, match=match)
    await asyncio.sleep(1.2)  # within a second a change holds in every process
    alone = [await journey(portcall, receiver) for _ in range(5)]
    for _ in range(2):
        await send(portcall, "hangs")
    await receiver.wait_for(len(alone) + HANGING, timeout=30)
    beside = [await journey(portcall, receiver) for _ in range(5)]
    hung = len(receiver.requests) - len(well(receiver))
    assert hung >= HANGING
    assert max(beside) < 12, "nobody waits for the time-out of another"
    assert statistics.median(beside) < 5 * statistics.median(alone) + 2
    await portcall.kill_worker()
