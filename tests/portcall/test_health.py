import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from portcall.attempts import (
    AttemptError,
    AttemptOutcome,
    AttemptRecord,
    ErrorType,
    ResponseRecord,
)
from portcall.durations import format_duration, parse_duration
from portcall.health import (
    TargetHealth,
    TargetState,
    after_attempt,
    after_unnoticed_success,
)
from portcall.policies import Target

BEGAN = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)
TABLE = Path(__file__).parents[2] / "docs" / "targets.md"
STEP = re.compile(
    r"(?:(?P<times>\d+) x )?(?:(?P<later>\w+) later )?(?P<probe>probe )?"
    r"(?:HTTP (?P<status>\d+)|(?P<error>\w+))(?: \(Retry-After (?P<wait>\w+)\))?"
)


def ended_with(status=None, error=None, wait=None, at=BEGAN):
    """Make the record of an attempt from the words of the table."""
    if status:
        outcome = AttemptOutcome.DELIVERED if status[0] == "2" else AttemptOutcome.FAILED
        response = ResponseRecord(status=int(status))
        return AttemptRecord(
            number=1, started_at=at, outcome=outcome, response=response, retry_after=wait
        )
    kind = ErrorType(error)
    outcomes = {ErrorType.BLOCKED: AttemptOutcome.BLOCKED, ErrorType.LOST: AttemptOutcome.LOST}
    outcome = outcomes.get(kind, AttemptOutcome.FAILED)
    why = AttemptError(type=kind, message="it went wrong")
    return AttemptRecord(number=1, started_at=at, outcome=outcome, error=why)


def after(attempts, target):
    """Go through the attempts of the table; give the health, the time, and what was told."""
    health, now, told = TargetHealth(), BEGAN, []
    for words in attempts.split(", "):
        step = STEP.fullmatch(words)
        for _ in range(int(step["times"] or 1)):
            now += parse_duration(step["later"]) if step["later"] else timedelta(seconds=1)
            if step["probe"]:
                now = health.paused_until
            record = ended_with(step["status"], step["error"], step["wait"], now)
            health, changes = after_attempt(health, target, record, now, probe=bool(step["probe"]))
            told += changes
    return health, now, told


def target(words=""):
    more = yaml.safe_load(words.strip("`")) or {}
    return Target(name="ci", url="https://ci.example/", **more)


def rules():
    rows = TABLE.read_text().split("| tells |\n|---|---|---|---|\n")[1].splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if row[:1] == "|"]


@pytest.mark.parametrize(("attempts", "differs", "then", "tells"), rules())
def test_the_rules_are_those_of_the_documentation(attempts, differs, then, tells):
    health, now, told = after(attempts, target(differs))
    stands = str(health.state)
    if health.paused_until:
        stands += f" for {format_duration(health.paused_until - now)}"
    assert (stands, [change.type for change in told]) == (then, tells.split())


def test_the_documentation_shows_the_defaults():
    section = TABLE.read_text().split("## Health\n")[1]
    health = yaml.safe_load(re.search(r"```yaml\n(.+?)```", section, re.DOTALL)[1])
    of_target = Target(name="ci", url="https://ci.example/", **health)
    assert of_target == target()
    assert health["breaker"].keys() == type(of_target.breaker).model_fields.keys()


@pytest.mark.parametrize(
    ("attempts", "reason"),
    [
        ("10 x HTTP 503", "10 failures in a row, the last: HTTP 503"),
        ("HTTP 404, 10 x timeout", "10 failures in a row, the last: timeout: it went wrong"),
        ("HTTP 429 (Retry-After 90s)", "it asked to wait 1m30s (HTTP 429, Retry-After)"),
    ],
)
def test_a_pause_says_who_asked_for_it(attempts, reason):
    assert after(attempts, target())[0].pause_reason == reason


@pytest.mark.parametrize(
    ("attempts", "reason"),
    [
        ("HTTP 200, HTTP 410", "it answered 410 Gone"),
        (
            "3 x HTTP 503, 5d later auth",
            (
                "nothing but failures for 5d: 4 failures since 2026-01-01 10:00 UTC, the last:"
                " auth: it went wrong"
            ),
        ),
        ("HTTP 503 (Retry-After 1s), probe HTTP 410", "it answered 410 Gone"),
    ],
)
def test_disabling_says_why_and_is_told_once(attempts, reason):
    health, now, told = after(attempts, target())
    assert health.disabled_reason == reason
    assert health.disabled_at == now
    assert health.paused_until is None
    [change] = told
    assert (change.type, change.target, change.reason, change.at) == (
        "target.disabled",
        "ci",
        reason,
        now,
    )
    assert change.since == health.failing_since


