from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from portcall.pings import is_ping, ping_event, ping_key
from portcall.redeliveries import FailedFilter, Progress, redelivery_id

NOW = datetime(2026, 7, 30, 12, 0, 0, 123456, tzinfo=UTC)


def test_all_that_was_given_up_is_meant_unless_an_outcome_is_named():
    query = FailedFilter(target="ci").query()
    assert "Target = 'ci'" in query
    assert query.endswith("ExecutionStatus IN ('Failed', 'TimedOut')")


@pytest.mark.parametrize("outcome", ["exhausted", "rejected", "blocked", "cancelled"])
def test_one_outcome_can_be_meant_alone(outcome):
    query = FailedFilter(outcome=outcome).query()
    assert query.endswith("ExecutionStatus IN ('Failed', 'TimedOut', 'Canceled', 'Terminated')")
    if outcome != "cancelled":
        assert f"Outcome = '{outcome}'" in query


def test_test_events_are_never_sent_again():
    assert "EventType != 'target.pinged'" in FailedFilter(target="ci").query()


def test_when_they_failed_is_when_their_run_ended():
    query = FailedFilter(failed_since=NOW).query()
    assert "CloseTime >= '2026-07-30T12:00:00.123456Z'" in query
    assert "StartTime" not in query


@pytest.mark.parametrize("outcome", ["delivered", "retrying", "delivering", "held", "queued"])
def test_what_did_not_fail_cannot_be_meant(outcome):
    with pytest.raises(ValidationError):
        FailedFilter(outcome=outcome)


def test_the_same_filter_is_the_same_redelivery():
    one = redelivery_id(FailedFilter(target="ci", policy="p"))
    assert one == redelivery_id(FailedFilter(policy="p", target="ci"))
    assert one != redelivery_id(FailedFilter(target="ci"))


def test_progress_adds_up_and_keeps_the_last_problem():
    done = Progress(redelivered=2, failed=1, problem="one").plus(Progress(skipped=3))
    assert done == Progress(redelivered=2, skipped=3, failed=1, problem="one")
    assert done.done == 6
    assert done.plus(Progress(failed=1, problem="two")).problem == "two"


@pytest.mark.parametrize(
    ("progress", "total", "sentence"),
    [
        (Progress(redelivered=3), 9, "3 of 9 sent again"),
        (Progress(redelivered=9, skipped=2), 9, "9 of 11 sent again, 2 skipped"),
        (Progress(skipped=1, failed=1), 2, "0 of 2 sent again, 1 skipped, 1 failed"),
    ],
)
def test_progress_is_said_in_a_sentence(progress, total, sentence):
    assert progress.sentence(total) == sentence


def test_a_test_event_is_told_from_a_policy_of_that_name():
    event = ping_event("ci", NOW)
    assert event.id == "ping-20260730T120000.123456"
    assert ping_key(event, "ci") == ("portcall", event.id, "ping", "ci")
    assert is_ping(event, "ping")
    assert not is_ping(event, "another")
    assert not is_ping(event.model_copy(update={"source": "dist"}), "ping")
    assert not is_ping(event.model_copy(update={"type": "target.disabled"}), "ping")
