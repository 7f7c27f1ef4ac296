import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from portcall.auth import BasicAuth, BearerAuth, HeaderAuth, NoAuth, QueryAuth
from portcall.conditions.block import Match
from portcall.conditions.details import PARTS
from portcall.conditions.text import FORMS
from portcall.policies import Policy, RetryPolicy, Source, Target
from portcall.secrets import MASK
from tests.strategies import policies

SIGNING = "whsec_" + "A" * 32


def source(**given):
    return Source.model_validate({"name": "s", "kind": "harbor", "auth": {"type": "none"}} | given)


def target(**given):
    return Target.model_validate({"name": "t", "url": "https://t.example"} | given)


def policy(**given):
    return Policy.model_validate({"name": "p", "targets": ["t"]} | given)


def messages(call, **given):
    with pytest.raises(ValidationError) as caught:
        call(**given)
    return [error["msg"] for error in caught.value.errors()]


@pytest.mark.parametrize("name", ["a", "a-b", "harbor.eu_1", "0", "a" * 50])
def test_a_name_is_short_and_plain(name):
    assert policy(name=name).name == name


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "a-", "a" * 51, "a:b", "a/b", "ä", "a\n"])
def test_a_name_that_would_need_quoting_is_refused(name):
    assert messages(policy, name=name)


def test_a_policy_needs_no_more_than_a_name_and_a_target():
    bare = policy()
    assert (bare.enabled, bare.format, bare.match) == (True, "default", Match())
    assert bare.retry == RetryPolicy()


def test_a_policy_without_targets_is_refused():
    assert messages(policy, targets=[])


def test_a_target_named_twice_is_refused():
    assert messages(policy, targets=["t", "u", "t"]) == ["a target is named twice"]


def test_a_typing_error_is_refused_instead_of_ignored():
    assert messages(policy, enabeld=False) == ["unknown field, did you mean enabled?"]
    assert messages(policy, match={"tags": {"in": ["v1"]}}) == ["unknown field, did you mean tag?"]
    assert messages(policy, xyz=1) == ["Extra inputs are not permitted"]
    assert messages(policy, retry={"xyz": 1})[0].startswith("unknown field, one of: initial_")


def test_a_typing_error_hides_nothing_else_that_is_wrong():
    assert messages(policy, enabeld=False, ordred=True, retry={"jitter": 2}) == [
        "unknown field, did you mean enabled?",
        "unknown field, did you mean ordered?",
        "Input should be less than or equal to 1",
    ]
    assert messages(policy, retry={"scedule": ["5s"], "jitter": 2}) == [
        "unknown field, did you mean schedule?",
        "Input should be less than or equal to 1",
    ]


def test_what_a_misspelt_field_was_meant_to_be_is_not_missing_too():
    with pytest.raises(ValidationError) as caught:
        Target.model_validate({"name": "ci", "ur": "https://ci.example/", "timeout": "soon"})
    assert [error["loc"] for error in caught.value.errors()] == [("ur",), ("timeout",)]


@pytest.mark.parametrize(
    "conditions", [{"event_types": []}, {"sources": []}, {"event_types": ["A"]}]
)
def test_a_condition_that_could_never_hold_is_refused(conditions):
    assert messages(policy, match=conditions)


@pytest.mark.parametrize(
    ("auth", "kind"),
    [
        ({"type": "none"}, NoAuth),
        ({"type": "bearer", "token": "x"}, BearerAuth),
        ({"type": "basic", "username": "u", "password": "x"}, BasicAuth),
        ({"type": "header", "name": "X-Token", "value": "x"}, HeaderAuth),
        ({"type": "query", "value": "x"}, QueryAuth),
    ],
)
def test_the_type_of_a_credential_says_what_belongs_to_it(auth, kind):
    assert isinstance(source(auth=auth).auth, kind)


@pytest.mark.parametrize(
    "auth",
    [
        {},
        {"type": "bearer"},
        {"type": "bearer", "token": ""},
        {"type": "basic", "password": "x"},
        {"type": "header", "name": "X Token", "value": "x"},
        {"type": "magic"},
    ],
)
def test_half_a_credential_is_refused(auth):
    assert messages(source, auth=auth)


@pytest.mark.parametrize("secret", ["a\nb", " a", "a ", "a\x00", "a\x7f"])
@pytest.mark.parametrize(
    "auth", [{"type": "bearer", "token": None}, {"type": "header", "name": "X-A", "value": None}]
)
def test_a_secret_that_would_break_its_header_is_refused(auth, secret):
    auth = {key: secret if value is None else value for key, value in auth.items()}
    [message] = messages(target, auth=auth)
    assert message.endswith("holds a line break, a control character or a space at its end")


def test_a_source_says_how_it_authenticates():
    with pytest.raises(ValidationError, match="auth"):
        Source.model_validate({"name": "s", "kind": "harbor"})


def test_a_source_drops_blob_events_unless_told_otherwise():
    assert source().ignore.event_types == ["blob.*"]


