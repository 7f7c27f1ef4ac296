import asyncio
import itertools
import time
from pathlib import Path

from bench.load import Sender
from portcall.adapters.devserver import DevServer
from tests.fixtures.portcall import BEARER, Portcall, StartPortcall, push
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.receiver import Answer, Receiver
from tests.fixtures.temporal import StartTemporal, connected

NUMBERS = itertools.count(200_000)


async def send(portcall: Portcall) -> str:
    """Send one event as a registry does: again until it is accepted. Give its id."""
    body = push(number=next(NUMBERS))
    async with asyncio.timeout(60):
        while True:
            try:
                answer = await portcall.sender.post("/notifications/dist", json=body)
                if answer.status_code == 202:
                    event_id: str = answer.json()["events"][0]["id"]
                    return event_id
            except Exception:  # noqa: BLE001 - whatever breaks, a registry tries again
                await asyncio.sleep(0.2)
            await asyncio.sleep(0.05)


def delivered(receiver: Receiver) -> set[str]:
    """Give the digests that the receiver got, as the numbers of their events."""
    return {
        request.body.decode().partition('"imageId"')[2].split('"')[1]
        for request in receiver.requests
    }


def digest_of(event_id: str) -> str:
    return f"{int(event_id.rpartition('-')[2]):064x}"


async def until_all_arrived(receiver: Receiver, ids: list[str], timeout: float = 50) -> None:
    wanted = {digest_of(event_id) for event_id in ids}
    deadline = time.monotonic() + timeout
    while missing := wanted - delivered(receiver):
        assert time.monotonic() < deadline, f"{len(missing)} of {len(wanted)} never arrived"
        await asyncio.sleep(0.2)


async def private(start_temporal: StartTemporal, tmp_path: Path) -> DevServer:
    data_dir = tmp_path / "temporal"
    data_dir.mkdir()
    server = await start_temporal(data_dir)
    await connected(server)
    return server


async def restarted(start_temporal: StartTemporal, server: DevServer, tmp_path: Path) -> None:
    await start_temporal(tmp_path / "temporal", port=server.port)


async def test_every_accepted_event_arrives_though_each_process_is_killed_in_turn(
    start_temporal: StartTemporal,
    start_portcall: StartPortcall,
    receiver: Receiver,
    tmp_path: Path,
) -> None:
    temporal = await private(start_temporal, tmp_path)
    portcall = await start_portcall(temporal.address)
    await portcall.configure(receiver.url())
    ids: list[str] = []

    async def burst(count: int) -> None:
        ids.extend(await asyncio.gather(*(send(portcall) for _ in range(count))))

    sending = asyncio.create_task(burst(20))
    await asyncio.sleep(0.3)
    await portcall.kill_api()
    await portcall.start_api()
    await sending
    sending = asyncio.create_task(burst(15))
    await asyncio.sleep(0.3)
    await portcall.kill_worker()
    await portcall.start_worker()
    await sending
    sending = asyncio.create_task(burst(15))
    await asyncio.sleep(0.2)
    await temporal.stop(0)
    away = [await send(portcall) for _ in range(5)]
    await sending
    await restarted(start_temporal, temporal, tmp_path)
    await until_all_arrived(receiver, ids + away)
    assert len(ids) == 50


async def test_while_temporal_is_away_events_wait_and_are_forwarded_in_order(
    start_temporal: StartTemporal,
    start_portcall: StartPortcall,
    receiver: Receiver,
    tmp_path: Path,
) -> None:
    temporal = await private(start_temporal, tmp_path)
    portcall = await start_portcall(temporal.address)
    await portcall.configure(receiver.url())
    await temporal.stop(0)
    bodies = [push(number=next(NUMBERS)) for _ in range(5)]
    for body in bodies:
        began = time.monotonic()
        answer = await portcall.sender.post("/notifications/dist", json=body)
        assert time.monotonic() - began < 0.9
        assert answer.status_code == 202
        assert answer.json()["events"][0]["state"] == "waiting"
    waiting = (await portcall.api.get("/api/v1/inbox", params={"state": "waiting"})).json()
    assert len(waiting["items"]) == 5
    assert (await portcall.api.get("/readyz")).json()["parts"]["database"] == "ok"
    assert (await portcall.api.get("/api/v1/deliveries")).status_code == 503
    await restarted(start_temporal, temporal, tmp_path)
    ids = [body["events"][0]["id"] for body in bodies]
    await until_all_arrived(receiver, ids)
    page = await portcall.until("/api/v1/events", lambda page: len(page["items"]) == 5)
    assert [item["id"] for item in page["items"]] == ids[::-1]
    await portcall.until("/api/v1/inbox", lambda page: page["items"] == [])


async def test_with_temporal_and_the_database_away_the_answer_is_503_in_time(
    start_temporal: StartTemporal,
    start_portcall: StartPortcall,
    receiver: Receiver,
    postgres: PostgresServer,
    postgres_url: str,
    tmp_path: Path,
) -> None:
    temporal = await private(start_temporal, tmp_path)
    portcall = await start_portcall(temporal.address, database_url=postgres_url)
    await portcall.configure(receiver.url())
    first = await send(portcall)
    await until_all_arrived(receiver, [first])
    postgres.stop("immediate")
    try:
        without_database = await send(portcall)
        await temporal.stop(0)
        body = push(number=next(NUMBERS))
        for _ in range(3):
            began = time.monotonic()
            answer = await portcall.sender.post("/notifications/dist", json=body)
            assert time.monotonic() - began < 0.9
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) > 0
        assert (await portcall.api.get("/readyz")).status_code == 503
    finally:
        postgres.start()
    await restarted(start_temporal, temporal, tmp_path)
    last = await send(portcall)
    await until_all_arrived(receiver, [without_database, last])


async def test_a_burst_is_answered_in_time_though_the_receiver_is_dead(
    temporal: DevServer, start_portcall: StartPortcall, receiver: Receiver
) -> None:
    portcall = await start_portcall(temporal.address)
    await portcall.configure("http://127.0.0.1:2/nobody-listens")
    sender = Sender(portcall.port, BEARER["Authorization"])
    await sender.open(50)
    posts = (sender.post(push(number=next(NUMBERS))) for _ in range(300))
    took = sorted(await asyncio.gather(*posts))
    sender.close()
    assert took[296] < 0.9, f"p99 {took[296]:.3f} s"
    await portcall.put("targets", name="ci", url=receiver.url())
    await portcall.put("policies", name="all", targets=["ci"], enabled=False)


async def test_a_worker_that_dies_while_sending_leaves_its_attempt_in_the_log(
    temporal: DevServer, start_portcall: StartPortcall, receiver: Receiver
) -> None:
    portcall = await start_portcall(temporal.address)
    await portcall.configure(receiver.url())
    receiver.answer(Answer(never=True), 200)
    event_id = await send(portcall)
    await receiver.wait_for(1)
    await portcall.kill_worker()
    await portcall.start_worker()
    page = await portcall.until(
        "/api/v1/deliveries",
        lambda page: any(item["outcome"] == "delivered" for item in page["items"]),
        event_id=event_id,
        timeout=50,
    )
    shown = (await portcall.api.get(f"/api/v1/deliveries/{page['items'][0]['id']}")).json()
    outcomes = [(a["outcome"], (a["error"] or {}).get("type")) for a in shown["attempt_records"]]
    assert outcomes == [("lost", "lost"), ("delivered", None)]
