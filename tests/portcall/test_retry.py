import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

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
from portcall.ports import ReceivedResponse
from portcall.recording import retry_after
from portcall.retry import (
    AT_ONCE,
    Delivered,
    GiveUp,
    TryAgain,
    attempts_allowed,
    backoff,
    decide,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NO_JITTER = 0.5
DOCUMENT = (Path(__file__).parents[2] / "docs" / "retries.md").read_text()


def ended_with(what):
    """Make the record of an attempt from the words of the table."""
    answered = re.fullmatch(r"HTTP (\d+)(?:, Retry-After: (.+))?", what)
    if answered:
        code = int(answered[1])
        headers = (("Retry-After", answered[2]),) if answered[2] else ()
        return AttemptRecord(
            number=1,
            started_at=NOW,
            outcome=AttemptOutcome.DELIVERED if code // 100 == 2 else AttemptOutcome.FAILED,
            response=ResponseRecord(status=code),
            retry_after=retry_after(ReceivedResponse(code, headers, b"", truncated=False), NOW),
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
    if then == "at once":
        return AT_ONCE
    if then.startswith("wait "):
        return TryAgain(parse_duration(then.removeprefix("wait ")))
    return Outcome(then)


def written(retry):
    """Read what a table shows of a policy."""
    many = retry.strip("`").replace("FIFTY_WAITS", str(["1s"] * 50))
    return yaml.safe_load(many) or {}


def rows(*columns):
    """Read the table with these columns."""
    rule = f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|\n"
    table = DOCUMENT.split(rule)[1].split("\n\n")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]


@pytest.mark.parametrize(
    ("attempt", "what", "since", "retry", "then"),
    rows("attempt", "it ended with", "since", "retry", "then"),
)
def test_the_rules_are_those_of_the_documentation(attempt, what, since, retry, then):
    number, _, reconnected = attempt.partition(", ")
    decision = decide(
        RetryPolicy.model_validate(written(retry)),
        int(number),
        ended_with(what),
        parse_duration(since),
        NO_JITTER,
        reconnected=reconnected == "reconnected",
    )
    assert (decision.outcome if isinstance(decision, GiveUp) else decision) == follows(then)


@pytest.mark.parametrize(
    ("attempt", "retry", "least", "most"), rows("attempt", "retry", "at least", "less than")
)
def test_the_spread_of_waits_is_that_of_the_documentation(attempt, retry, least, most):
    policy = RetryPolicy.model_validate(written(retry))
    waits = [backoff(policy, int(attempt), chance) for chance in (0.0, 1.0)]
    assert waits == [parse_duration(least), parse_duration(most)]


@pytest.mark.parametrize(("retry", "at", "because"), rows("retry", "at", "because"))
def test_what_is_refused_is_what_the_documentation_says(retry, at, because):
    with pytest.raises(ValidationError) as caught:
        RetryPolicy.model_validate(written(retry))
    [error] = caught.value.errors()
    assert ".".join(map(str, error["loc"])) == at.strip("`")
    assert because in error["msg"]


def test_the_longest_schedule_has_as_many_attempts_as_are_ever_made():
    assert attempts_allowed(RetryPolicy(schedule=["1s"] * 49)) == 50


def test_a_schedule_that_was_stored_with_every_field_is_read_again():
    policy = RetryPolicy(schedule=["5s", "5m"])
    assert RetryPolicy.model_validate_json(policy.model_dump_json()) == policy


def test_the_documentation_shows_the_defaults():
    shown = yaml.safe_load(re.search(r"```yaml\n(.+?)```", DOCUMENT, re.DOTALL)[1])
    assert RetryPolicy.model_validate(shown["retry"]) == RetryPolicy()
    assert shown["retry"].keys() == RetryPolicy.model_fields.keys()


@pytest.mark.parametrize(
    ("number", "what", "elapsed", "reason"),
    [
        (1, "HTTP 404", "1s", "HTTP 404 is not in retry_on"),
        (1, "HTTP 410", "1s", "HTTP 410 is not in retry_on, and disables the target"),
        (10, "HTTP 503", "1h", "10 of 10 attempts failed, the last with HTTP 503"),
        (
            3,
            "timeout",
            "3d",
            "expired after 3d, the last attempt with timeout: it went wrong",
        ),
        (1, "blocked", "1s", "it went wrong"),
    ],
)
def test_giving_up_says_why_in_a_sentence(number, what, elapsed, reason):
    decision = decide(RetryPolicy(), number, ended_with(what), parse_duration(elapsed), 0.5)
    assert decision.reason == reason


def test_giving_up_tells_of_the_attempt_that_was_made_at_once():
    failed = ended_with("HTTP 503")
    decision = decide(RetryPolicy(), 11, failed, timedelta(hours=1), 0.5, reconnected=True)
    assert decision.reason == (
        "10 of 10 attempts and one made at once failed, the last with HTTP 503"
    )


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
    ["HTTP 503", "HTTP 404", "HTTP 429, Retry-After: 3600", "timeout", "connect", "lost"]
).map(ended_with)
retry_on = st.lists(st.sampled_from(["network", "timeout", "429", "4xx", "5xx"]))
jitters = st.floats(min_value=0, max_value=1)