def test_a_secret_does_not_show_in_text_or_errors():
    hidden = target(auth={"type": "bearer", "token": "hunter2"}, secrets=[SIGNING])
    assert "hunter2" not in f"{hidden!r} {hidden.model_dump_json()}"
    assert SIGNING not in f"{hidden!r} {hidden.model_dump_json()}"
    with pytest.raises(ValidationError) as caught:
        target(auth={"type": "bearer", "token": "hunter2", "extra": "hunter3"})
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("plain", "a signing secret starts with whsec_ (HMAC) or whsk_ (ed25519)"),
        ("whsec_???", "what follows whsec_ is not base64"),
        ("whsec_AAAA", "a signing secret is base64 of 24 to 64 bytes, this one of 3"),
    ],
)
def test_a_signing_secret_has_the_form_of_standard_webhooks(secret, message):
    assert messages(target, secrets=[secret]) == [f"Value error, {message}"]


def test_a_masked_signing_secret_is_left_to_the_one_who_knows_the_stored_one():
    assert target(secrets=[MASK]).secrets[0].get_secret_value() == MASK


@pytest.mark.parametrize("headers", [{"X-Team": "a"}, {"X-Empty": ""}, {"x": "a\tb"}])
def test_a_header_may_be_added(headers):
    assert target(headers=headers).headers == headers


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"X Team": "a"}, "not an HTTP header name (RFC 9110, section 5.1)"),
        ({"X-Team:": "a"}, "not an HTTP header name (RFC 9110, section 5.1)"),
        ({"X-Team": "a\r\nX-Evil: b"}, "not an HTTP header value (RFC 9110, section 5.5)"),
        ({"X-Team": " a"}, "not an HTTP header value (RFC 9110, section 5.5)"),
        ({"X-Team": "€"}, "not an HTTP header value (RFC 9110, section 5.5)"),
    ],
)
def test_a_header_that_would_break_the_request_is_refused(headers, message):
    assert messages(target, headers=headers) == [f"Value error, {message}"]


def test_retry_takes_statuses_as_numbers_and_as_text():
    assert RetryPolicy(retry_on=[503, "404", "4xx", "network"]).retry_on == [
        "503",
        "404",
        "4xx",
        "network",
    ]


@pytest.mark.parametrize("word", ["600", "2xx", "slow", "5XX", True, 99, None, "503\n"])
def test_retry_on_something_unknown_is_refused(word):
    assert messages(RetryPolicy, retry_on=[word])


@pytest.mark.parametrize(
    "retry",
    [
        {"maximum_attempts": 0},
        {"maximum_attempts": 51},
        {"backoff_coefficient": 0.5},
        {"backoff_coefficient": float("nan")},
        {"jitter": 1.5},
        {"expires_after": "soon"},
    ],
)
def test_a_retry_out_of_bounds_is_refused(retry):
    assert messages(RetryPolicy, **retry)


def test_intervals_in_the_wrong_order_are_refused():
    assert messages(RetryPolicy, initial_interval="2h", maximum_interval="1h") == [
        "Value error, maximum_interval is shorter than initial_interval"
    ]


def test_durations_are_written_as_they_are_read():
    retry = RetryPolicy(initial_interval="90s")
    assert retry.initial_interval == timedelta(seconds=90)
    assert retry.model_dump(mode="json")["initial_interval"] == "1m30s"


KEYS = {
    *Match.model_fields,
    *(field for part in PARTS.values() for field in part.model_fields),
    *FORMS,
    *("gt", "lte", "at_least", "prereleases"),
}
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=True)
    | st.text(max_size=20)
    | st.sampled_from(["v1", "v*", ">=1", "10MiB", "high", "tags == tags", "[", "(", "1 <"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(KEYS)) | st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=20,
)


blocks = st.dictionaries(st.sampled_from(sorted(Match.model_fields)), json_values, max_size=3)


@given(
    st.fixed_dictionaries(
        {"name": st.just("p"), "targets": st.just(["t"])},
        optional={"match": blocks, "exclude": st.lists(blocks, max_size=2) | json_values},
    )
    | json_values
)
def test_any_json_is_a_policy_or_refused(given_json):
    try:
        policy = Policy.model_validate(given_json)
    except ValidationError:
        return
    assert Policy.model_validate_json(policy.model_dump_json()) == policy


@pytest.mark.parametrize("tag", ["prod/v1", {"glob": "v*"}, {"not": {"not": {"in": ["a"]}}}])
def test_a_tag_cannot_be_wanted_of_what_has_none(tag):
    with pytest.raises(ValidationError) as caught:
        policy(match={"tagged": False, "tag": tag})
    [fault] = caught.value.errors()
    assert fault["loc"] == ("match", "tagged")
    assert fault["msg"].startswith("no event is without a tag and has one that fits tag ")


def test_a_tag_may_be_unwanted_of_what_has_none():
    assert policy(match={"tagged": False, "tag": {"not": {"glob": "v*"}}})


@given(policies)
def test_a_policy_is_read_back_as_it_was_written(written):
    adapter = TypeAdapter(Policy)
    assert adapter.validate_json(adapter.dump_json(written)) == written


def test_the_documentation_shows_a_policy():
    text = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()
    shown = yaml.safe_load(re.search(r"```yaml\n(.+?)```", text, re.DOTALL)[1])
    assert Policy.model_validate(shown).match.tag.holds(["v1.2.3"])
