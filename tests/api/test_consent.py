"""Senders that ask before they send: Event Grid in a body, CloudEvents by OPTIONS."""

import httpx
import pytest

from portcall.auth import BearerAuth, QueryAuth
from portcall.policies import Source
from tests.api.conftest import Backend

QUESTION = [
    {
        "id": "1",
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {"validationCode": "512d38b6"},
    }
]
ORIGIN = {"WebHook-Request-Origin": "eventemitter.example", "WebHook-Request-Rate": "120"}


@pytest.fixture(autouse=True)
async def sources(backend: Backend) -> None:
    store = backend.store.sources
    key = QueryAuth.model_validate({"value": "s3cret"})
    token = BearerAuth.model_validate({"token": "planted-source-token"})
    await store.create(Source(name="grid", kind="acr", auth=key))
    await store.create(Source(name="events", kind="cloudevents", auth=token))
    await store.create(Source(name="off", kind="cloudevents", auth=token, enabled=False))


async def test_event_grid_reads_its_code_in_the_answer(
    backend: Backend, api: httpx.AsyncClient
) -> None:
    answer = await api.post("/notifications/grid?key=s3cret", json=QUESTION)
    assert (answer.status_code, answer.json()) == (200, {"validationResponse": "512d38b6"})
    assert backend.engine.events == {}
    refused = await api.post("/notifications/grid", json=QUESTION)
    assert refused.status_code == 401


@pytest.mark.parametrize("path", ["/notifications/events", "/notifications/events/hint"])
async def test_a_sender_of_cloudevents_that_asks_is_given_consent(
    api: httpx.AsyncClient, path: str
) -> None:
    answer = await api.options(path, headers=ORIGIN)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["WebHook-Allowed-Origin"] == "*"
    assert answer.headers["WebHook-Allowed-Rate"] == "*"
    assert answer.headers["Allow"] == "POST"


async def test_without_the_question_there_is_no_consent(api: httpx.AsyncClient) -> None:
    answer = await api.options("/notifications/events")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"
    assert "WebHook-Allowed-Origin" not in answer.headers


@pytest.mark.parametrize("name", ["off", "nobody"])
async def test_there_is_no_consent_for_a_source_that_takes_nothing(
    api: httpx.AsyncClient, name: str
) -> None:
    answer = await api.options(f"/notifications/{name}", headers=ORIGIN)
    assert answer.status_code == 404
