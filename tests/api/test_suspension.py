import pytest
from structlog.testing import capture_logs

HOLDING = {"enabled": False, "while_disabled": "hold"}
SKIPPING = {"enabled": False, "while_disabled": "skip"}
SPECS = {
    "target": ("targets/one", {"name": "one", "url": "https://ci.example"}),
    "policy": ("policies/one", {"name": "one", "targets": ["ci"]}),
}


@pytest.fixture(params=SPECS)
async def noun(request, api):
    target = {"name": "ci", "url": "https://ci.example"}
    assert (await api.put("/api/v1/targets/ci", json=target)).status_code == 201
    return request.param


async def put(api, noun, changed):
    path, spec = SPECS[noun]
    answer = await api.put(f"/api/v1/{path}", json=spec | changed)
    assert answer.is_success, answer.text
    return answer


@pytest.mark.parametrize("after", [{}, SKIPPING], ids=["enabled", "skipping"])
async def test_what_was_held_goes_on_or_is_blocked_once_it_is_held_no_longer(
    api, backend, noun, after
):
    await put(api, noun, HOLDING)
    assert backend.engine.released == []
    await put(api, noun, after)
    assert backend.engine.released == [(noun, "one")]


async def test_what_a_deleted_policy_or_target_held_is_told(api, backend, noun):
    await put(api, noun, HOLDING)
    assert (await api.delete(f"/api/v1/{SPECS[noun][0]}")).status_code == 204
    assert backend.engine.released == [(noun, "one")]


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, HOLDING), (SKIPPING, {}), (HOLDING, HOLDING | {"description": "still"}), ({}, {})],
)
async def test_any_other_change_releases_nothing(api, backend, noun, before, after):
    await put(api, noun, before)
    await put(api, noun, after)
    assert backend.engine.released == []


async def test_what_is_queued_for_a_target_that_changes_or_goes_is_looked_at(api, backend):
    path, spec = SPECS["target"]
    for changed in ({}, {}, {"max_concurrent": 3}, SKIPPING):
        assert (await api.put(f"/api/v1/{path}", json=spec | changed)).is_success
    assert backend.engine.looked_again == ["one", "one"]
    assert (await api.delete(f"/api/v1/{path}")).status_code == 204
    assert backend.engine.looked_again == ["one", "one", "one"]


async def test_a_dry_run_releases_nothing(api, backend, noun):
    await put(api, noun, HOLDING)
    path, spec = SPECS[noun]
    await api.put(f"/api/v1/{path}?dry_run=true", json=spec)
    assert backend.engine.released == []


async def test_while_temporal_is_away_the_change_holds_and_the_log_says_what_waits(
    api, backend, noun
):
    await put(api, noun, HOLDING)
    backend.engine.available = False
    with capture_logs() as logs:
        answer = await put(api, noun, {})
    assert answer.json()["enabled"] is True
    [line] = [line for line in logs if line["log_level"] == "warning"]
    assert line[noun] == "one"
    assert line["why"] == "Temporal does not answer."


async def test_held_deliveries_can_be_listed(api, backend):
    assert (await api.get("/api/v1/deliveries?outcome=held")).status_code == 200
    assert backend.deliveries.asked[-1].outcome == "held"
