import httpx

from portcall.auth import QueryAuth
from portcall.policies import Source
from tests.api.conftest import Backend

BODY = {"repository": "shop/web", "docker_url": "quay.example.test/shop/web", "message": "done"}


async def test_the_end_of_the_url_says_what_happened_and_its_query_who_says_so(
    backend: Backend, api: httpx.AsyncClient
) -> None:
    auth = QueryAuth.model_validate({"value": "s3cret"})
    await backend.store.sources.create(Source(name="quay", kind="quay", auth=auth))
    url = "/notifications/quay/repo_mirror_sync_failed"
    assert (await api.post(url, json=BODY)).status_code == 401
    answer = await api.post(url, params={"key": "s3cret"}, json=BODY)
    assert answer.status_code == 202
    (event,) = [e for e in backend.engine.events.values() if e.source == "quay"]
    assert (event.type, event.repository) == ("replication.changed", "shop/web")
    assert event.replication is not None
    assert event.replication.status == "failed"
