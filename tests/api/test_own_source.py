"""The source `portcall`, which is Portcall's own."""

import httpx
import pytest

from tests.api.conftest import Backend

SPEC = {"kind": "harbor", "auth": {"type": "none"}}
OWN = {"type": "target.disabled", "source": "portcall", "kind": "portcall"}


@pytest.mark.parametrize("dry_run", ["true", "false"])
async def test_no_source_can_take_the_name(
    backend: Backend, api: httpx.AsyncClient, dry_run: str
) -> None:
    params = {"dry_run": dry_run}
    named = {"name": "portcall", **SPEC}
    for answer in (
        await api.post("/api/v1/sources", json=named, params=params),
        await api.put("/api/v1/sources/portcall", json=named, params=params),
        await api.put("/api/v1/sources/portcall", json=SPEC, params=params),
    ):
        assert answer.status_code == 422
        [error] = answer.json()["errors"]
        assert error["field"] == "name"
        assert "portcall is the source of Portcall's own events" in error["message"]
    assert backend.store.sources.rows == {}


async def test_a_policy_that_names_it_is_not_warned(api: httpx.AsyncClient) -> None:
    target = {"url": "https://chat.example/hook", "hub_secret": "planted"}
    await api.put("/api/v1/targets/chat", json=target)
    policy = {"match": {"sources": ["portcall"]}, "targets": ["chat"], "format": "slack"}
    answer = await api.put("/api/v1/policies/alerts", json=policy)
    assert answer.json().get("warnings", []) == []
    without = {**policy, "match": {"event_types": ["target.*"]}}
    answer = await api.put("/api/v1/policies/mistaken", json=without)
    assert "sources: [portcall]" in answer.json()["warnings"][0]
    asked = await api.post("/api/v1/policies/match", json={"event": OWN})
    assert [match["policy"] for match in asked.json()["matches"]] == ["alerts"]
    assert asked.json()["ruled_out"] == {"sources": 1}
    shown = await api.post("/api/v1/policies/mistaken/preview", json={"event": OWN})
    assert shown.json()["misses"] == [
        {
            "policy": "mistaken",
            "condition": "sources",
            "wanted": "portcall, by name",
            "seen": "portcall",
        }
    ]
