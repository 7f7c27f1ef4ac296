import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from portcall.auth import SourceAuth
from portcall.sources.authentication import is_authentic, public_headers

SECRET = "s3cret-é"
BASIC = base64.b64encode(f"harbor:{SECRET}".encode()).decode()
WIRE = SECRET.encode().decode("latin-1")


def auth(**members: str) -> SourceAuth:
    return TypeAdapter(SourceAuth).validate_python(members)


BEARER = auth(type="bearer", token=SECRET)
BASIC_AUTH = auth(type="basic", username="harbor", password=SECRET)
HEADER = auth(type="header", name="X-Registry-Key", value=SECRET)
QUERY = auth(type="query", name="key", value=SECRET)
EVERY = [BEARER, BASIC_AUTH, HEADER, QUERY]


@pytest.mark.parametrize(
    ("spec", "headers", "query"),
    [
        (BEARER, {"authorization": f"Bearer {WIRE}"}, {}),
        (BEARER, {"authorization": f"bEARER  {WIRE}"}, {}),
        (BEARER, {"authorization": WIRE}, {}),
        (BASIC_AUTH, {"authorization": f"Basic {BASIC}"}, {}),
        (BASIC_AUTH, {"authorization": f"basic {BASIC}"}, {}),
        (HEADER, {"x-registry-key": WIRE}, {}),
        (QUERY, {}, {"key": SECRET}),
        (auth(type="none"), {}, {}),
    ],
)
def test_the_right_credential_is_accepted(spec, headers, query):
    assert is_authentic(spec, headers, query)


@pytest.mark.parametrize(
    ("spec", "headers", "query"),
    [
        (BEARER, {"authorization": f"Basic {WIRE}"}, {}),
        (BEARER, {"authorization": "Bearer"}, {}),
        (BEARER, {"authorization": f"Bearer {WIRE}x"}, {}),
        (BEARER, {"x-registry-key": WIRE}, {"key": SECRET}),
        (BASIC_AUTH, {"authorization": BASIC}, {}),
        (BASIC_AUTH, {"authorization": f"Bearer {BASIC}"}, {}),
        (HEADER, {"authorization": WIRE}, {}),
        (HEADER, {"x-registry-key": ""}, {}),
        (QUERY, {"key": WIRE}, {"other": SECRET}),
    ],
)
def test_a_wrong_credential_is_refused(spec, headers, query):
    assert not is_authentic(spec, headers, query)


@pytest.mark.parametrize("spec", EVERY)
def test_no_credential_is_refused(spec):
    assert not is_authentic(spec, {}, {})


@given(st.sampled_from(EVERY), st.text())
def test_no_header_or_parameter_can_crash_the_check(spec, value):
    headers = {"authorization": value, "x-registry-key": value}
    given_secret = value in (SECRET, WIRE)
    assert is_authentic(spec, headers, {"key": value}) is False or given_secret


def test_credentials_are_not_among_the_headers_to_keep():
    kept = {"content-type": "application/json", "user-agent": "Go-http-client/1.1"}
    secret = dict.fromkeys(
        [
            "authorization",
            "proxy-authorization",
            "cookie",
            "x-jfrog-event-auth",
            "x-hub-signature-256",
            "x-nexus-webhook-signature",
            "webhook-signature",
            "x-api-key",
        ],
        "planted",
    )
    assert public_headers(kept | secret, BEARER) == kept


def test_the_sources_own_header_is_not_kept_whatever_its_name():
    spec = auth(type="header", name="X-Harmless", value="planted")
    assert public_headers({"x-harmless": "planted", "accept": "*/*"}, spec) == {"accept": "*/*"}
