import pytest

from portcall.policies import Policy, Target

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
