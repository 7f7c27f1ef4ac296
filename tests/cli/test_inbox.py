import json

import pytest

from portcall.auth import NoAuth
from portcall.policies import Source
from tests.cli.conftest import Backend, Run


@pytest.fixture
async def parked(backend: Backend) -> Backend:
    await backend.store.sources.create(Source(name="reg", kind="distribution", auth=NoAuth()))
    await backend.inbox.park("reg", "not JSON", b"\x1b{oops", {"user-agent": "Go"}, None)
    return backend


def test_entries_are_listed_with_their_reason(run: Run, parked: Backend):
    headings, line = run("inbox", "list").out.splitlines()
    assert headings.split() == ["ID", "RECEIVED_AT", "SOURCE", "STATE", "COUNT", "SIZE", "REASON"]
    assert line.startswith("1   2")
    assert line.endswith("reg     parked  1      6     not JSON")


def test_entries_can_be_listed_by_state(run: Run, parked: Backend):
    assert json.loads(run("inbox", "list", "--state", "waiting", "--json").out) == []
    assert len(json.loads(run("inbox", "list", "--state", "parked", "--json").out)) == 1


def test_an_entry_is_shown_with_the_bytes_that_came(run: Run, parked: Backend):
    page = run("inbox", "show", "1").out
    assert "reason        not JSON\n" in page
    assert "< user-agent  Go\n" in page
    assert page.endswith("\n  \\x1b{oops\n")
    assert json.loads(run("inbox", "show", "1", "--json").out)["headers"] == {"user-agent": "Go"}


def test_what_is_still_not_understood_stays(run: Run, parked: Backend):
    ran = run("inbox", "replay", "1")
    assert ran.code == 1
    assert ran.out.startswith("Still not understood: ")
    assert list(parked.inbox.entries) == [1]


async def test_what_is_understood_by_now_is_started(run: Run, parked: Backend):
    body = {
        "events": [
            {
                "id": "e1",
                "timestamp": "2026-07-30T12:00:00Z",
                "action": "push",
                "target": {
                    "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "digest": "sha256:" + "ab" * 32,
                    "repository": "app",
                    "tag": "v1",
                },
            }
        ]
    }
    entry = await parked.inbox.park("reg", "once unclear", json.dumps(body).encode(), {}, None)
    ran = run("inbox", "replay", str(entry))
    assert (ran.code, ran.out) == (0, "started e1\n")
    assert list(parked.inbox.entries) == [1]
    again = await parked.inbox.park("reg", "once unclear", json.dumps(body).encode(), {}, None)
    assert run("inbox", "replay", str(again)).out == "started e1 (known already)\n"


def test_a_replay_as_json_is_the_answer_of_the_api(run: Run, parked: Backend):
    parked.inbox.entries[1] = parked.inbox.entries[1].__class__(
        **{**vars(parked.inbox.entries[1]), "body": b'{"events": []}'}
    )
    assert json.loads(run("inbox", "replay", "1", "--json").out)["parked"] is None


def test_a_deleted_entry_is_gone(run: Run, parked: Backend):
    assert run("inbox", "delete", "1").out == "Deleted inbox entry 1.\n"
    assert not parked.inbox.entries
    assert run("inbox", "delete", "1").code == 4
