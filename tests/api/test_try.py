import json

import httpx
import pytest

from portcall.auth import BearerAuth
from portcall.policies import Source
from tests.api.conftest import Backend
from tests.fixtures.portcall import push

MAPPING = {"type": "what", "types": {"release": "artifact.pushed"}, "repository": "image"}
CUSTOM = {"kind": "custom", "mapping": MAPPING}
AUTH = BearerAuth.model_validate({"token": "planted-source-token"})


async def tried(api: httpx.AsyncClient, source, body, **more):
    answer = await api.post("/api/v1/sources/try", json={"source": source, "body": body, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def faults(api: httpx.AsyncClient, source, body=""):
    answer = await api.post("/api/v1/sources/try", json={"source": source, "body": body})
    assert answer.status_code == 422, answer.text
    return {fault["field"]: fault["message"] for fault in answer.json()["errors"]}


async def test_a_body_is_tried_by_a_described_mapping_and_nothing_is_kept(
    backend: Backend, api: httpx.AsyncClient
) -> None:
    answer = await tried(api, CUSTOM, {"what": "release", "image": "prod/app:v1"})
    (event,) = answer["events"]
    assert (event["type"], event["repository"], event["tags"]) == (
        "artifact.pushed",
        "prod/app",
        ["v1"],
    )
    assert event["raw"] is None
    assert (answer["ignored"], answer["refusals"], answer["reply"]) == ([], [], None)
    assert backend.engine.events == {}
    assert await backend.inbox.list() == []
    assert await backend.store.sources.list() == []


@pytest.mark.parametrize("source", ["dist", {"name": "dist"}])
@pytest.mark.parametrize("body", [push(), json.dumps(push())])
async def test_a_stored_source_is_tried_by_its_name_even_switched_off(
    backend: Backend, api: httpx.AsyncClient, source, body
) -> None:
    stored = Source(name="dist", kind="distribution", auth=AUTH, enabled=False)
    await backend.store.sources.put(stored)
    (event,) = (await tried(api, source, body))["events"]
    assert (event["source"], event["type"]) == ("dist", "artifact.pushed")


async def test_what_the_source_ignores_is_told_apart(api: httpx.AsyncClient) -> None:
    source = CUSTOM | {"ignore": {"event_types": ["artifact.*"]}}
    answer = await tried(api, source, {"what": "release", "image": "prod/app"})
    assert answer["events"] == []
    assert [event["type"] for event in answer["ignored"]] == ["artifact.pushed"]


async def test_a_refusal_names_field_and_expression(api: httpx.AsyncClient) -> None:
    answer = await tried(api, CUSTOM, {"what": "release", "image": 7})
    assert answer["refusals"] == [
        {
            "field": "mapping.repository",
            "reason": "wrong_type",
            "message": "mapping.repository must be text. The expression is 'image'.",
        }
    ]


async def test_one_event_of_several_is_refused_beside_the_others(api: httpx.AsyncClient) -> None:
    source = {"kind": "custom", "mapping": MAPPING | {"events": "all"}}
    body = {"all": [{"what": "release", "image": "a"}, {"what": "release"}]}
    answer = await tried(api, source, body)
    assert [event["repository"] for event in answer["events"]] == ["a"]
    assert [refusal["field"] for refusal in answer["refusals"]] == ["mapping.repository"]


async def test_headers_and_hint_count_as_a_sender_would_send_them(api: httpx.AsyncClient) -> None:
    headers = {
        "CE-SpecVersion": "1.0",
        "Ce-Id": "1",
        "Ce-Source": "zotregistry.dev",
        "Ce-Type": "zotregistry.repository.created",
    }
    answer = await tried(api, {"kind": "zot"}, {"name": "prod/app"}, headers=headers)
    assert [event["type"] for event in answer["events"]] == ["repository.created"]
    body = {"repository": "prod/app", "docker_url": "quay.example/prod/app"}
    answer = await tried(api, {"kind": "quay"}, body, hint="repo_push")
    assert [event["type"] for event in answer["events"]] == ["artifact.pushed"]


async def test_text_that_is_no_json_is_refused_as_the_sender_would_be(
    api: httpx.AsyncClient,
) -> None:
    answer = await tried(api, {"kind": "harbor"}, "{")
    assert [refusal["reason"] for refusal in answer["refusals"]] == ["not_json"]


async def test_a_question_for_consent_gets_its_answer(api: httpx.AsyncClient) -> None:
    body = [
        {
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "data": {"validationCode": "512d38b6"},
        }
    ]
    answer = await tried(api, {"kind": "acr"}, body)
    assert answer["reply"] == {"validationResponse": "512d38b6"}


async def test_an_unknown_name_is_not_found_and_an_unknown_kind_is_told_the_known_ones(
    api: httpx.AsyncClient,
) -> None:
    question = {"source": "nobody", "body": {}}
    assert (await api.post("/api/v1/sources/try", json=question)).status_code == 404
    assert "distribution" in (await faults(api, {"kind": "distibution"}))["source.kind"]


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ({"kind": "custom"}, "source.mapping"),
        ({"kind": "harbor", "mapping": MAPPING}, "source.mapping"),
        ({"kind": "custom", "mapping": {"repository": "a"}}, "source.mapping.type"),
        ({"kind": "custom", "mapping": {"type": "a["}}, "source.mapping.type"),
        ({"kind": "cloudevents", "mapping": {"events": "a"}}, "source.mapping.events"),
        ({"kind": "custom", "mapping": MAPPING, "ignored": {}}, "source.ignored"),
    ],
)
async def test_a_wrong_description_is_told_its_field(api: httpx.AsyncClient, source, field) -> None:
    assert field in await faults(api, source)


async def test_a_body_over_the_kinds_limit_is_refused(
    backend: Backend, api: httpx.AsyncClient
) -> None:
    services = backend.services()

    class Small(type(services.kinds["harbor"])):  # type: ignore[misc]
        kind = "small"
        body_limit = 10

    services.kinds = {"small": Small()}
    api._transport.app.state.services = services  # type: ignore[attr-defined]
    question = {"source": {"kind": "small"}, "body": "x" * 11}
    assert (await api.post("/api/v1/sources/try", json=question)).status_code == 413


async def test_only_the_admin_may_try(backend: Backend) -> None:
    async with backend.client() as anyone:
        anyone.headers["Authorization"] = "Bearer wrong"
        answer = await anyone.post("/api/v1/sources/try", json={"source": CUSTOM, "body": {}})
    assert answer.status_code == 401
