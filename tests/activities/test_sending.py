"""The access token of a target: got, refused, renewed once where the receiver says 401."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from activities.sending import Sender
from portcall.attempts import AttemptError, AttemptOutcome, ErrorType, Timings
from portcall.auth import OAuth2Auth
from portcall.formats.format import Message
from portcall.policies import Target
from portcall.ports import Exchange, OutgoingRequest, ReceivedResponse

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AUTH = OAuth2Auth(token_url="https://login.example/", client_id="a", client_secret="cl13nt")
TARGET = Target(name="ci", url="https://ci.example/hook", auth=AUTH)


def answered(status, body=b""):
    response = ReceivedResponse(status, (), body, truncated=False)
    return Exchange(response, None, Timings(total=5.0), "192.0.2.7:443")


@dataclass
class Wire:
    """A transport that answers each request in turn, the last answer for ever."""

    answers: Sequence[Exchange] = (answered(200),)
    requests: list[OutgoingRequest] = field(default_factory=list)

    async def send(self, request: OutgoingRequest) -> Exchange:
        self.requests.append(request)
        return self.answers[min(len(self.requests), len(self.answers)) - 1]

    @property
    def credentials(self):
        return [dict(request.headers).get("Authorization") for request in self.requests]


@dataclass
class Tokens:
    """Access tokens of which the first is kept, and the next one given on renewal."""

    answers: Sequence[str | AttemptError]
    renewals: int = 0

    async def token(self, auth: OAuth2Auth, *, renew: bool = False) -> str | AttemptError:
        assert auth == AUTH
        self.renewals += renew
        return self.answers[min(self.renewals, len(self.answers) - 1)]


async def send(wire, tokens, target=TARGET):
    return await Sender(wire, tokens).send(target, Message("text/plain", b"hi"), "m", 2, NOW)


async def test_a_target_with_another_credential_needs_no_token():
    wire = Wire()
    tokens = Tokens([AttemptError(type=ErrorType.AUTH, message="none")])
    record = await send(
        wire, tokens, TARGET.model_copy(update={"auth": Target.model_fields["auth"].default})
    )
    assert record.outcome is AttemptOutcome.DELIVERED
    assert wire.credentials == [None]


async def test_the_token_is_sent_and_neither_shown_nor_echoed():
    wire = Wire([answered(200, b"you sent t0k3n-1 of cl13nt")])
    record = await send(wire, Tokens(["t0k3n-1"]))
    assert wire.credentials == ["Bearer t0k3n-1"]
    assert record.response.body == "you sent [redacted] of [redacted]"
    assert "t0k3n" not in record.model_dump_json()


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [(ErrorType.AUTH, AttemptOutcome.FAILED), (ErrorType.BLOCKED, AttemptOutcome.BLOCKED)],
)
async def test_without_a_token_nothing_is_sent_and_the_record_says_why(kind, outcome):
    wire = Wire()
    record = await send(wire, Tokens([AttemptError(type=kind, message="no access token")]))
    assert wire.requests == []
    assert (record.number, record.started_at, record.outcome) == (2, NOW, outcome)
    assert record.summary() == f"{kind}: no access token"


async def test_a_token_that_is_refused_is_renewed_and_the_message_sent_once_more():
    wire = Wire([answered(401), answered(200, b"not t0k3n-1 but t0k3n-2")])
    record = await send(wire, Tokens(["t0k3n-1", "t0k3n-2"]))
    assert wire.credentials == ["Bearer t0k3n-1", "Bearer t0k3n-2"]
    assert (record.number, record.outcome) == (2, AttemptOutcome.DELIVERED)
    assert record.response.body == "not [redacted] but [redacted]"
    assert record.started_at > NOW
    ids = {dict(request.headers)["webhook-id"] for request in wire.requests}
    assert ids == {"m"}


@pytest.mark.parametrize(
    ("tokens", "sent"),
    [
        (["old", "new"], 2),
        (["fresh", "fresh"], 1),
        (["old", AttemptError(type=ErrorType.AUTH, message="away")], 1),
    ],
)
async def test_a_receiver_that_refuses_every_token_is_asked_twice_at_most(tokens, sent):
    wire = Wire([answered(401)])
    record = await send(wire, Tokens(tokens))
    assert record.http_status == 401
    assert len(wire.requests) == sent


async def test_another_refusal_renews_no_token():
    wire, tokens = Wire([answered(403)]), Tokens(["old", "new"])
    assert (await send(wire, tokens)).http_status == 403
    assert tokens.renewals == 0
