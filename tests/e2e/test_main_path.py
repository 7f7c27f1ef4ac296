import asyncio
import itertools
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    RegisterNamespaceRequest,
    ResetWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from portcall.adapters.devserver import DevServer
from portcall.adapters.temporal import TemporalEngine
from portcall.errors import EngineUnavailableError
from tests.fixtures.portcall import QUICK, Portcall, StartPortcall, a_namespace, push
from tests.fixtures.receiver import Answer, Receiver
from tests.fixtures.registry import StartRegistry
from tests.workflows.scripted import an_event

NUMBERS = itertools.count(1000)


async def notify(portcall: Portcall, **event: Any) -> str:
    """Send one push of its own; give the event's id."""
    answer = await portcall.sender.post(
        "/notifications/dist", json=push(number=next(NUMBERS), **event)
    )
    assert answer.status_code == 202, answer.text
    event_id: str = answer.json()["events"][0]["id"]
    return event_id


async def delivery_of(portcall: Portcall, event_id: str, outcome: str) -> dict[str, Any]:
    """Give the whole delivery of an event once it has come to an outcome."""

    def there(page: Any) -> bool:
        return any(item["outcome"] == outcome for item in page["items"])

    page = await portcall.until("/api/v1/deliveries", there, event_id=event_id)
    shown = await portcall.api.get(f"/api/v1/deliveries/{page['items'][0]['id']}")
    document: dict[str, Any] = shown.json()
    return document


async def test_a_push_is_delivered_after_two_failures_and_every_attempt_is_in_the_log(
    portcall: Portcall, receiver: Receiver
) -> None:
    await portcall.configure(receiver.url())
    receiver.answer(Answer(503, b"busy"), 503, Answer(200, b"thanks"))
    event_id = await notify(portcall, repository="prod/app", tag="v1.2.3")
    delivery = await delivery_of(portcall, event_id, "delivered")
    attempts = delivery["attempt_records"]
    assert [(a["number"], a["response"]["status"]) for a in attempts] == [
        (1, 503),
        (2, 503),
        (3, 200),
    ]
    assert attempts[0]["response"]["body"] == "busy"
    assert attempts[0]["next_attempt_in"] == "50ms"
    assert attempts[2]["response"]["body"] == "thanks"
    assert '"fullName":"prod/app"' in attempts[2]["request"]["body"].replace(" ", "")
    assert delivery["attempts"] == 3
    assert delivery["http_status"] == 200
    ids = {request.headers["webhook-id"] for request in receiver.requests}
    assert len(ids) == 1


async def test_a_senders_repeat_is_accepted_and_delivered_once(
    portcall: Portcall, receiver: Receiver
) -> None:
    await portcall.configure(receiver.url())
    body = push(number=next(NUMBERS))
    first = await portcall.sender.post("/notifications/dist", json=body)
    again = await portcall.sender.post("/notifications/dist", json=body)
    assert [first.status_code, again.status_code] == [202, 202]
    assert first.json()["events"][0]["duplicate"] is False
    assert again.json()["events"][0]["duplicate"] is True
    await delivery_of(portcall, first.json()["events"][0]["id"], "delivered")
    assert len(receiver.requests) == 1


async def test_an_event_that_nobody_wants_says_why(portcall: Portcall, receiver: Receiver) -> None:
    await portcall.configure(receiver.url(), match={"repository": {"regex": "prod/.+"}})
    event_id = await notify(portcall, repository="test/app")
    page = await portcall.until(
        "/api/v1/events", lambda page: page["items"], outcome="unmatched", repository="test/*"
    )
    assert page["items"][0]["deliveries"] == 0
    event = (await portcall.api.get(f"/api/v1/events/{event_id}")).json()
    assert event["misses"][0]["condition"] == "repository"
    assert event["event"]["raw"]["body"]


async def test_a_delivery_that_gave_up_is_sent_again_once_the_receiver_is_repaired(
    portcall: Portcall, receiver: Receiver
) -> None:
    await portcall.configure(receiver.url())
    receiver.answer(500)
    event_id = await notify(portcall)
    failed = await delivery_of(portcall, event_id, "exhausted")
    assert failed["reason"] == "5 of 5 attempts failed, the last with HTTP 500"
    receiver.answer(200)
    again = await portcall.api.post(f"/api/v1/deliveries/{failed['id']}/redeliver")
    assert again.status_code == 202, again.text
    delivered = await delivery_of(portcall, event_id, "delivered")
    assert delivered["attempts"] == 1
    assert [a["response"]["status"] for a in delivered["attempt_records"]] == [500] * 5 + [200]
    assert len(delivered["runs"]) == 2
    assert len({r.headers["webhook-id"] for r in receiver.requests}) == 1
    by_failure = {"event_id": event_id, "outcome": "exhausted"}
    page = (await portcall.api.get("/api/v1/deliveries", params=by_failure)).json()
    assert page["items"] == []


