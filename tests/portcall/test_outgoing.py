from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import pytest
from pydantic import ValidationError

from portcall.auth import BasicAuth, BearerAuth, HeaderAuth, OAuth2Auth
from portcall.formats.format import Message
from portcall.outgoing import auth_headers, live_secrets, outgoing_request
from portcall.policies import Target

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


OTHER = "whsec_" + "b3RoZXIh" * 4


def a_target(**fields):
    return Target.model_validate({"name": "ci", "url": "https://ci.example:8443/hook"} | fields)


def a_request(message=None, **fields):
    return outgoing_request(
        a_target(**fields), message or Message("text/plain", b"hello"), "msg_1", NOW
    )


def test_a_plain_target_gets_these_headers_and_no_other():
    request = a_request(timeout="7s", skip_cert_verify=True)
    assert dict(request.headers) == {
        "User-Agent": f"Portcall/{version('portcall')}",
        "Accept": "*/*",
        "Content-Type": "text/plain",
        "Host": "ci.example:8443",
        "Accept-Encoding": "identity",
        "Content-Length": "5",
        "webhook-id": "msg_1",
        "webhook-timestamp": "1767225600",
    }
    assert (request.method, request.url) == ("POST", "https://ci.example:8443/hook")
    assert (request.body, request.timeout) == (b"hello", timedelta(seconds=7))
    assert request.skip_cert_verify


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        (BearerAuth(token="abc"), ("Authorization", "Bearer abc")),
        (BasicAuth(username="ü", password="p:w"), ("Authorization", "Basic w7w6cDp3")),
        (HeaderAuth(name="X-Door", value="Bearer x"), ("X-Door", "Bearer x")),
    ],
)
def test_a_credential_becomes_its_header_and_wins_over_the_targets_own(auth, header):
    request = a_request(auth=auth, headers={header[0].upper(): "mine"})
    assert [h for h in request.headers if h[0].lower() == header[0].lower()] == [header]


def test_a_target_may_set_other_headers_also_in_place_of_the_messages():
    message = Message("text/plain", b"", (("X-Kind", "a"),))
    headers = dict(a_request(message, headers={"user-agent": "me", "x-kind": "b"}).headers)
    assert (headers["user-agent"], headers["x-kind"]) == ("me", "b")
    assert "User-Agent" not in headers


@pytest.mark.parametrize(
    "name",
    ["Host", "Content-Length", "Transfer-Encoding", "Connection", "Accept-Encoding",
     "webhook-id", "Webhook-Signature", "webhook-anything", "x-hub-signature-256"],
)  # fmt: skip
def test_what_frames_or_signs_the_request_is_ours(name):
    signed = {"secrets": [SECRET], "hub_secret": "hub"}
    plain = sorted(a_request(**signed).headers)
    assert sorted(a_request(**signed, headers={name: "999"}).headers) == plain
    assert sorted(a_request(**signed, auth=HeaderAuth(name=name, value="999")).headers) == plain


def test_each_secret_signs():
    signature = dict(a_request(secrets=[SECRET, SECRET]).headers)["webhook-signature"]
    assert len(signature.split(" ")) == 2


def test_retiring_secrets_sign_after_the_others_until_their_time():
    retiring = [
        {"secret": OTHER, "until": NOW + timedelta(seconds=1)},
        {"secret": SECRET, "until": NOW},
    ]
    target = a_target(secrets=[SECRET], retiring_secrets=retiring)
    assert live_secrets(target, NOW) == [SECRET, OTHER]
    assert live_secrets(target, NOW + timedelta(seconds=1)) == [SECRET]
    alone = a_request(retiring_secrets=retiring)
    assert dict(alone.headers)["webhook-signature"].count("v1,") == 1


def test_the_hub_secret_signs_the_raw_body_as_github_does():
    request = a_request(
        Message("text/plain", b"Hello, World!"), hub_secret="It's a Secret to Everybody"
    )
    assert dict(request.headers)["X-Hub-Signature-256"] == (
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )


def test_an_access_token_becomes_a_bearer_and_without_one_nothing_is_sent():
    auth = OAuth2Auth(token_url="https://login.example/", client_id="a", client_secret="b")
    assert auth_headers(auth, "abc") == (("Authorization", "Bearer abc"),)
    assert auth_headers(auth) == ()


@pytest.mark.parametrize("value", ["a\nb", "a\r\nX-Injected: b", "a\0", "a\n", " a", "a\x7f"])
def test_a_credential_that_would_break_the_request_is_refused_and_not_shown(value):
    for auth in (
        {"type": "bearer", "token": value},
        {"type": "header", "name": "A", "value": value},
    ):
        with pytest.raises(ValidationError, match="line break") as caught:
            a_request(auth=auth)
        assert repr(value) not in str(caught.value)
