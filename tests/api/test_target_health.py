import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from portcall.attempts import Outcome
from portcall.health import TargetHealth
from portcall.policies import Target
from portcall.ports import Figures
from tests.cli.logs import delivery

NOW = datetime(2026, 7, 30, 12, 0, tzinfo=UTC)
HOUR_AGO = NOW - timedelta(hours=1)
FAILING = TargetHealth(failing_since=HOUR_AGO, failures=4, last_error="HTTP 503")
PAUSED = FAILING.model_copy(
    update={"paused_until": NOW, "pause_reason": "10 failures in a row", "pauses": 1}
)
DISABLED = FAILING.model_copy(update={"disabled_at": NOW, "disabled_reason": "it answered 410"})


@pytest.fixture(autouse=True)
async def target(backend):
    await backend.store.targets.create(Target(name="ci", url="https://ci.example"))


async def health(api, name="ci"):
    answer = await api.get(f"/api/v1/targets/{name}/health")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_target_that_nothing_was_sent_to_is_healthy(api):
    assert await health(api) == {
        "name": "ci",
        "state": "healthy",
        "since": None,
        "reason": None,
        "disabled_by": None,
        "failures": 0,
        "last_success_at": None,
        "last_failure_at": None,
        "last_error": None,
        "paused_until": None,
        "last_hour": {
            "attempts": 0, "delivered": 0, "success_share": None,
            "p50_ms": None, "p90_ms": None, "p99_ms": None,
        },
        "last_day": {
            "attempts": 0, "delivered": 0, "success_share": None,
            "p50_ms": None, "p90_ms": None, "p99_ms": None,
        },
        "backlog": {"delivering": 0, "retrying": 0, "queued": 0, "waiting": 0, "held": 0},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("known", "state", "since", "reason", "by"),
    [
        (TargetHealth(last_error="HTTP 503"), "healthy", None, None, None),
        (FAILING, "failing", HOUR_AGO, "HTTP 503", None),
        (PAUSED, "paused", HOUR_AGO, "10 failures in a row", None),
        (DISABLED, "disabled", NOW, "it answered 410", "portcall"),
    ],
)
async def test_it_says_where_a_target_stands_since_when_and_why(
    api, backend, known, state, since, reason, by
):
    backend.states.known["ci"] = known
    shown = await health(api)
    assert (shown["state"], shown["reason"], shown["disabled_by"]) == (state, reason, by)
    assert (shown["since"] and datetime.fromisoformat(shown["since"])) == since
    assert (shown["failures"], shown["last_error"]) == (known.failures, "HTTP 503")
    [listed] = (await api.get("/api/v1/target-health")).json()["items"]
    assert {name: shown[name] for name in ("state", "since", "disabled_by")}.items() <= (
        listed.items()
    )


@pytest.mark.parametrize("fate", ["skip", "hold"])
async def test_what_a_user_disabled_says_so_whatever_was_seen_of_it(api, backend, fate):
    spec = Target(name="ci", url="https://ci.example", enabled=False, while_disabled=fate)
    await backend.store.targets.put(spec)
    backend.states.known["ci"] = DISABLED
    shown = await health(api)
    assert (shown["state"], shown["disabled_by"], shown["since"]) == ("disabled", "user", None)
    assert shown["reason"] == f"it is disabled and {fate}s what arrives"


async def test_it_shows_the_share_that_was_delivered_and_the_latencies(api, backend):
    backend.states.seen = Figures(attempts=8, delivered=6, p50=10.0, p90=20.5, p99=90.0)
    shown = await health(api)
    assert shown["last_hour"] == shown["last_day"]
    assert shown["last_hour"]["success_share"] == 0.75
    assert [shown["last_day"][f"p{p}_ms"] for p in (50, 90, 99)] == [10.0, 20.5, 90.0]


async def test_the_backlog_counts_what_is_not_over_by_where_it_stands(api, backend):
    words = ["queued", "queued", "held", "retrying", "waiting", "delivered"]
    states = [Outcome(word) for word in words]
    backend.deliveries.found = [
        delivery(f"delivery:s:{number}:p:ci", outcome=outcome)
        for number, outcome in enumerate(states)
    ]
    shown = await health(api)
    assert shown["backlog"] == {
        "delivering": 0, "retrying": 1, "queued": 2, "waiting": 1, "held": 1,
    }  # fmt: skip


async def test_while_temporal_is_away_all_but_the_backlog_is_answered(api, backend):
    backend.deliveries.available = False
    assert (await health(api))["backlog"] is None


async def test_of_a_target_that_there_is_not_there_is_no_health(api):
    assert (await api.get("/api/v1/targets/none/health")).status_code == 404


async def test_while_the_database_is_away_it_says_so(api, backend):
    backend.states.available = False
    for path in ("targets/ci/health", "target-health"):
        assert (await api.get(f"/api/v1/{path}")).status_code == 503


async def test_all_targets_are_listed_page_by_page(api, backend):
    for name in ("a", "b"):
        await backend.store.targets.create(Target(name=name, url="https://ci.example"))
    backend.states.known["b"] = FAILING
    page = (await api.get("/api/v1/target-health", params={"limit": 2})).json()
    assert [(i["name"], i["state"]) for i in page["items"]] == [("a", "healthy"), ("b", "failing")]
    rest = await api.get("/api/v1/target-health", params={"cursor": page["next_cursor"]})
    assert [item["name"] for item in rest.json()["items"]] == ["ci"]
    assert rest.json()["next_cursor"] is None