async def test_a_repaired_target_is_used_by_the_next_attempt(
    portcall: Portcall, receiver: Receiver
) -> None:
    await portcall.configure(
        "http://127.0.0.1:2/nobody-listens", retry={**SLOW, "reconnect": False}
    )
    event_id = await notify(portcall)
    waiting = await delivery_of(portcall, event_id, "retrying")
    assert waiting["attempt_records"][0]["error"]["type"] == "connect"
    assert waiting["next_attempt_at"]
    await portcall.put("targets", name="ci", url=receiver.url())
    path = f"/api/v1/deliveries/{waiting['id']}"
    assert (await portcall.api.post(f"{path}/redeliver")).status_code == 409
    assert (await portcall.api.post(f"{path}/retry-now")).status_code == 202
    delivered = await delivery_of(portcall, event_id, "delivered")
    assert delivered["attempts"] == 2
    assert (await portcall.api.post(f"{path}/retry-now")).status_code == 409


async def test_a_waiting_delivery_can_be_cancelled(portcall: Portcall, receiver: Receiver) -> None:
    receiver.answer(503)
    await portcall.configure(receiver.url(), retry=SLOW)
    event_id = await notify(portcall)
    waiting = await delivery_of(portcall, event_id, "retrying")
    path = f"/api/v1/deliveries/{waiting['id']}"
    assert (await portcall.api.post(f"{path}/cancel")).status_code == 202
    await delivery_of(portcall, event_id, "cancelled")
    assert (await portcall.api.post(f"{path}/cancel")).status_code == 409


SLOW = {"initial_interval": "10m", "maximum_interval": "10m", "maximum_attempts": 3}


async def test_the_log_is_searched_by_every_filter(portcall: Portcall, receiver: Receiver) -> None:
    await portcall.configure(receiver.url())
    event_id = await notify(portcall, repository="team/searched", tag="v9")
    found = await delivery_of(portcall, event_id, "delivered")
    matching: dict[str, Any] = {
        "source": "dist",
        "event_type": "artifact.pushed",
        "repository": "team/searched",
        "tag": "v9",
        "digest": found["digest"],
        "policy": "all",
        "target": "ci",
        "outcome": "delivered",
        "http_status": 200,
        "since": "2026-01-01T00:00:00Z",
        "until": "2999-01-01T00:00:00Z",
    }
    other: dict[str, Any] = {
        "source": "prop",
        "event_type": "artifact.deleted",
        "repository": "team/other*",
        "tag": "v8",
        "digest": "sha256:00",
        "policy": "none",
        "target": "other",
        "outcome": "exhausted",
        "http_status": 500,
        "since": "2999-01-01T00:00:00Z",
        "until": "2000-01-01T00:00:00Z",
    }
    for collection in ("deliveries", "events"):
        outcome = {} if collection == "deliveries" else {"outcome": "delivered"}
        answer = await portcall.api.get(f"/api/v1/{collection}", params={**matching, **outcome})
        ids = [item.get("event_id") or item["id"] for item in answer.json()["items"]]
        assert ids == [event_id], answer.text
        for name, value in other.items():
            answer = await portcall.api.get(
                f"/api/v1/{collection}", params={"event_id": event_id, name: value}
            )
            assert answer.json()["items"] == [], (collection, name)
    stars = {"repository": "team/sea*", "target": "c*"}
    page = (await portcall.api.get("/api/v1/deliveries", params=stars)).json()
    assert [item["event_id"] for item in page["items"]] == [event_id]


async def test_lists_come_in_pages_newest_first(portcall: Portcall, receiver: Receiver) -> None:
    await portcall.configure(receiver.url())
    ids = [await notify(portcall, repository="team/paged") for _ in range(7)]
    wanted = {"repository": "team/paged", "limit": 3}
    await portcall.until(
        "/api/v1/deliveries",
        lambda page: len(page["items"]) == 7,
        repository="team/paged",
        outcome="delivered",
    )
    for collection, key in (("events", "id"), ("deliveries", "event_id")):
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            answer = await portcall.api.get(f"/api/v1/{collection}", params={**wanted, **cursor})
            page = answer.json()
            seen += [item[key] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert sorted(seen) == sorted(ids)
        if collection == "events":
            assert seen == ids[::-1]


async def test_unknown_filters_and_foreign_cursors_are_refused(portcall: Portcall) -> None:
    for params in (
        {"repo": "x"},
        {"cursor": "nonsense"},
        {"limit": 0},
        {"outcome": "lost"},
        {"tag": '"'},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"repository": "a\0"},
    ):
        answer = await portcall.api.get("/api/v1/deliveries", params=params)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == next(iter(params))


@pytest.mark.parametrize(
    "path",
    ["deliveries/nothing", "deliveries/delivery:a:b:c:d", "events/x", "events/%01", "events/a%20b"],
)
async def test_what_is_not_there_is_not_found(portcall: Portcall, path: str) -> None:
    assert (await portcall.api.get(f"/api/v1/{path}")).status_code == 404


