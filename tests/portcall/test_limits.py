from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcall.attempts import AttemptOutcome, AttemptRecord, ResponseRecord
from portcall.health import TargetHealth
from portcall.limits import (
    BATCH,
    LOOK_AGAIN,
    MANY,
    Standing,
    admit,
    begun_anew,
    has_turn,
    is_limited,
    lease_time,
    room,
    settle,
)
from portcall.policies import Target
from portcall.ports import Closed, NotYet, Permit
from portcall.receiving import per_second

NOW = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PAUSED = TargetHealth(paused_until=NOW + 30 * SECOND, pause_reason="10 failures in a row")
OVER = PAUSED.model_copy(update={"paused_until": NOW - SECOND})
DISABLED = TargetHealth(disabled_at=NOW, disabled_reason="it answered 410 Gone")


def target(**more):
    return Target(name="ci", url="https://ci.example/", **more)


def record(status=200, at=NOW):
    outcome = AttemptOutcome.DELIVERED if status == 200 else AttemptOutcome.FAILED
    response = ResponseRecord(status=status)
    return AttemptRecord(number=1, started_at=at, outcome=outcome, response=response)


def ask(standing, it, now=NOW, lease="a", *, queued=False):
    return admit(standing, it, lease, now, queued=queued)


def test_a_healthy_target_without_limits_lets_everybody_in():
    answer, standing = ask(Standing(), target())
    assert answer == Permit(target())
    assert standing == Standing()
    assert room(standing, target(), NOW).now == BATCH


def test_a_disabled_target_is_closed_and_says_why():
    answer, standing = ask(Standing(DISABLED), target())
    assert answer == Closed("Portcall has disabled the target ci: it answered 410 Gone")
    assert standing == Standing(DISABLED)
    assert room(standing, target(), NOW).now == MANY


@pytest.mark.parametrize("it", [target(), target(max_concurrent=2), target(rate="10/s")])
def test_a_paused_target_says_until_when_and_why(it):
    answer, standing = ask(Standing(PAUSED), it, queued=True)
    assert answer == NotYet("the target ci is paused until 10:00:30 UTC: 10 failures in a row")
    assert standing.backlog == is_limited(it)
    assert room(standing, it, NOW) == (room(Standing(PAUSED), it, NOW))
    assert (room(standing, it, NOW).now, room(standing, it, NOW).again_in) == (0, 30 * SECOND)


@pytest.mark.parametrize("it", [target(), target(max_concurrent=2), target(rate="10/s")])
def test_after_a_pause_one_delivery_tries_and_the_others_wait(it):
    assert room(Standing(OVER), it, NOW).now == 1
    first, standing = ask(Standing(OVER), it, lease="a", queued=True)
    assert (first.probe, first.lease) == (True, "a")
    assert room(standing, it, NOW).now == 0
    second, standing = ask(standing, it, lease="b", queued=True)
    assert second == NotYet(
        "the target ci was paused (10 failures in a row), and one delivery is trying it"
    )
    changes, standing = settle(standing, first, record(), NOW)
    assert (standing.health.is_healthy, standing.probe, changes) == (True, "", ())


def test_a_try_that_fails_pauses_it_again_and_one_that_was_not_sent_leaves_the_turn_to_others():
    failing = OVER.model_copy(update={"strikes": 10, "failures": 10, "pauses": 1})
    first, tried = ask(Standing(failing), target())
    _, paused = settle(tried, first, record(503), NOW)
    assert paused.health.paused_until == NOW + 20 * SECOND
    _, free = settle(tried, first, None, NOW)
    assert isinstance(ask(free, target())[0], Permit)


def test_a_worker_that_died_while_it_tried_does_not_hold_the_turn_for_ever():
    _, standing = ask(Standing(OVER), target(), lease="dead")
    later = NOW + lease_time(target())
    assert room(standing, target(), later).now == 1
    second, standing = ask(standing, target(), later, lease="b")
    assert second.probe
    _, standing = settle(standing, Permit(target(), "dead", probe=True), None, later)
    assert standing.probe == "b"