async def enable(api, name="ci"):
    answer = await api.post(f"/api/v1/targets/{name}/enable")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_enabling_lifts_what_portcall_disabled_and_says_what_failed_meanwhile(api, backend):
    backend.states.known["ci"] = DISABLED
    backend.failed.runs = [object(), object()]
    answer = await enable(api)
    assert (answer["was"], answer["health"]["state"]) == ("disabled", "healthy")
    assert answer["failed"] == 2
    assert answer["redeliver"] == {"target": "ci", "failed_since": "2026-07-30T11:00:00Z"}
    assert backend.engine.drained == ["ci"]
    assert backend.engine.released == []
    again = await api.post("/api/v1/redeliveries", json=answer["redeliver"])
    assert again.status_code == 202, again.text


async def test_enabling_switches_on_what_a_user_disabled_and_releases_what_it_held(api, backend):
    spec = Target(name="ci", url="https://ci.example", enabled=False, while_disabled="hold")
    await backend.store.targets.put(spec)
    answer = await enable(api)
    assert (answer["was"], answer["health"]["state"]) == ("disabled", "healthy")
    assert (await backend.store.targets.get("ci")).spec.enabled
    assert backend.engine.released == [("target", "ci")]
    assert (answer["failed"], answer["redeliver"]) == (None, None)


async def test_enabling_what_a_user_and_portcall_disabled_says_what_failed(api, backend):
    spec = Target(name="ci", url="https://ci.example", enabled=False)
    await backend.store.targets.put(spec)
    backend.states.known["ci"] = DISABLED
    backend.failed.runs = [object()]
    put = backend.store.targets.put

    async def put_and_forget(*args, **options):
        """Put as the database does, which forgets what was held against the target."""
        backend.states.known.pop("ci", None)
        return await put(*args, **options)

    backend.store.targets.put = put_and_forget
    answer = await enable(api)
    assert (answer["was"], answer["failed"]) == ("disabled", 1)


async def test_enabling_a_healthy_target_changes_nothing(api, backend):
    before = await backend.store.targets.get("ci")
    answer = await enable(api)
    assert (answer["was"], answer["failed"]) == ("healthy", None)
    assert await backend.store.targets.get("ci") == before


async def test_where_nothing_failed_there_is_nothing_to_redeliver(api, backend):
    backend.states.known["ci"] = FAILING
    answer = await enable(api)
    assert (answer["failed"], answer["redeliver"]) == (0, None)


async def test_enabling_works_while_temporal_is_away(api, backend):
    backend.states.known["ci"] = DISABLED
    backend.engine.available = backend.failed.available = backend.deliveries.available = False
    answer = await enable(api)
    assert answer["health"]["state"] == "healthy"
    assert answer["failed"] is None
    assert answer["redeliver"]["target"] == "ci"


async def test_enabling_what_there_is_not_is_refused(api):
    assert (await api.post("/api/v1/targets/none/enable")).status_code == 404


async def ping(api, **question):
    return await api.post("/api/v1/targets/ci/ping", json=question or None)


def ended(backend, **changed):
    """Let the next test event's delivery stand in the log like this."""

    async def find(identity):
        return delivery(identity, **changed)

    backend.deliveries.delivery = find


async def test_a_ping_sends_a_test_event_and_shows_the_exchange(api, backend):
    ended(backend, outcome=Outcome.DELIVERED)
    answer = await ping(api)
    assert answer.status_code == 200
    shown = answer.json()
    [(event, target, format_, wait)] = backend.pings.sent
    assert shown["id"] == f"delivery:portcall:{event.id}:ping:ci"
    assert (shown["delivered"], shown["record"]["number"]) == (True, 3)
    assert shown["temporal_url"]
    assert (event.source, event.type, target, format_) == (
        "portcall", "target.pinged", "ci", "default",
    )  # fmt: skip
    assert event.repository is None
    assert wait == timedelta(seconds=20)


async def test_a_ping_that_was_not_delivered_says_so_with_its_record(api, backend):
    ended(backend, outcome=Outcome.BLOCKED, attempt_records=())
    shown = (await ping(api, format="slack", wait="1s")).json()
    assert (shown["delivered"], shown["outcome"], shown["record"]) == (False, "blocked", None)
    [(_, _, format_, wait)] = backend.pings.sent
    assert (format_, wait) == ("slack", timedelta(seconds=1))


async def test_two_pings_are_two_events(api, backend):
    ended(backend)
    await asyncio.gather(ping(api), ping(api))
    assert len({event.id for event, *_ in backend.pings.sent}) == 2


async def test_a_ping_that_does_not_end_in_time_is_left_under_way(api, backend):
    backend.pings.ends_in_time = False
    answer = await ping(api)
    assert answer.status_code == 202
    assert (answer.json()["outcome"], answer.json()["record"]) == ("delivering", None)


async def test_a_target_that_portcall_disabled_can_be_pinged_one_that_a_user_did_cannot(
    api, backend
):
    ended(backend)
    backend.states.known["ci"] = DISABLED
    assert (await ping(api)).status_code == 200
    await backend.store.targets.put(Target(name="ci", url="https://ci.example", enabled=False))
    answer = await ping(api)
    assert answer.status_code == 409
    assert answer.json()["detail"] == "The target ci is disabled: enable it first."


@pytest.mark.parametrize("format_", ["raw", "template", "nonsense"])
async def test_a_format_that_makes_no_test_event_is_refused(api, backend, format_):
    answer = await ping(api, format=format_)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "format"
    assert backend.pings.sent == []


async def test_a_ping_needs_a_target_and_temporal(api, backend):
    assert (await api.post("/api/v1/targets/none/ping")).status_code == 404
    backend.pings.available = False
    assert (await ping(api)).status_code == 503
