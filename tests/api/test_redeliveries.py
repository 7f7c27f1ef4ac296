import pytest

FILTERS = {
    "target": "ci",
    "policy": "p",
    "source": "dist",
    "since": "2026-07-30T12:00:00Z",
    "until": "2026-07-31T12:00:00Z",
    "failed_since": "2026-07-30T13:00:00Z",
    "outcome": "rejected",
    "http_status": 404,
    "repository": "prod/*",
    "event_type": "artifact.pushed",
    "event_id": "e1",
    "tag": "v1",
    "digest": "sha256:ab",
}
URL = "/api/v1/redeliveries"


async def test_what_failed_can_be_sent_again_by_every_filter_of_the_list(api, backend):
    answer = await api.post(URL, json={**FILTERS, "reason": "repaired"})
    assert answer.status_code == 202, answer.text
    started = answer.json()
    assert (started["filter"], started["reason"]) == (FILTERS, "repaired")
    assert answer.headers["Location"] == f"{URL}/{started['id']}"
    listed = await api.get(
        "/api/v1/deliveries", params={k: v for k, v in FILTERS.items() if k != "failed_since"}
    )
    assert listed.status_code == 200


async def test_a_dry_run_counts_and_starts_nothing(api, backend):
    backend.failed.runs = [object()] * 3
    answer = await api.post(URL, json={"target": "ci", "dry_run": True})
    assert (answer.status_code, answer.json()) == (200, {"count": 3, "exact": True})
    assert backend.redeliveries.found == {}


@pytest.mark.parametrize("body", [{}, {"dry_run": True}, {"reason": "all of them"}])
async def test_a_request_without_a_filter_is_refused(api, body):
    answer = await api.post(URL, json=body)
    assert answer.status_code == 422
    assert "one filter at least" in answer.json()["detail"]


@pytest.mark.parametrize("outcome", ["delivered", "retrying", "held", "matched"])
async def test_what_did_not_fail_is_not_sent_again(api, outcome):
    answer = await api.post(URL, json={"outcome": outcome})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "outcome"


async def test_the_same_request_again_gives_the_one_under_way(api):
    one, same, other = [
        (await api.post(URL, json={"target": name})).json() for name in ("ci", "ci", "other")
    ]
    assert one == same
    assert one["id"] != other["id"]


async def test_a_redelivery_is_followed_to_its_end(api):
    started = (await api.post(URL, json={"target": "ci"})).json()
    assert (started["state"], started["total"], started["left"]) == ("running", None, None)
    place = f"{URL}/{started['id']}"
    await api.get(place)
    shown = (await api.get(place)).json()
    counts = [shown[name] for name in ("redelivered", "skipped", "failed", "left", "total")]
    assert (shown["state"], counts) == ("done", [3, 0, 0, 0, 3])
    assert shown["ended_at"]


async def test_a_redelivery_can_be_cancelled_until_it_has_ended(api):
    started = (await api.post(URL, json={"target": "ci"})).json()
    place = f"{URL}/{started['id']}"
    assert (await api.post(f"{place}/cancel")).status_code == 202
    assert (await api.post(f"{place}/cancel")).status_code == 409


async def test_a_redelivery_that_there_is_not_is_not_found(api):
    nowhere = f"{URL}/{'0' * 32}"
    assert (await api.get(nowhere)).status_code == 404
    assert (await api.post(f"{nowhere}/cancel")).status_code == 404
    assert (await api.get(f"{URL}/nonsense")).status_code == 422


async def test_while_temporal_is_away_nothing_is_started(api, backend):
    backend.redeliveries.available = backend.failed.available = False
    assert (await api.post(URL, json={"target": "ci"})).status_code == 503
    assert (await api.post(URL, json={"target": "ci", "dry_run": True})).status_code == 503


async def test_a_time_that_cannot_be_read_is_answered_with_how_to_write_one(api):
    for since in ("yesterday", "", [1]):
        answer = await api.post(URL, json={"target": "ci", "since": since})
        assert answer.json()["errors"] == [
            {"field": "since", "message": "write a time like 2026-07-30T12:00:00Z"}
        ]
    answer = await api.get("/api/v1/deliveries", params={"since": "yesterday"})
    assert answer.json()["detail"] == "since: write a time like 2026-07-30T12:00:00Z"