def test_recovering_says_since_when_it_had_failed():
    health, now, [change] = after("HTTP 404, 10 x HTTP 503, probe HTTP 200", target())
    assert change.reason == "it answers again, after 11 failures since 2026-01-01 10:00 UTC"
    assert change.since == BEGAN + timedelta(seconds=1)
    assert health == TargetHealth(
        last_success_at=now,
        last_failure_at=BEGAN + timedelta(seconds=11),
        last_error="HTTP 503",
    )


def test_one_failure_is_written_in_the_singular():
    _, _, [change] = after("HTTP 503, probe HTTP 200", target("breaker: {failures: 1}"))
    assert change.reason == "it answers again, after 1 failure since 2026-01-01 10:00 UTC"


def test_an_error_that_a_database_cannot_hold_is_made_fit_and_short():
    record = ended_with(error="connect").model_copy(
        update={"error": AttemptError(type=ErrorType.CONNECT, message="\0\ud800" + "x" * 9000)}
    )
    health, _ = after_attempt(TargetHealth(), target(), record, BEGAN)
    assert health.last_error.startswith("connect: \ufffd?xxx")
    assert len(health.last_error) == 500


def test_a_failure_without_response_or_error_is_the_receivers():
    record = AttemptRecord(number=1, started_at=BEGAN, outcome=AttemptOutcome.FAILED)
    assert after_attempt(TargetHealth(), target(), record, BEGAN)[0].strikes == 1


def test_the_state_is_said_in_a_word():
    assert TargetHealth().state is TargetState.HEALTHY
    assert TargetHealth(failing_since=BEGAN).state is TargetState.FAILING
    assert TargetHealth(failing_since=BEGAN, paused_until=BEGAN).state is TargetState.PAUSED
    assert TargetHealth(disabled_at=BEGAN, paused_until=BEGAN).state is TargetState.DISABLED


def test_a_success_that_was_noticed_late_ends_the_failing_before_it_alone():
    failing = after("2 x HTTP 503", target())[0]
    later = BEGAN + timedelta(minutes=1)
    well = after_unnoticed_success(failing, later)
    assert well.is_healthy
    assert (well.failures, well.last_success_at) == (0, later)
    assert after_unnoticed_success(failing, BEGAN) == failing
    paused = after("10 x HTTP 503", target())[0]
    assert after_unnoticed_success(paused, later) == paused
    gone = after("HTTP 410", target())[0]
    assert after_unnoticed_success(gone, later) == gone
    assert after_unnoticed_success(TargetHealth(), later) == TargetHealth()


steps = st.lists(
    st.tuples(
        st.sampled_from(
            [
                ("200", None),
                ("503", None),
                ("404", None),
                ("429", None),
                (None, "timeout"),
                (None, "lost"),
            ]
        ),
        st.sampled_from([None, "30s", "2h"]),
        st.floats(min_value=0.001, max_value=100_000),
        st.booleans(),
    ),
    max_size=60,
)


@given(steps, st.integers(min_value=1, max_value=5))
def test_whatever_happens_the_state_holds_together(given_steps, failures):
    it = target(f"breaker: {{failures: {failures}}}")
    health, now, disabled = TargetHealth(), BEGAN, 0
    for (status, error), wait, seconds, probe in given_steps:
        now += timedelta(seconds=seconds)
        record = ended_with(status, error, wait, now)
        health, changes = after_attempt(health, it, record, now, probe=probe)
        disabled += sum(change.type == "target.disabled" for change in changes)
        assert health.strikes <= health.failures
        assert (health.failures > 0) == (health.failing_since is not None)
        assert (health.paused_until is None) == (health.pause_reason is None)
        assert bool(health.disabled_at) == bool(health.disabled_reason)
        assert health.paused_until is None or health.paused_until - now <= timedelta(hours=24)
        if status == "200" and probe and not health.disabled_at:
            assert health.is_healthy
    assert disabled == bool(health.disabled_at)
