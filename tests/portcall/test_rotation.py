from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from portcall.outgoing import live_secrets
from portcall.policies import RetiringSecret, Target
from portcall.rotation import KEPT, rotated, with_retiring
from tests.portcall.test_signing import NEW, OLD, SVIX, a_secret

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_target(*secrets, retiring=()):
    old = [{"secret": secret, "until": until} for secret, until in retiring]
    return Target.model_validate(
        {"name": "ci", "url": "https://ci.example", "secrets": secrets, "retiring_secrets": old}
    )


def test_the_new_secret_takes_the_place_of_the_others_which_sign_on_for_a_while():
    target = rotated(a_target(OLD, SVIX), SecretStr(NEW), NOW, HOUR)
    assert target.secrets == [SecretStr(NEW)]
    assert live_secrets(target, NOW) == [NEW, OLD, SVIX]
    assert live_secrets(target, NOW + HOUR) == [NEW]


def test_with_no_grace_nothing_older_signs_not_even_what_was_retiring():
    target = a_target(OLD, retiring=[(SVIX, NOW + HOUR)])
    assert rotated(target, SecretStr(NEW), NOW, timedelta()).retiring_secrets == []


def test_a_shorter_grace_holds_for_what_is_retiring_too_and_what_is_over_is_dropped():
    target = a_target(retiring=[(OLD, NOW + 2 * HOUR), (SVIX, NOW)])
    assert rotated(target, SecretStr(NEW), NOW, HOUR).retiring_secrets == [
        RetiringSecret(secret=OLD, until=NOW + HOUR)
    ]


def test_a_secret_that_is_in_use_or_retiring_can_be_taken_again():
    once = rotated(a_target(OLD), SecretStr(NEW), NOW, HOUR)
    again = rotated(once, SecretStr(NEW), NOW, HOUR)
    assert again == once
    back = rotated(once, SecretStr(OLD), NOW, HOUR)
    assert live_secrets(back, NOW) == [OLD, NEW]


@given(st.lists(st.integers(0, 5), max_size=30))
def test_however_often_it_is_exchanged_the_newest_sign_and_the_target_stays_valid(hours):
    target, now = a_target(OLD), NOW
    given_secrets = [OLD]
    for number, wait in enumerate(hours):
        now += wait * HOUR
        given_secrets.append(a_secret(first=number + 1))
        target = rotated(target, SecretStr(given_secrets[-1]), now, 9 * HOUR)
        assert live_secrets(target, now)[0] == given_secrets[-1]
    assert Target.model_validate(dict(target)) == target
    live = live_secrets(target, now)
    assert live == given_secrets[::-1][: len(live)]
    assert len(live) <= KEPT + 1


def test_who_says_nothing_of_retiring_secrets_keeps_them():
    stored = a_target(NEW, retiring=[(OLD, NOW), (SVIX, NOW)])
    silent = Target(name="ci", url="https://ci.example", secrets=[NEW, SVIX])
    assert [
        old.secret.get_secret_value() for old in with_retiring(silent, stored).retiring_secrets
    ] == [OLD]
    assert with_retiring(silent, None) is silent
    outspoken = Target(name="ci", url="https://ci.example", retiring_secrets=[])
    assert with_retiring(outspoken, stored) is outspoken
