import httpx
import pytest

from tests.api.conftest import Backend

AUTH = {"type": "bearer", "token": "planted-source-token"}
MAPPING = {"events": "all", "type": "what", "repository": "image", "tags": "tag"}


@pytest.mark.parametrize(
    ("kind", "mapping", "field", "message"),
    [
        ("custom", None, "mapping", "is missing: custom knows nothing else"),
        ("custom", {"tags": "tag"}, "mapping.type", "is missing: it says what happened"),
        ("harbor", MAPPING, "mapping", "harbor takes no mapping"),
        ("cloudevents", MAPPING, "mapping.events", "cloudevents finds the events itself"),
    ],
)
async def test_a_mapping_must_fit_its_kind(
    api: httpx.AsyncClient, kind: str, mapping: object, field: str, message: str
) -> None:
    spec = {"name": "depot", "kind": kind, "auth": AUTH, "mapping": mapping}
    answer = await api.post("/api/v1/sources", json=spec)
    assert answer.status_code == 422
    assert {"field": field, "message": message} in answer.json()["errors"]


@pytest.mark.parametrize(
    ("kind", "mapping"),
    [("custom", MAPPING), ("cloudevents", None), ("cloudevents", {"tags": "data.v"})],
)
async def test_a_mapping_that_fits_is_kept(
    api: httpx.AsyncClient, kind: str, mapping: object
) -> None:
    spec = {"name": "depot", "kind": kind, "auth": AUTH, "mapping": mapping}
    assert (await api.post("/api/v1/sources", json=spec)).status_code == 201


async def test_a_notification_is_read_by_its_sources_mapping_and_what_is_wrong_can_be_replayed(
    backend: Backend, api: httpx.AsyncClient
) -> None:
    spec = {"kind": "custom", "auth": AUTH, "mapping": MAPPING}
    await api.put("/api/v1/sources/depot", json=spec)
    body = {
        "all": [
            {"what": "artifact.pushed", "image": "prod/app", "tag": "v1"},
            {"what": "artifact.pushed", "image": "prod/app", "tag": 2},
        ]
    }
    sent = {"Authorization": "Bearer planted-source-token"}
    answer = (await api.post("/notifications/depot", json=body, headers=sent)).json()
    assert len(answer["events"]) == 1
    assert "mapping.tags must be text. The expression is 'tag'." in answer["parked"]["reason"]
    repaired = MAPPING | {"tags": "to_string(tag)"}
    await api.put("/api/v1/sources/depot", json=spec | {"mapping": repaired})
    async with backend.client() as later:  # which has not read the source yet
        again = await later.post(f"/api/v1/inbox/{answer['parked']['id']}/replay")
    assert again.status_code == 200, again.text
    tags = [e.tags for e in backend.engine.events.values() if e.source == "depot"]
    assert tags == [("v1",), ("2",)]
