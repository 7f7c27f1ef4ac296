"""The contract suite finds what an adapter does wrong, and says so in a sentence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from portcall.errors import NotificationError
from portcall.events import RegistryEvent
from portcall.ids import derived_id
from portcall.sources.contract import check_kind, check_notification
from portcall.sources.fields import read_object
from portcall.sources.kind import BODY_LIMIT, Notification, Parsed, Refusal
from portcall.sources.odd import odd_notifications
from tests.portcall.sources.notifications import RECEIVED

SAMPLES = [
    Notification("depot", b'{"image": "%s"}' % name, {"x-depot": "1"}, received_at=RECEIVED)
    for name in (b"shop/web", b"shop/api")
]


class Depot:
    """A kind that keeps the contract, in a few lines."""

    kind = "depot"
    body_limit = BODY_LIMIT
    signature = None
    mapping_use = "none"

    def parse(self, notification: Notification) -> Parsed:
        try:
            repository = read_object(notification.body).required_name("image")
        except RecursionError:
            raise NotificationError("too deep", reason="too_deep") from None
        return Parsed((self.event(notification, repository),))

    def event(self, notification: Notification, repository: str) -> RegistryEvent:
        return RegistryEvent(
            id=derived_id([notification.body]),
            source=notification.source,
            kind="depot",
            type="artifact.pushed",
            occurred_at=notification.received_at,
            received_at=notification.received_at,
            repository=repository,
        )


class Broken(Depot):
    """Changes one fact of every event."""

    def __init__(self, **facts):
        self.facts = facts

    def event(self, notification, repository):
        facts = {k: v(notification) if callable(v) else v for k, v in self.facts.items()}
        return super().event(notification, repository).model_copy(update=facts)


class Answering(Depot):
    """Gives the same answer to everything."""

    def __init__(self, parsed):
        self.parsed = parsed

    def parse(self, _notification):
        return self.parsed


class Raising(Depot):
    def __init__(self, error):
        self.error = error

    def parse(self, _notification):
        raise self.error


class Moody(Depot):
    calls = 0

    def event(self, notification, _repository):
        self.calls += 1
        return super().event(notification, f"shop/{self.calls}")


def refusing(message, reason="wrong_type", field=""):
    return Raising(NotificationError(message, reason=reason, field=field))


def test_a_kind_that_keeps_the_contract_passes():
    check_kind(Depot(), SAMPLES)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Broken(source="another"), r"event\.source is not"),
        (Broken(received_at=datetime(2020, 1, 1, tzinfo=UTC)), "event.received_at is another"),
        (Broken(kind="other"), "event.kind is 'other'"),
        (Broken(id="a:b"), "event.id 'a:b'"),
        (Broken(id="x" * 65), "event.id"),
        (Broken(type="Artifact Pushed"), "event.type 'Artifact Pushed'"),
        (Broken(occurred_at=datetime(2020, 1, 1)), "not in UTC"),  # noqa: DTZ001
        (Broken(occurred_at=RECEIVED.astimezone(timezone(timedelta(hours=1)))), "not in UTC"),
        (Broken(digest="1.4.2"), "event.digest '1.4.2' is not a digest"),
        (Broken(tags=("sha256:" + "a" * 64,)), "is among the tags"),
        (Broken(tags=("v",) * 1001), "more than 1000 tags"),
        (Broken(tags=("",)), "event.tags.0 is empty"),
        (Broken(repository="x" * 256), "event.repository is empty, or longer"),
        (Broken(native_type="\x00"), "no database keeps"),
        (Broken(attributes={"a": float("nan")}), "is another one"),
        (Broken(attributes={"a": "\ud800"}), "cannot be written as JSON"),
        (Broken(attributes={"a": "x" * 600_000}), "facts are larger"),
        (Broken(id=lambda n: str(n.received_at.timestamp())), "a repeat has other ids"),
        (Moody(), "gave something else"),
        (Raising(KeyError("image")), "parse raised KeyError: 'image'"),
        (refusing("no", "Wrong Type"), "'Wrong Type' is no reason"),
        (refusing(""), "message must be there"),
        (refusing("x" * 2001), "message must be there, and short"),
        (refusing("\x00"), "message holds"),
        (refusing("It is wrong.", field="image"), "does not name its field 'image'"),
        (Answering(Parsed(reply={"at": RECEIVED})), "the reply is no JSON"),
        (Answering(Parsed(reply={"a": "x" * 600_000})), "the reply is larger"),
    ],
)
def test_what_is_not_kept_is_said(kind, said):
    with pytest.raises(AssertionError, match=said) as broken:
        check_notification(kind, SAMPLES[0])
    assert "shop/web" in broken.value.__notes__[1]


def test_a_parser_must_not_take_long():
    with pytest.raises(AssertionError, match="s, more than 0"):
        check_notification(Depot(), SAMPLES[0], seconds=0)


def test_there_is_a_limit_to_the_events_of_a_notification():
    (event,) = Depot().parse(SAMPLES[0]).events
    with pytest.raises(AssertionError, match="more than 1000 events"):
        check_notification(Answering(Parsed((event,) * 1001)), SAMPLES[0])


def test_the_refusals_of_single_events_are_checked_too():
    refusal = Refusal(NotificationError("no", reason="", field=""), b"")
    with pytest.raises(AssertionError, match="'' is no reason"):
        check_notification(Answering(Parsed(refusals=(refusal,))), SAMPLES[0])


def test_an_id_may_end_with_a_window_of_the_clock():
    kind = Broken(id=lambda notification: str(int(notification.received_at.timestamp()) // 2))
    for second in range(4):
        later = RECEIVED + timedelta(seconds=second)
        check_notification(kind, replace(SAMPLES[0], received_at=later))


@pytest.mark.parametrize(
    ("kind", "samples", "said"),
    [
        (Broken(id="always-the-same"), SAMPLES, "have the same id"),
        (Depot(), [], "there must be a sample"),
        (Answering(Parsed()), SAMPLES, "no sample gives an event"),
        (Depot(), [replace(SAMPLES[0], body=b"{}")], "a sample is not understood: image is miss"),
    ],
)
def test_samples_must_be_there_and_understood_and_told_apart(kind, samples, said):
    with pytest.raises(AssertionError, match=said):
        check_kind(kind, samples)


def test_a_kind_must_have_what_the_protocol_asks_for():
    kind = Depot()
    kind.kind = "Depot!"
    with pytest.raises(AssertionError, match="'Depot!' has not the attributes"):
        check_kind(kind, SAMPLES)


def test_what_crashes_only_on_odd_input_is_found():
    class Trusting(Depot):
        def parse(self, notification):
            name = read_object(notification.body).members.get("image", "a/b")
            return Parsed((self.event(notification, name.lower()),))

    with pytest.raises(AssertionError, match="parse raised AttributeError"):
        check_kind(Trusting(), SAMPLES)


def test_odd_notifications_are_the_same_each_time_and_bounded():
    samples = [replace(SAMPLES[0], body=b'{"events": [{"a": 1}]}'), *SAMPLES]
    made = list(odd_notifications(samples, 100_000))
    assert made == list(odd_notifications(samples, 100_000))
    assert max(len(odd.body) for odd in made) <= 100_000
    assert any(len(odd.body) > 45_000 and odd.body.startswith(b'{"events": [{"a') for odd in made)
    assert b'{"events": [{}]}' in {odd.body for odd in made}


def test_a_body_that_is_no_json_is_cut_too():
    sample = replace(SAMPLES[0], body=b"not json")
    assert b"not " in {odd.body for odd in odd_notifications([sample], 1000)}