async def test_strings_in_filters_cannot_escape_their_quotes(portcall: Portcall) -> None:
    for value in ("it's", "a\\", "' OR 1=1 --", '"', "a\\' OR ''='", "%", "né\u2028"):
        for name in ("repository", "tag", "policy"):
            if (name, value) == ("tag", '"'):
                continue  # refused: see the test above
            answer = await portcall.api.get("/api/v1/deliveries", params={name: value})
            assert answer.json().get("items") == [], (name, value, answer.text)
        answer = await portcall.api.get("/api/v1/events", params={"repository": value + "*"})
        assert answer.json().get("items") == [], (value, answer.text)


async def test_health_readiness_and_metrics_need_no_token(portcall: Portcall) -> None:
    assert (await portcall.sender.get("/healthz")).json() == {"status": "ok"}
    ready = await portcall.sender.get("/readyz")
    assert ready.json() == {"ready": True, "parts": {"database": "ok", "temporal": "ok"}}
    metrics = await portcall.sender.get("/metrics")
    assert "portcall_inbox_entries" in metrics.text


async def test_the_real_registrys_push_is_delivered_on_postgresql(
    temporal: DevServer,
    start_portcall: StartPortcall,
    start_registry: StartRegistry,
    postgres_url: str,
    receiver: Receiver,
) -> None:
    portcall = await start_portcall(temporal.address, database_url=postgres_url)
    await portcall.configure(receiver.url(), match={"repository": {"glob": "prod/**"}})
    registry = await start_registry(
        f"{portcall.url}/notifications/dist", dict(portcall.sender.headers)
    )
    digest = await registry.push_image("prod/real", "v1")
    await registry.push_image("test/real", "v1")
    page = await portcall.until(
        "/api/v1/deliveries",
        lambda page: any(item["outcome"] == "delivered" for item in page["items"]),
        repository="prod/real",
    )
    assert [(item["digest"], item["tags"]) for item in page["items"]] == [(digest, ["v1"])]
    assert len(receiver.requests) == 1


async def test_events_sought_through_deliveries_are_listed_once(
    portcall: Portcall, receiver: Receiver
) -> None:
    await portcall.configure(receiver.url())
    for name in ("two", "three"):
        await portcall.put("targets", name=name, url=receiver.url())
    targets = ["ci", "two", "three"]
    await portcall.put("policies", name="all", targets=targets, match={}, retry=QUICK)
    await asyncio.sleep(1)
    ids = [await notify(portcall, repository="team/thrice") for _ in range(4)]
    wanted: dict[str, Any] = {"repository": "team/thrice", "outcome": "delivered"}
    page = await portcall.until(
        "/api/v1/deliveries", lambda page: len(page["items"]) == 12, **wanted
    )
    again = page["items"][-1]["id"]
    assert (await portcall.api.post(f"/api/v1/deliveries/{again}/redeliver")).status_code == 202
    await portcall.until(
        f"/api/v1/deliveries/{again}", lambda d: len(d["runs"]) == 2 and d["closed_at"]
    )
    await portcall.until(
        "/api/v1/deliveries", lambda page: page["items"][0]["id"] == again, **wanted
    )
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await portcall.api.get("/api/v1/events", params={**wanted, "limit": 2, **cursor})
        seen += [item["id"] for item in answer.json()["items"]]
        if answer.json()["next_cursor"] is None:
            break
        cursor = {"cursor": answer.json()["next_cursor"]}
    assert sorted(seen) == sorted(ids)


async def test_an_event_that_was_reset_is_listed_once(
    portcall: Portcall, receiver: Receiver, temporal: DevServer
) -> None:
    await portcall.configure(receiver.url())
    event_id = await notify(portcall, repository="team/reset")
    await delivery_of(portcall, event_id, "delivered")
    client = await Client.connect(temporal.address, namespace=portcall.namespace)
    handle = client.get_workflow_handle(f"event:dist:{event_id}")
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=portcall.namespace,
            workflow_execution=WorkflowExecution(
                workflow_id=handle.id, run_id=(await handle.describe()).run_id
            ),
            reason="a test",
            workflow_task_finish_event_id=4,
            request_id=event_id,
        )
    )
    newest = (await handle.describe()).run_id
    page = await portcall.until(
        "/api/v1/events",
        lambda page: [item["run_id"] for item in page["items"]] == [newest],
        repository="team/reset",
    )
    assert page["items"][0]["deliveries"] == 1
    assert (await portcall.api.get(f"/api/v1/events/{event_id}")).json()["run_id"] == newest
    assert len(receiver.requests) == 1


async def test_a_namespace_that_was_not_prepared_makes_events_wait(temporal: DevServer) -> None:
    client = await Client.connect(temporal.address)
    name = a_namespace()
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace=name, workflow_execution_retention_period=Duration(seconds=86400)
        )
    )
    bare = await Client.connect(
        temporal.address, namespace=name, data_converter=pydantic_data_converter
    )
    event = an_event()
    async with asyncio.timeout(30):
        while True:
            with pytest.raises(EngineUnavailableError) as away:
                await TemporalEngine(bare).start(event, timeout=timedelta(seconds=5))
            if "portcall init" in str(away.value):
                return
            await asyncio.sleep(0.5)
