import base64
import hmac
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from portcall.auth import SourceAuth
from portcall.sources.authentication import (
    bearer_token,
    is_authentic,
    is_signed,
    public_headers,
    signature_of,
)
from portcall.sources.kind import Signature

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


HMAC = auth(type="hmac", secret=SECRET)
HUB = Signature(header="X-Hub-Signature-256", prefix="sha256=")
NEXUS = Signature(header="X-Nexus-Webhook-Signature", algorithm="sha1", compact_json=True)
BODY = b'{ "a": "b \\" c",\t"n": 1.50e3 }\n'
COMPACT = b'{"a":"b \\" c","n":1.50e3}'


def signed(body: bytes, algorithm: str = "sha256", secret: str = SECRET) -> bytes:
    return hmac.new(secret.encode(), body, algorithm).digest()


@pytest.mark.parametrize(
    ("spec", "kinds", "header", "value"),
    [
        (HMAC, HUB, "x-hub-signature-256", "sha256=" + signed(BODY).hex()),
        (HMAC, NEXUS, "x-nexus-webhook-signature", signed(BODY, "sha1").hex()),
        (HMAC, NEXUS, "x-nexus-webhook-signature", signed(COMPACT, "sha1").hex()),
        (
            auth(
                type="hmac", secret=SECRET, header="X-Mine", algorithm="sha512", encoding="base64"
            ),
            None,
            "x-mine",
            base64.b64encode(signed(BODY, "sha512")).decode(),
        ),
        (
            auth(type="hmac", secret=SECRET, prefix="", algorithm="sha1"),
            HUB,
            "x-hub-signature-256",
            signed(BODY, "sha1").hex(),
        ),
    ],
)
def test_a_signature_stands_where_the_source_or_else_its_kind_says(spec, kinds, header, value):
    assert is_signed(spec, kinds, {header: value}, BODY)
    assert not is_signed(spec, kinds, {}, BODY)
    assert not is_signed(spec, kinds, {header: value.upper()}, BODY)
    assert not is_signed(spec, kinds, {header: value}, BODY + b"x")
    assert not is_signed(
        auth(type="hmac", secret="other", **own(spec)), kinds, {header: value}, BODY
    )


def own(spec) -> dict[str, str]:
    return spec.model_dump(exclude_none=True, exclude={"type", "secret"})


def test_without_a_place_for_it_no_signature_is_right():
    value = signed(BODY).hex()
    assert not is_signed(HMAC, None, {"": value, "signature": value}, BODY)
    assert signature_of(HMAC, None) is None


@given(
    st.sampled_from([HUB, NEXUS, Signature("X-Sig", encoding="base64", algorithm="sha512")]),
    st.binary(min_size=1, max_size=200),
    st.integers(min_value=0),
)
def test_a_flipped_bit_of_body_or_signature_never_passes(kinds, body, position):
    digest = signed(body, kinds.algorithm)
    text = digest.hex() if kinds.encoding == "hex" else base64.b64encode(digest).decode()
    value = (kinds.prefix + text).encode()
    name = kinds.header.lower()
    assert is_signed(HMAC, kinds, {name: value.decode()}, body)
    forged = flipped(value, position).decode("latin-1")
    assert not is_signed(HMAC, kinds, {name: forged}, body)
    assert not is_signed(HMAC, kinds, {name: value.decode()}, flipped(body, position))


def flipped(data: bytes, position: int) -> bytes:
    byte, bit = position // 8 % len(data), position % 8
    return data[:byte] + bytes([data[byte] ^ 1 << bit]) + data[byte + 1 :]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_json_signed_without_blanks_passes_however_it_is_laid_out(value, ascii_only, indent):
    compact = json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))
    sent = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode(
        "utf-8", "surrogatepass"
    )
    digest = signed(compact.encode("utf-8", "surrogatepass"), "sha1")
    assert is_signed(HMAC, NEXUS, {"x-nexus-webhook-signature": digest.hex()}, sent)


@given(st.binary(max_size=60) | st.text(alphabet='"\\ \ta', max_size=60).map(str.encode))
def test_leaving_out_blanks_loses_nothing_else(body):
    digest = signed(bytes(c for c in body if c not in b" \t\r\n"), "sha1")
    if not body.count(b'"'):
        assert is_signed(HMAC, NEXUS, {"x-nexus-webhook-signature": digest.hex()}, body)


def test_the_second_try_takes_linear_time_on_hostile_bytes():
    for body in (b'"' + b'\\"' * 500_000, b'"' * 1_000_000, b" " * 1_000_000, b"\\" * 999_999):
        began = time.perf_counter()
        assert not is_signed(HMAC, NEXUS, {"x-nexus-webhook-signature": "0"}, body)
        assert time.perf_counter() - began < 2


def test_a_signature_is_not_among_the_headers_to_keep():
    spec = auth(type="hmac", secret=SECRET, header="X-Body-Check")
    headers = {"x-body-check": "planted", "x-hub-digest": "planted", "accept": "*/*"}
    assert public_headers(headers, spec, None).keys() == {"x-hub-digest", "accept"}
    assert public_headers(headers, BEARER, Signature("X-Hub-Digest")).keys() == {
        "x-body-check",
        "accept",
    }


def test_a_bearer_token_stands_behind_its_scheme_only():
    assert bearer_token({"authorization": "bEARER a.b.c"}) == "a.b.c"
    assert bearer_token({"authorization": "a.b.c"}) == ""
    assert bearer_token({}) == ""


@pytest.mark.parametrize(
    "spec", [HMAC, auth(type="oidc", audience="https://portcall.test/notifications/gar")]
)
def test_what_headers_alone_cannot_prove_is_not_authentic_by_them(spec):
    assert not is_authentic(spec, {"authorization": f"Bearer {WIRE}"}, {"key": SECRET})
