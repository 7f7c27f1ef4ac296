import json
from datetime import UTC, datetime, timedelta

import pytest

from portcall.attempts import Outcome
from portcall.health import TargetHealth
from portcall.log import DeliveryDetail
from portcall.policies import Target
from portcall.ports import Figures
from tests.cli.conftest import Backend, Run
from tests.cli.logs import attempt, delivery

NOW = datetime(2026, 7, 30, 12, 0, 0, 500, tzinfo=UTC)
FAILING = TargetHealth(
    failing_since=NOW, failures=4, last_error="HTTP 503\x1b[2J", last_failure_at=NOW
)
DISABLED = FAILING.model_copy(update={"disabled_at": NOW, "disabled_reason": "it answered 410"})


@pytest.fixture
async def filled(backend: Backend) -> Backend:
    for name in ("ci", "chat"):
        await backend.store.targets.create(Target(name=name, url="https://ci.example/hook"))
    return backend


def test_all_targets_are_listed_with_where_they_stand(run: Run, filled: Backend):
    filled.states.known["ci"] = DISABLED
    heading, one, other = run("targets", "health").out.splitlines()
    assert heading.split() == ["NAME", "STATE", "SINCE", "FAILURES", "REASON"]
    assert one.split() == ["chat", "healthy", "0"]
    assert other.split() == [
        "ci", "disabled", "2026-07-30T12:00:00Z", "4", "it", "answered", "410",
    ]  # fmt: skip
    assert len(json.loads(run("targets", "health", "--json").out)) == 2


def test_one_is_shown_with_its_figures_and_what_waits_for_it(run: Run, filled: Backend):
    filled.states.known["ci"] = FAILING
    filled.states.seen = Figures(attempts=8, delivered=6, p50=10.4, p90=20.5, p99=90.0)
    filled.deliveries.found = [delivery(outcome=Outcome.QUEUED, target="ci")]
    assert run("targets", "health", "ci").out.splitlines() == [
        "failing: HTTP 503\\x1b[2J",
        "Since              2026-07-30T12:00:00Z",
        "Failures in a row  4",
        "Last failed        2026-07-30T12:00:00Z",
        "Last error         HTTP 503\\x1b[2J",
        *(
            f"Last {while_}          8 attempts, 75.0% delivered; "
            "answered in 10 / 20 / 90 ms (p50 / p90 / p99)"
            for while_ in ("hour", "day ")
        ),
        "Waiting            1 queued",
    ]
    assert json.loads(run("targets", "health", "ci", "--json").out)["failures"] == 4


def test_a_target_without_attempts_says_so(run: Run, filled: Backend):
    filled.deliveries.available = False
    assert run("targets", "health", "ci").out.splitlines() == [
        "healthy",
        "Last hour          no attempts",
        "Last day           no attempts",
        "Waiting            not known while Temporal is away",
    ]
    filled.deliveries.available = True
    filled.states.known["ci"] = DISABLED
    filled.states.seen = Figures(attempts=1)
    shown = run("targets", "health", "ci").out
    assert shown.startswith("disabled by Portcall: it answered 410\n")
    assert "1 attempt, 0.0% delivered\n" in shown
    assert shown.endswith("What you can do\n  portcall targets enable ci\n")
    assert "Waiting            nothing\n" in shown


def test_a_list_of_targets_says_which_are_not_well(run: Run, filled: Backend):
    assert "STATE" not in run("targets", "list").out
    filled.states.known["ci"] = DISABLED
    heading, one, other = run("targets", "list").out.splitlines()
    assert heading.split()[-1] == "STATE"
    assert one.split()[-1] == "yes"
    assert other.split()[-2:] == ["yes", "disabled"]


async def test_enabling_lifts_what_portcall_disabled_and_says_how_to_send_again(
    run: Run, filled: Backend
):
    filled.states.known["ci"] = DISABLED
    filled.failed.runs = [object()] * 2  # type: ignore[list-item]
    assert run("targets", "enable", "ci").out.splitlines() == [
        "target ci is enabled now.",
        "To send again 2 deliveries that failed since 2026-07-30T12:00:00.000500Z:",
        "  portcall deliveries redeliver --target ci --failed-since 2026-07-30T12:00:00.000500Z",
    ]
    assert run("targets", "enable", "ci").out == "target ci is enabled already.\n"
    filled.states.known["ci"] = FAILING
    assert run("targets", "enable", "ci").out.startswith("target ci begins anew.\n")
    assert json.loads(run("targets", "enable", "ci", "--json").out)["health"]["name"] == "ci"


async def test_enabling_switches_on_what_a_user_disabled(run: Run, filled: Backend):
    assert run("targets", "disable", "ci").code == 0
    assert run("targets", "enable", "ci").code == 0
    assert (await filled.store.targets.get("ci")).spec.enabled


class Answers:
    """Lets the delivery of a test event stand so in the log, look by look."""

    def __init__(self, backend: Backend, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        backend.deliveries.delivery = self.delivery  # type: ignore[method-assign]

    async def delivery(self, identity: str) -> DeliveryDetail:
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        status = 200 if outcome is Outcome.DELIVERED else 503
        return delivery(identity, outcome=outcome, attempt_records=(attempt(1, status),))


def test_a_ping_shows_the_exchange(run: Run, filled: Backend):
    Answers(filled, Outcome.DELIVERED)
    ran = run("targets", "ping", "ci", "--format", "slack")
    assert ran.code == 0
    [(event, target, format_, wait)] = filled.pings.sent
    lines = ran.out.splitlines()
    assert lines[0] == f"delivery:portcall:{event.id}:ping:ci"
    assert lines[1].startswith("delivered: HTTP 200")
    assert "> POST https://ci.example/hook" in lines
    assert "< HTTP 200" in lines
    assert (target, format_, wait) == ("ci", "slack", timedelta(seconds=20))


def test_a_ping_that_takes_long_is_awaited_and_one_that_fails_exits_with_1(
    run: Run, filled: Backend
):
    filled.pings.ends_in_time = False
    Answers(filled, Outcome.DELIVERING, Outcome.EXHAUSTED)
    ran = run("targets", "ping", "ci", "--json")
    assert (ran.code, json.loads(ran.out)["outcome"]) == (1, "exhausted")
    assert run("targets", "ping", "none").code == 4
