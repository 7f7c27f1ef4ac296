from datetime import UTC, datetime, timedelta

from portcall.attempts import Outcome
from portcall.event_types import OWN_TYPES
from portcall.health import RECOVERED, RESUMED, HealthChange
from portcall.own_events import (
    LONGEST_REASON,
    GivenUp,
    Rejection,
    delivery_event,
    may_tell,
    rejected_event,
    silent_event,
    target_event,
)
from tests.portcall.formats.events import PUSH

NOW = datetime(2026, 3, 1, 12, 59, 59, tzinfo=UTC)
GIVEN_UP = GivenUp(
    event=PUSH,
    policy="deploy",
    target="ci",
    outcome=Outcome.EXHAUSTED,
    reason="3 of 3 attempts failed, the last with HTTP 503",
    attempts=3,
    http_status=503,
)
DISABLED = HealthChange(
    type="target.disabled", target="ci", reason="it answered 410", at=NOW, since=NOW
)


ENDS = (Outcome.EXHAUSTED, Outcome.REJECTED, Outcome.BLOCKED)


def given_up(run_id="r1", **changes):
    return delivery_event(
        GIVEN_UP.model_copy(update=changes), "delivery:eu:1:deploy:ci", run_id, NOW
    )


def test_a_delivery_that_is_given_up_is_told_with_its_artifact_and_why():
    told = given_up()
    assert (told.source, told.kind, told.type) == ("portcall", "portcall", "delivery.exhausted")
    assert (told.repository, told.tags, told.digest) == (PUSH.repository, PUSH.tags, PUSH.digest)
    assert (told.project, told.registry) == (PUSH.project, PUSH.registry)
    assert told.attributes == {
        "policy": "deploy",
        "target": "ci",
        "outcome": "exhausted",
        "reason": "3 of 3 attempts failed, the last with HTTP 503",
        "attempts": 3,
        "http_status": 503,
        "delivery_id": "delivery:eu:1:deploy:ci",
        "event_id": PUSH.id,
        "event_type": PUSH.type,
        "source": PUSH.source,
    }


def test_of_a_group_the_other_events_are_counted():
    assert given_up(more=4).attributes["more_events"] == 4


def test_what_was_not_answered_has_no_status_and_a_long_reason_is_cut():
    told = given_up(http_status=None, reason="x" * 5000)
    assert "http_status" not in told.attributes
    assert told.attributes["reason"] == "x" * LONGEST_REASON


def test_a_delivery_that_is_told_twice_is_one_event_and_another_once_it_was_sent_again():
    assert given_up().id == given_up(reason="another").id
    assert given_up().id != given_up("r2").id
    assert given_up().id != given_up(outcome=Outcome.BLOCKED).id


def test_what_became_of_a_target_is_told_once():
    told = target_event(DISABLED)
    assert (told.type, told.occurred_at) == ("target.disabled", NOW)
    assert told.attributes == {
        "target": "ci",
        "reason": "it answered 410",
        "since": NOW.isoformat(),
    }
    assert told.id == target_event(DISABLED).id
    recovered = DISABLED.model_copy(update={"type": "target.recovered", "since": None})
    assert told.id != target_event(recovered).id
    assert "since" not in target_event(recovered).attributes


def test_a_delivery_of_portcalls_own_event_tells_of_a_target_only_that_it_was_disabled():
    recovered, resumed = (DISABLED.model_copy(update={"type": t}) for t in (RECOVERED, RESUMED))
    changes = (DISABLED, recovered, resumed)
    told = [(c.type, s) for c in changes for s in ("eu", "portcall") if may_tell(c, s)]
    assert told == [
        ("target.disabled", "eu"),
        ("target.disabled", "portcall"),
        ("target.recovered", "eu"),
    ]


def test_of_rejected_notifications_one_event_is_made_for_each_source_cause_and_hour():
    def rejected(source="eu", why=Rejection.CREDENTIAL, after=0, message="it is wrong"):
        return rejected_event(source, why, message, NOW + timedelta(seconds=after))

    assert rejected().id == rejected(after=-3599, message="it is missing").id
    others = [rejected("us"), rejected(why=Rejection.NOT_UNDERSTOOD), rejected(after=1)]
    assert len({rejected().id, *(other.id for other in others)}) == 4
    assert rejected().attributes == {
        "source": "eu",
        "cause": "credential",
        "reason": "it is wrong",
    }
    parked = rejected_event("eu", Rejection.NOT_UNDERSTOOD, "no JSON", NOW, "17")
    assert parked.attributes["inbox_id"] == "17"


def test_of_a_silence_one_event_is_made():
    def silent(since, now):
        return silent_event("eu", since, timedelta(hours=26), now)

    told = silent(NOW, NOW + timedelta(hours=27))
    assert told.id == silent(NOW, NOW + timedelta(hours=28)).id
    assert told.id != silent(NOW + timedelta(hours=1), NOW + timedelta(hours=28)).id
    assert told.attributes == {
        "source": "eu",
        "reason": "nothing came for 1d2h",
        "since": NOW.isoformat(),
    }


def test_every_own_type_is_listed():
    made = {given_up(outcome=outcome).type for outcome in ENDS}
    made |= {"target.disabled", "target.recovered", "target.pinged"}
    made |= {"source.silent", "source.rejected"}
    assert made == set(OWN_TYPES)