def test_no_more_than_max_concurrent_are_let_in():
    it, standing = target(max_concurrent=2), Standing()
    for lease in "ab":
        answer, standing = ask(standing, it, lease=lease)
        assert answer == Permit(it, lease)
    assert room(standing, it, NOW).now == 0
    answer, full = ask(standing, it, lease="c")
    assert answer == NotYet("the target ci takes 2 at a time")
    assert full == replace(standing, backlog=True)
    _, standing = settle(full, Permit(it, "a"), record(), NOW)
    assert room(standing, it, NOW).now == 1
    assert isinstance(ask(standing, it, lease="d", queued=True)[0], Permit)


def test_leases_of_a_worker_that_died_run_out():
    it, standing = target(max_concurrent=1), Standing()
    _, standing = ask(standing, it, lease="dead")
    later = NOW + lease_time(it)
    assert isinstance(ask(standing, it, later - SECOND, lease="b")[0], NotYet)
    assert isinstance(ask(standing, it, later, lease="b")[0], Permit)
    assert room(standing, it, later).now == 1


def test_a_lease_lasts_as_long_as_the_longest_attempt():
    longest, seconds = timedelta(seconds=30), timedelta(seconds=10)
    assert lease_time(target(timeout=longest)) > longest
    auth = {
        "type": "oauth2",
        "token_url": "https://login.example/token",
        "client_id": "portcall",
        "client_secret": "s3cret",
    }
    assert lease_time(target(timeout=longest, auth=auth)) > 2 * (longest + seconds)


def test_while_others_are_queued_whoever_comes_new_must_wait():
    it, standing = target(rate="10/s"), Standing(backlog=True)
    assert ask(standing, it)[0] == NotYet("others are queued for the target ci")
    assert isinstance(ask(standing, it, queued=True)[0], Permit)
    assert isinstance(ask(standing, target())[0], Permit)


@pytest.mark.parametrize(
    ("told", "waited", "left", "first"),
    [
        (True, SECOND, timedelta(days=1), True),
        (False, timedelta(minutes=1), timedelta(days=1), False),
        (False, timedelta(minutes=32), timedelta(days=1), False),
        (False, timedelta(minutes=64), timedelta(days=1), True),
        (False, SECOND, SECOND, True),
    ],
)
def test_one_that_looks_by_itself_goes_first_only_where_it_may_have_been_forgotten(
    told, waited, left, first
):
    assert has_turn(told, waited, left) is first


def test_a_rate_says_when_the_next_may_go():
    it, standing = target(rate="1/m"), Standing()
    _, standing = ask(standing, it)
    later = NOW + 20 * SECOND
    why = "the target ci takes 1/m, the next at 10:01:00 UTC"
    assert ask(standing, it, later)[0] == NotYet(why)
    assert (room(standing, it, later).why, room(standing, it, NOW + 60 * SECOND).why) == (why, "")
    assert (room(standing, it, later).now, room(standing, it, later).again_in) == (0, 40 * SECOND)
    assert isinstance(ask(standing, it, NOW + 60 * SECOND)[0], Permit)
    nearly = NOW + 60 * SECOND - timedelta(microseconds=3)
    assert ask(standing, it, nearly)[0] == NotYet(why)


@pytest.mark.parametrize("wrong", [timedelta(hours=1), timedelta(days=400)])
def test_a_rate_that_was_raised_or_a_clock_that_was_wrong_holds_up_nothing(wrong):
    slow, quick = target(rate="1/h"), target(rate="10/s")
    _, standing = ask(Standing(), slow, NOW)
    assert isinstance(ask(standing, slow, NOW + SECOND)[0], NotYet)
    for left_behind in (standing, Standing(rate_at=NOW + wrong)):
        assert room(left_behind, quick, NOW + SECOND).now == 10
        answer, after = ask(left_behind, quick, NOW + SECOND)
        assert isinstance(answer, Permit)
        assert after.rate_at == NOW + timedelta(seconds=1.1)


def test_a_rate_holds_where_the_clocks_of_workers_nearly_agree():
    it, standing, ahead = target(rate="1/m"), Standing(), timedelta(seconds=0.9)
    _, standing = ask(standing, it, NOW + ahead)
    assert isinstance(ask(standing, it, NOW)[0], NotYet)
    assert room(standing, it, NOW).now == 0


def test_the_limits_hold_together():
    it, standing = target(rate="10/s", max_concurrent=3), Standing()
    assert room(standing, it, NOW).now == 3
    standing = replace(standing, rate_at=NOW + timedelta(milliseconds=850))
    assert room(standing, it, NOW).now == 1


