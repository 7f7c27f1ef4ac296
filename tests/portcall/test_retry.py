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
    Outcome,
    ResponseRecord,
)
from portcall.durations import parse_duration
from portcall.policies import RetryPolicy
from portcall.retry import Delivered, GiveUp, TryAgain, backoff, decide

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NO_JITTER = 0.5
TABLE = Path(__file__).parents[2] / "docs" / "retries.md"


def ended_with(what):
    """Make the record of an attempt from the words of the table."""
    status = re.fullmatch(r"HTTP (\d+)(?:, Retry-After (\w+))?", what)
    if status:
        code = int(status[1])
        return AttemptRecord(
            number=1,
            started_at=NOW,
            outcome=AttemptOutcome.DELIVERED if code // 100 == 2 else AttemptOutcome.FAILED,
            response=ResponseRecord(status=code),
            retry_after=status[2],
        )
    kind = ErrorType(what)
    outcomes = {ErrorType.BLOCKED: AttemptOutcome.BLOCKED, ErrorType.LOST: AttemptOutcome.LOST}
    return AttemptRecord(
        number=1,
        started_at=NOW,
        outcome=outcomes.get(kind, AttemptOutcome.FAILED),
        error=AttemptError(type=kind, message="it went wrong"),
    )


def follows(then):
    """Make the decision from the words of the table; the reason is looked at elsewhere."""
    if then == "delivered":
        return Delivered()
    if then.startswith("wait "):
        return TryAgain(parse_duration(then.removeprefix("wait ")))
    return Outcome(then)


def rules():
    rows = TABLE.read_text().split("|---|---|---|---|---|\n")[1].splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


@pytest.mark.parametrize(("number", "what", "since", "retry", "then"), rules())
def test_the_rules_are_those_of_the_documentation(number, what, since, retry, then):
    policy = RetryPolicy.model_validate(yaml.safe_load(retry.strip("`")) or {})
    decision = decide(policy, int(number), ended_with(what), parse_duration(since), NO_JITTER)
    assert (decision.outcome if isinstance(decision, GiveUp) else decision) == follows(then)


def test_the_documentation_shows_the_defaults():
    shown = yaml.safe_load(re.search(r"```yaml\n(.+?)```", TABLE.read_text(), re.DOTALL)[1])
    assert RetryPolicy.model_validate(shown["retry"]) == RetryPolicy()
    assert shown["retry"].keys() == RetryPolicy.model_fields.keys()


@pytest.mark.parametrize(
    ("number", "what", "elapsed", "reason"),
    [
        (1, "HTTP 404", "1s", "HTTP 404 is not in retry_on"),
        (10, "HTTP 503", "1h", "10 of 10 attempts failed, the last with HTTP 503"),
        (
            3,
            "timeout",
            "3d",
            "expired after 3d, the last attempt with timeout: it went wrong",
        ),
        (1, "blocked", "1s", "blocked: it went wrong"),
    ],
)
def test_giving_up_says_why_in_a_sentence(number, what, elapsed, reason):
    decision = decide(RetryPolicy(), number, ended_with(what), parse_duration(elapsed), 0.5)
    assert decision.reason == reason


def test_a_failure_without_response_or_error_is_rejected():
    record = AttemptRecord(number=1, started_at=NOW, outcome=AttemptOutcome.FAILED)
    assert decide(RetryPolicy(), 1, record, timedelta(), 0.5) == GiveUp(
        Outcome.REJECTED, "failed is not in retry_on"
    )


def test_an_interval_too_large_for_a_float_is_the_longest_one():
    policy = RetryPolicy(backoff_coefficient=100)
    assert backoff(policy, 1000, NO_JITTER) == policy.maximum_interval


seconds = st.floats(min_value=0, max_value=1e6).map(lambda s: timedelta(seconds=s))
chances = st.floats(min_value=0, max_value=1, exclude_max=True)
failures = st.sampled_from(
    ["HTTP 503", "HTTP 404", "HTTP 429, Retry-After 1h", "timeout", "connect", "lost", "internal"]
).map(ended_with)


@st.composite
def retry_policies(draw):
    initial, maximum = sorted((draw(seconds), draw(seconds)))
    return RetryPolicy(
        initial_interval=initial,
        maximum_interval=maximum,
        backoff_coefficient=draw(st.floats(min_value=1, max_value=100)),
        maximum_attempts=draw(st.integers(min_value=1, max_value=50)),
        expires_after=draw(seconds),
        jitter=draw(st.floats(min_value=0, max_value=1)),
        retry_on=draw(st.lists(st.sampled_from(["network", "timeout", "429", "4xx", "5xx"]))),
    )


@given(retry_policies(), st.integers(min_value=1, max_value=60), chances)
def test_a_wait_is_spread_around_its_interval_by_no_more_than_the_jitter(policy, number, chance):
    centre = backoff(policy.model_copy(update={"jitter": 0.0}), number, chance)
    wait = backoff(policy, number, chance)
    assert policy.initial_interval <= centre <= policy.maximum_interval
    assert abs(wait - centre) <= centre * policy.jitter + timedelta(microseconds=2)


@given(retry_policies(), st.integers(min_value=1, max_value=60))
def test_waits_do_not_become_shorter(policy, number):
    assert backoff(policy, number, NO_JITTER) <= backoff(policy, number + 1, NO_JITTER)


@given(retry_policies(), st.integers(min_value=1, max_value=60), failures, seconds, chances)
def test_another_attempt_stays_within_the_rule(policy, number, record, elapsed, chance):
    decision = decide(policy, number, record, elapsed, chance)
    if isinstance(decision, TryAgain):
        assert number < policy.maximum_attempts
        assert timedelta() <= decision.delay
        assert elapsed + decision.delay <= policy.expires_after
        wanted = record.retry_after or timedelta()
        assert decision.delay >= wanted or elapsed + decision.delay == policy.expires_after
    else:
        assert isinstance(decision, GiveUp)


@given(retry_policies(), failures, chances)
def test_every_delivery_comes_to_an_end(policy, record, chance):
    elapsed = timedelta()
    for number in range(1, policy.maximum_attempts + 1):
        decision = decide(policy, number, record, elapsed, chance)
        if isinstance(decision, GiveUp):
            break
        elapsed += decision.delay
    assert isinstance(decision, GiveUp)
    assert elapsed <= policy.expires_after
