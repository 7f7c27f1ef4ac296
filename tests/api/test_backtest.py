from datetime import UTC, datetime, timedelta

import pytest

from portcall.policies import Policy, Target
from tests.cli.logs import event

NOW = datetime.now(UTC)
PROD = {
    "event_types": ["artifact.pushed"],
    "repository": {"glob": "prod/**"},
    "tag": {"regex": "v\\d+"},
}


def happened(number, **fields):
    """Give an event of the log, the higher its number the older."""
    known = event(f"e{number}")
    fact = {
        "received_at": NOW - timedelta(hours=number),
        "repository": "prod/app",
        "tags": ("v1",),
        "raw": None,
        **fields,
    }
    return known.model_copy(update={"event": known.event.model_copy(update=fact)})


@pytest.fixture
async def log(backend):
    await backend.store.targets.put(Target(name="ci", url="https://ci.example", enabled=False))
    policy = Policy(name="deploy", targets=["ci"], match=PROD, enabled=False)
    await backend.store.policies.put(policy)
    backend.events.found = [
        happened(1),
        happened(2, tags=("edge",)),
        happened(3, repository="test/app"),
        happened(4, type="artifact.deleted"),
        happened(5, tags=("edge", "v2")),
        happened(24 * 8),
    ]
    return backend.events


async def ask(api, body=None, name="deploy"):
    answer = await api.post(f"/api/v1/policies/{name}/backtest", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_stored_policy_says_what_it_would_have_matched_in_a_week(api, log):
    answer = await ask(api)
    assert abs(datetime.fromisoformat(answer["since"]) - NOW + timedelta(days=7)) < timedelta(1)
    assert {key: answer[key] for key in ("examined", "matched", "candidates", "ruled_out")} == {
        "examined": 3,
        "matched": 2,
        "candidates": 3,
        "ruled_out": 2,
    }
    assert [sample["id"] for sample in answer["samples"]] == ["e1", "e5"]
    assert answer["samples"][1]["tags"] == ["edge", "v2"]
    assert answer["misses"] == {"tag": 1}
    assert answer["next_cursor"] is None


async def test_a_longer_time_finds_older_events(api, log):
    assert (await ask(api, {"days": 30}))["matched"] == 3
    since = (NOW - timedelta(hours=2.5)).isoformat()
    assert (await ask(api, {"since": since}))["examined"] == 2


async def test_a_policy_in_the_body_is_tried_without_being_stored(api, log, backend):
    tried = {"targets": ["nowhere"], "match": {"tag": {"in": ["edge"]}}}
    answer = await ask(api, {"policy": tried}, name="new")
    assert (answer["matched"], answer["misses"]) == (2, {"tag": 3})
    assert "new" not in backend.store.policies.rows


async def test_a_policy_in_the_body_is_tried_instead_of_the_stored_one(api, log):
    answer = await ask(api, {"policy": {"targets": ["ci"]}})
    assert (answer["matched"], answer["ruled_out"]) == (5, 0)


async def test_calls_that_stop_early_add_up_to_the_whole(api, log):
    parts = [await ask(api, {"limit": 2})]
    while parts[-1]["next_cursor"]:
        more = {"limit": 2, "cursor": parts[-1]["next_cursor"]}
        parts.append(await ask(api, more))
    assert [part["examined"] for part in parts] == [2, 1]
    assert sum(part["matched"] for part in parts) == 2
    assert [part["candidates"] for part in parts] == [3, None]


async def test_at_most_twenty_events_are_shown(api, log, backend):
    backend.events.found = [happened(number / 100) for number in range(250)]
    answer = await ask(api)
    assert (answer["matched"], len(answer["samples"])) == (250, 20)


async def test_a_policy_that_is_neither_stored_nor_given_is_not_found(api, log):
    answer = await api.post("/api/v1/policies/new/backtest", json={"days": 1})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"days": 0}, "days"),
        ({"since": "yesterday"}, "since"),
        ({"limit": 0}, "limit"),
        ({"policy": {"targets": ["ci"], "match": {"tag": {"regex": "("}}}}, "policy.match.tag"),
        ({"polcy": {}}, "polcy"),
        ({"policy": {"name": "other", "targets": ["ci"]}}, "policy.name"),
    ],
)
async def test_a_wrong_question_is_told_which_field(api, log, body, field):
    answer = await api.post("/api/v1/policies/deploy/backtest", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith(field)
