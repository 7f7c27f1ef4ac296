import pytest

from portcall.policies import Policy, Source, Target
from tests.cli.logs import event as logged

DEPLOY = {
    "event_types": ["artifact.pushed"],
    "sources": ["harbor-eu"],
    "repository": {"glob": "prod/**"},
    "tag": {"regex": "v\\d+"},
}


@pytest.fixture
async def rules(backend):
    store = backend.store
    await store.targets.put(Target(name="ci", url="https://ci.example"))
    await store.targets.put(Target(name="off", url="https://off.example", enabled=False))
    await store.policies.put(Policy(name="deploy", targets=["ci", "off"], match=DEPLOY))
    await store.policies.put(Policy(name="sleeping", targets=["ci"], enabled=False))


async def ask(api, **event):
    answer = await api.post("/api/v1/policies/match", json={"event": event})
    assert answer.status_code == 200, answer.text
    return answer.json()


SLEEPING = {
    "policy": "sleeping",
    "condition": "enabled",
    "wanted": "true",
    "seen": "false: skipped while disabled",
}


@pytest.mark.parametrize(
    "event",
    [
        {"type": "artifact.pushed", "tags": ["v1", "latest"]},
        {"event_type": "artifact.pushed", "tag": "v1"},
    ],
)
async def test_a_described_event_is_told_what_it_would_start_and_why_not_more(api, rules, event):
    answer = await ask(api, source="harbor-eu", repository="prod/app", **event)
    [match] = answer["matches"]
    assert match.items() >= {"policy": "deploy", "target": "ci", "format": "default"}.items()
    assert answer["misses"] == [
        {"policy": "deploy", "condition": "target", "wanted": "off enabled", "seen": "disabled"},
        SLEEPING,
    ]


async def test_a_policy_that_misses_says_which_condition_failed(api, rules):
    answer = await ask(
        api, type="artifact.pushed", source="harbor-eu", repository="test/app", tag="v1"
    )
    assert answer["matches"] == []
    assert answer["misses"][1] == {
        "policy": "deploy",
        "condition": "repository",
        "wanted": "glob: prod/**",
        "seen": "test/app",
    }


async def test_an_event_as_the_log_shows_it_can_be_asked_about(api, rules, backend):
    shown = {
        "id": "1",
        "source": "harbor-eu",
        "kind": "harbor",
        "type": "artifact.pushed",
        "occurred_at": "2026-01-01T00:00:00Z",
        "received_at": "2026-01-01T00:00:00Z",
        "repository": "prod/app",
        "tags": ["v1"],
        "digest": "sha256:ab",
        "raw": {"body": "{}"},
    }
    assert len((await ask(api, **shown))["matches"]) == 1


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({}, "event.type"),
        ({"type": "x", "repositry": "a"}, "event.repositry"),
        ({"type": "x", "tags": [1]}, "event.tags.0"),
        ({"type": "x", "digest": 5}, "event.digest"),
    ],
)
async def test_an_event_that_is_described_wrongly_is_told_which_field(api, event, field):
    answer = await api.post("/api/v1/policies/match", json={"event": event})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_asking_starts_nothing(api, rules, backend):
    await ask(api, type="artifact.pushed", source="harbor-eu", repository="prod/app", tag="v1")
    assert backend.engine.events == {}


async def test_an_event_of_the_log_can_be_asked_about(api, rules, backend):
    facts = {"repository": "prod/app", "tags": ("edge",)}
    backend.events.found.append(logged(event=logged().event.model_copy(update=facts)))
    answer = await api.post("/api/v1/policies/match", json={"event_id": "9f3c1d"})
    assert {miss["policy"]: miss["condition"] for miss in answer.json()["misses"]} == {
        "deploy": "tag",
        "sleeping": "enabled",
    }


async def test_an_event_that_the_log_does_not_know_is_not_found(api, rules):
    answer = await api.post("/api/v1/policies/match", json={"event_id": "nothing"})
    assert answer.status_code == 404


@pytest.mark.parametrize("question", [{}, {"event_id": "1", "event": {"type": "x"}}])
async def test_one_event_is_asked_about(api, question):
    answer = await api.post("/api/v1/policies/match", json=question)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "", "message": "give either event or event_id"}]


async def test_a_target_that_holds_what_arrives_is_matched_like_any_other(api, rules, backend):
    holding = Target(name="off", url="https://off.example", enabled=False, while_disabled="hold")
    await backend.store.targets.put(holding)
    answer = await ask(
        api, type="artifact.pushed", source="harbor-eu", repository="prod/app", tag="v1"
    )
    assert [match["target"] for match in answer["matches"]] == ["ci", "off"]


DOUBTFUL = {
    "name": "p",
    "targets": ["ci"],
    "match": {"event_types": ["artifact.push"], "sources": ["harbour"]},
}
WARNINGS = [
    "match.event_types.0: no event is called artifact.push, did you mean artifact.pushed?",
    "match.sources.0: there is no source harbour, did you mean harbor?",
]


async def test_what_a_policy_can_hardly_mean_is_told_whenever_it_is_shown(api, rules, backend):
    await backend.store.sources.put(Source(name="harbor", kind="harbor", auth={"type": "none"}))
    dry = await api.post("/api/v1/policies?dry_run=true", json=DOUBTFUL)
    dry_put = await api.put("/api/v1/policies/p?dry_run=true", json=DOUBTFUL)
    made = await api.post("/api/v1/policies", json=DOUBTFUL)
    put = await api.put("/api/v1/policies/p", json=DOUBTFUL)
    got = await api.get("/api/v1/policies/p")
    listed = (await api.get("/api/v1/policies")).json()["items"]
    assert dry.json()["warnings"] == dry_put.json()["warnings"] == WARNINGS
    assert made.json()["warnings"] == put.json()["warnings"] == got.json()["warnings"] == WARNINGS
    assert [item["warnings"] for item in listed if item["name"] == "p"] == [WARNINGS]