rates = st.sampled_from(
    ["1/s", "2/s", "3/s", "7/s", "10/s", "100/s", "100/m", "59/m", "5/h", "1/h"]
)


def admitted(it, moments):
    standing, times, now = Standing(), [], NOW
    for seconds in moments:
        now += timedelta(seconds=seconds)
        answer, standing = ask(standing, it, now, queued=True)
        if isinstance(answer, Permit):
            times.append(now)
    return times


@given(rates, st.lists(st.floats(min_value=0, max_value=2), max_size=200), st.data())
def test_a_rate_is_kept_over_any_while(rate, moments, data):
    scale = 1 / per_second(rate)
    times = admitted(target(rate=rate), [scale * moment for moment in moments])
    burst = max(1.0, per_second(rate))
    for first in range(len(times)):
        for last in range(first, len(times)):
            lasted = (times[last] - times[first]).total_seconds()
            assert last - first + 1 <= burst + lasted * per_second(rate) + 1e-3


@pytest.mark.parametrize("rate", ["2/s", "10/s", "100/s", "100/m", "30/m"])
def test_a_queue_that_is_sent_on_as_room_says_keeps_the_rate_up(rate):
    it, standing, now, gone = target(rate=rate), Standing(), NOW, 0
    while now < NOW + 60 * SECOND:
        found = room(standing, it, now)
        for _ in range(found.now):
            answer, standing = ask(standing, it, now, queued=True)
            assert isinstance(answer, Permit)
            gone += 1
        assert isinstance(ask(standing, it, now, queued=True)[0], NotYet)
        assert found.again_in >= LOOK_AGAIN
        now += found.again_in + timedelta(milliseconds=100)
    assert gone >= 60 * per_second(rate) * 0.94


@given(
    st.integers(min_value=1, max_value=5),
    st.lists(st.tuples(st.sampled_from(["in", "out", "die"]), st.integers(0, 30)), max_size=60),
)
def test_never_more_than_max_concurrent_are_under_way(most, steps):
    it, standing, now, names = target(max_concurrent=most), Standing(), NOW, map(str, count())
    under_way = []
    for what, seconds in steps:
        now += timedelta(seconds=seconds)
        under_way = [(p, until) for p, until in under_way if until > now]
        if what == "in":
            answer, standing = ask(standing, it, now, next(names), queued=True)
            assert isinstance(answer, Permit) == (len(under_way) < most)
            if isinstance(answer, Permit):
                under_way.append((answer, now + lease_time(it)))
        elif what == "out" and under_way:
            _, standing = settle(standing, under_way.pop(0)[0], record(at=now), now)
        assert standing.under_way(now) == len(under_way)


def test_what_is_told_of_the_target_as_it_was_counts_for_nothing():
    standing = Standing(changed_at=NOW)
    assert settle(standing, Permit(target()), record(410, NOW - SECOND), NOW) == ((), standing)
    changes, after = settle(standing, Permit(target()), record(410, NOW), NOW)
    assert (changes[0].type, after.health.disabled_at) == ("target.disabled", NOW)


@pytest.mark.parametrize("until", [NOW + SECOND, NOW])
@pytest.mark.parametrize("is_test", [False, True])
def test_a_pause_that_an_answer_has_ended_before_its_time_is_told(until, is_test):
    health = PAUSED.model_copy(update={"paused_until": until, "pauses": 1, "failures": 10})
    changes, after = settle(Standing(health), Permit(target(), is_test=is_test), record(404), NOW)
    assert after.health.paused_until is None
    assert [change.type for change in changes] == ["target.resumed"] * (until > NOW)
    asked_to_wait = Standing(health.model_copy(update={"pauses": 0}))
    assert settle(asked_to_wait, Permit(target()), record(404), NOW)[0] == ()


def test_beginning_anew_leaves_limits_and_queue_as_they_are():
    leases = {"a": NOW + SECOND}
    standing = Standing(
        OVER, rate_at=NOW, backlog=True, probe="a", probe_until=NOW + SECOND, leases=leases
    )
    assert begun_anew(standing) == Standing(rate_at=NOW, backlog=True, leases=leases)
