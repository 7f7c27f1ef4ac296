from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import pytest
from pydantic import ValidationError

from portcall.auth import BasicAuth, BearerAuth, HeaderAuth
from portcall.formats.format import Message
from portcall.outgoing import outgoing_request
from portcall.policies import Target

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def a_request(message=None, **fields):
    target = Target.model_validate({"name": "ci", "url": "https://ci.example:8443/hook"} | fields)
    return outgoing_request(target, message or Message("text/plain", b"hello"), "msg_1", NOW)


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
     "webhook-id", "Webhook-Signature", "webhook-anything"],
)  # fmt: skip
def test_what_frames_or_signs_the_request_is_ours(name):
    plain = a_request(secrets=[SECRET]).headers
    assert a_request(secrets=[SECRET], headers={name: "999"}).headers == plain
    assert a_request(secrets=[SECRET], auth=HeaderAuth(name=name, value="999")).headers == plain


def test_each_secret_signs():
    signature = dict(a_request(secrets=[SECRET, SECRET]).headers)["webhook-signature"]
    assert len(signature.split(" ")) == 2


@pytest.mark.parametrize("value", ["a\nb", "a\r\nX-Injected: b", "a\0", "a\n", " a", "a\x7f"])
def test_a_credential_that_would_break_the_request_is_refused_and_not_shown(value):
    for auth in (
        {"type": "bearer", "token": value},
        {"type": "header", "name": "A", "value": value},
    ):
        with pytest.raises(ValidationError, match="line break") as caught:
            a_request(auth=auth)
        assert repr(value) not in str(caught.value)
