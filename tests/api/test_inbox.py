import base64

import pytest

from portcall.policies import Source
from tests.api.conftest import Backend
from tests.portcall.test_matching import event

PUSH = b"""{"events": [{"project": "prj", "repoName": "repo1", "tag": "latest",
  "fullName": "prj/repo1", "triggerTime": 158322233213, "imageId": "%s",
  "projectType": "PRIVATE", "eventType": "PUSH"}]}""" % (b"9e" * 32)


async def park(backend: Backend, body=b"{}", reason="not understood", source="old"):
    return await backend.inbox.park(source, reason, body, {"content-type": "text/x"}, "push")


async def test_the_inbox_is_listed_newest_first_in_pages(api, backend):
    for number in range(5):
        await park(backend, body=b"%d" % number)
    pages, params = [], {"limit": 2}
    for _ in range(3):
        page = (await api.get("/api/v1/inbox", params=params)).json()
        pages.append([item["id"] for item in page["items"]])
        params["cursor"] = page["next_cursor"]
    assert pages == [["5", "4"], ["3", "2"], ["1"]]
    assert page["next_cursor"] is None


async def test_the_inbox_is_listed_by_state(api, backend):
    await park(backend)
    await backend.inbox.keep_waiting("harbor-eu", [event()])
    states = {}
    for state in ("waiting", "parked"):
        page = (await api.get("/api/v1/inbox", params={"state": state})).json()
        states[state] = [(item["id"], item["state"]) for item in page["items"]]
    assert states == {"waiting": [("2", "waiting")], "parked": [("1", "parked")]}


async def test_an_unknown_state_is_invalid(api):
    answer = await api.get("/api/v1/inbox", params={"state": "lost"})
    assert [error["field"] for error in answer.json()["errors"]] == ["state"]


@pytest.mark.parametrize(
    ("body", "text", "encoding"),
    [(b'{"a"', '{"a"', "utf-8"), (b"\xff\x00", base64.b64encode(b"\xff\x00").decode(), "base64")],
)
async def test_a_parked_entry_shows_its_reason_and_the_raw_request(
    api, backend, body, text, encoding
):
    await park(backend, body=body)
    await park(backend, body=body)
    entry = (await api.get("/api/v1/inbox/1")).json()
    assert (entry["body"], entry["body_encoding"]) == (text, encoding)
    assert entry["headers"] == {"content-type": "text/x"}
    assert (entry["reason"], entry["hint"]) == ("not understood", "push")
    assert (entry["count"], entry["size"]) == (2, len(body))


async def test_a_waiting_entry_names_its_events(api, backend):
    await backend.inbox.keep_waiting("harbor-eu", [event(id="a"), event(id="b")])
    assert (await api.get("/api/v1/inbox/1")).json()["events"] == ["a", "b"]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_entry_that_is_not_there_is_not_found(api, method):
    assert (await api.request(method, "/api/v1/inbox/7")).status_code == 404


@pytest.mark.parametrize("entry", ["0", "-1", "x", str(2**63)])
async def test_an_id_that_cannot_be_is_invalid(api, entry):
    answer = await api.get(f"/api/v1/inbox/{entry}")
    assert [error["field"] for error in answer.json()["errors"]] == ["entry_id"]


async def test_a_deleted_entry_is_gone(api, backend):
    await park(backend)
    assert (await api.delete("/api/v1/inbox/1")).status_code == 204
    assert (await api.get("/api/v1/inbox/1")).status_code == 404


async def test_a_waiting_entry_that_is_replayed_starts_and_goes(api, backend):
    await backend.inbox.keep_waiting("harbor-eu", [event()])
    answer = await api.post("/api/v1/inbox/1/replay")
    assert answer.status_code == 200
    assert answer.json()["events"] == [{"id": "1", "duplicate": False, "state": "started"}]
    assert list(backend.engine.events) == ["event:harbor-eu:1"]
    assert backend.inbox.entries == {}


async def test_a_parked_entry_that_is_understood_by_now_starts_and_goes(api, backend):
    auth = {"type": "none"}
    await backend.store.sources.put(Source(name="old", kind="proposal", auth=auth))
    await park(backend, body=PUSH)
    answer = await api.post("/api/v1/inbox/1/replay")
    assert answer.status_code == 200, answer.text
    assert [found["state"] for found in answer.json()["events"]] == ["started"]
    assert len(backend.engine.events) == 1
    assert backend.inbox.entries == {}


async def test_a_parked_entry_that_is_still_not_understood_stays_and_says_why(api, backend):
    auth = {"type": "none"}
    await backend.store.sources.put(Source(name="old", kind="proposal", auth=auth))
    await park(backend, body=b"not json")
    answer = await api.post("/api/v1/inbox/1/replay")
    assert answer.status_code == 400
    assert answer.json()["reason"] == "not_json"
    assert list(backend.inbox.entries) == [1]


async def test_an_entry_stays_while_temporal_is_away(api, backend):
    await backend.inbox.keep_waiting("harbor-eu", [event()])
    backend.engine.available = False
    answer = await api.post("/api/v1/inbox/1/replay")
    assert answer.status_code == 503
    assert list(backend.inbox.entries) == [1]


async def test_a_parked_entry_whose_events_must_wait_becomes_a_waiting_one(api, backend):
    auth = {"type": "none"}
    await backend.store.sources.put(Source(name="old", kind="proposal", auth=auth))
    await park(backend, body=PUSH)
    backend.engine.available = False
    answer = await api.post("/api/v1/inbox/1/replay")
    assert [found["state"] for found in answer.json()["events"]] == ["waiting"]
    assert [entry.state for entry in backend.inbox.entries.values()] == ["waiting"]