@st.composite
def growing(draw):
    initial, maximum = sorted((draw(seconds), draw(seconds)))
    return RetryPolicy(
        initial_interval=initial,
        maximum_interval=maximum,
        backoff_coefficient=draw(st.floats(min_value=1, max_value=100)),
        maximum_attempts=draw(st.integers(min_value=1, max_value=50)),
        expires_after=draw(seconds),
        jitter=draw(jitters),
        reconnect=draw(st.booleans()),
        retry_on=draw(retry_on),
    )


scheduled = st.builds(
    RetryPolicy,
    schedule=st.lists(seconds, min_size=1, max_size=49),
    expires_after=seconds,
    jitter=jitters,
    reconnect=st.booleans(),
    retry_on=retry_on,
)
retry_policies = growing() | scheduled
numbers = st.integers(min_value=1, max_value=60)


@given(retry_policies, numbers, chances)
def test_a_wait_is_spread_around_its_interval_by_no_more_than_the_jitter(policy, number, chance):
    centre = backoff(policy.model_copy(update={"jitter": 0.0}), number, chance)
    wait = backoff(policy, number, chance)
    if policy.schedule:
        assert centre == policy.schedule[min(number, len(policy.schedule)) - 1]
    else:
        assert policy.initial_interval <= centre <= policy.maximum_interval
    assert abs(wait - centre) <= centre * policy.jitter + timedelta(microseconds=2)


@given(growing(), numbers)
def test_waits_without_a_schedule_do_not_become_shorter(policy, number):
    assert backoff(policy, number, NO_JITTER) <= backoff(policy, number + 1, NO_JITTER)


@given(retry_policies, numbers, failures, seconds, chances, st.booleans())
def test_another_attempt_stays_within_the_rule(
    policy, number, record, elapsed, chance, reconnected
):
    reconnected = reconnected and number > 1
    decision = decide(policy, number, record, elapsed, chance, reconnected=reconnected)
    if isinstance(decision, TryAgain):
        wanted = record.retry_after or timedelta()
        assert timedelta() <= decision.delay
        assert elapsed + decision.delay <= policy.expires_after
        assert decision.delay >= wanted or elapsed + decision.delay == policy.expires_after
        assert number - reconnected < attempts_allowed(policy) or decision == AT_ONCE
    else:
        assert isinstance(decision, GiveUp)


@given(retry_policies, failures, chances)
def test_every_delivery_comes_to_an_end(policy, record, chance):
    elapsed, reconnected = timedelta(), False
    for number in range(1, attempts_allowed(policy) + 2):
        decision = decide(policy, number, record, elapsed, chance, reconnected=reconnected)
        if isinstance(decision, GiveUp):
            break
        reconnected = reconnected or decision == AT_ONCE
        elapsed += decision.delay
    assert isinstance(decision, GiveUp)
    assert elapsed <= policy.expires_after
