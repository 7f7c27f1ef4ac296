import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr

from portcall.auth import BasicAuth, BearerAuth
from portcall.errors import InvalidInputError
from portcall.policies import Policy, Source, Target
from portcall.secrets import MASK, join, merge_masked, split
from tests import spec_strategies as strategies

SIGNING = "whsec_" + "c2VjcmV0" * 4


def source(token: str) -> Source:
    return Source(name="eu", kind="harbor", auth=BearerAuth(token=token))


@given(strategies.sources | strategies.targets | strategies.policies)
def test_a_spec_is_the_same_after_splitting_storing_as_json_and_joining(
    spec: Source | Target | Policy,
) -> None:
    public, secrets = split(spec)
    assert join(type(spec), json.loads(json.dumps(public)), secrets) == spec


@given(st.text("abcdef", min_size=8), st.text("ghijkl", min_size=8))
def test_the_public_part_holds_no_secret(username: str, password: str) -> None:
    public, secrets = split(
        Target(
            name="ci",
            url="https://ci.example",
            auth=BasicAuth(username=username, password=password),
            secrets=[SIGNING],
        )
    )
    assert password not in json.dumps(public)
    assert SIGNING not in json.dumps(public)
    assert public["auth"] == {"type": "basic", "username": username, "password": MASK}
    assert public["secrets"] == [MASK]
    assert secrets == {("auth", "password"): password, ("secrets", 0): SIGNING}


def test_a_secret_is_found_in_any_model_and_under_an_alias() -> None:
    class Inner(BaseModel):
        word: SecretStr = Field(alias="pass.word")

    class Outer(BaseModel):
        by_name: dict[str, Inner]
        pairs: tuple[SecretStr, ...]

    given_spec = {"by_name": {"a.b": {"pass.word": "one"}}, "pairs": ["two", ""]}
    spec = Outer.model_validate(given_spec)
    public, secrets = split(spec)
    assert secrets == {
        ("by_name", "a.b", "pass.word"): "one",
        ("pairs", 0): "two",
        ("pairs", 1): "",
    }
    assert public == {"by_name": {"a.b": {"pass.word": MASK}}, "pairs": [MASK, MASK]}
    assert join(Outer, public, secrets) == spec


def test_joining_leaves_the_public_part_as_it_was() -> None:
    public, secrets = split(source("one"))
    join(Source, public, secrets)
    assert public["auth"]["token"] == MASK


@given(strategies.targets)
def test_a_spec_sent_back_as_it_was_shown_keeps_its_secrets(spec: Target) -> None:
    public, _ = split(spec)
    assert merge_masked(Target.model_validate(public), spec) == spec


@given(strategies.targets, strategies.targets)
def test_a_spec_without_a_mask_is_taken_as_it_is(new: Target, old: Target) -> None:
    assert merge_masked(new, old) == new
    assert merge_masked(new, None) == new


def test_a_mask_takes_the_secret_at_its_own_place_and_a_new_secret_stays() -> None:
    old = Target(name="ci", url="https://ci.example", secrets=[SIGNING])
    newer = SIGNING.replace("c2Vj", "bmV3")
    new = Target(name="ci", url="https://ci.example/2", secrets=[MASK, newer])
    merged = merge_masked(new, old)
    assert [secret.get_secret_value() for secret in merged.secrets] == [SIGNING, newer]
    assert merged.url == "https://ci.example/2"


def test_a_mask_where_nothing_is_stored_names_each_field() -> None:
    new = Target(
        name="ci", url="https://ci.example", auth=BearerAuth(token=MASK), secrets=[SIGNING, MASK]
    )
    old = Target(name="ci", url="https://ci.example", secrets=[SIGNING])
    with pytest.raises(InvalidInputError) as refused:
        merge_masked(new, old)
    fields = [error["field"] for error in refused.value.problem["errors"]]
    assert fields == ["auth.token", "secrets.1"]


def test_a_mask_in_something_new_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"auth\.token"):
        merge_masked(source(MASK), None)


EVERYTHING = {
    "name": "ci",
    "url": "https://ci.example/hook?token=planted-0&tag=latest",
    "headers": {"X-Api-Key": "planted-1", "X-Team": "a"},
    "auth": {
        "type": "oauth2",
        "token_url": "https://login.example/token?key=planted-2",
        "client_id": "portcall",
        "client_secret": "planted-3",
    },
    "secrets": [SIGNING],
    "retiring_secrets": [{"secret": SIGNING, "until": "2026-01-01T00:00:00Z"}],
    "hub_secret": "planted-4",
    "tls": {"client_cert": "public", "client_key": "planted-5"},
    "proxy": {
        "url": "http://proxy.example:3128",
        "auth": {"type": "basic", "username": "ann", "password": "planted-6"},
    },
}


def test_every_secret_of_a_target_is_split_off_and_comes_back_where_it_was() -> None:
    spec = Target.model_validate(EVERYTHING)
    public, secrets = split(spec)
    for shown in (json.dumps(public), repr(spec), spec.model_dump_json()):
        assert "planted" not in shown
        assert SIGNING not in shown
    assert public["url"] == f"https://ci.example/hook?token={MASK}&tag=latest"
    assert public["headers"] == {"X-Api-Key": MASK, "X-Team": "a"}
    assert set(secrets) == {
        ("url",),
        ("headers", "X-Api-Key"),
        ("auth", "token_url"),
        ("auth", "client_secret"),
        ("secrets", 0),
        ("retiring_secrets", 0, "secret"),
        ("hub_secret",),
        ("tls", "client_key"),
        ("proxy", "auth", "password"),
    }
    assert join(Target, json.loads(json.dumps(public)), secrets) == spec
    assert merge_masked(Target.model_validate(public), spec) == spec


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"url": f"https://ci.example/hook?token={MASK}"}, "url"),
        ({"url": "https://ci.example", "headers": {"X-Api-Key": MASK}}, "headers.X-Api-Key"),
    ],
)
def test_a_masked_part_of_a_url_or_header_without_a_stored_one_is_refused(
    sent: dict[str, object], field: str
) -> None:
    olds = (None, Target(name="ci", url="https://ci.example/hook?sig=a"))
    for old in olds:
        with pytest.raises(InvalidInputError) as refused:
            merge_masked(Target.model_validate({"name": "ci"} | sent), old)
        assert [error["field"] for error in refused.value.problem["errors"]] == [field]
