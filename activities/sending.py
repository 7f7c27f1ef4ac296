"""Makes the request of an attempt and sends it: access token, signature, exchange, record."""

from datetime import datetime

from portcall.attempts import AttemptError, AttemptOutcome, AttemptRecord
from portcall.auth import OAuth2Auth
from portcall.formats.format import Message
from portcall.outgoing import outgoing_request
from portcall.policies import Target
from portcall.ports import AccessTokens, Transport
from portcall.recording import sent_record, unsent_record
from portcall.redaction import redaction_for


class Sender:
    """The network, and who gets access tokens."""

    def __init__(self, transport: Transport, tokens: AccessTokens) -> None:
        """Take what the worker built."""
        self._transport = transport
        self._tokens = tokens

    async def send(
        self,
        target: Target,
        message: Message,
        message_id: str,
        number: int,
        started_at: datetime,
    ) -> AttemptRecord:
        """Send one message; the receiver's faults come back in the record."""
        token: str | None = None
        if isinstance(target.auth, OAuth2Auth):
            answer = await self._tokens.token(target.auth)
            if isinstance(answer, AttemptError):
                failed = AttemptOutcome.FAILED
                return unsent_record(number, started_at, failed, answer.type, answer.message)
            token = answer
        request = outgoing_request(target, message, message_id, started_at, token)
        exchange = await self._transport.send(request)
        redaction = redaction_for(target, token)
        return sent_record(number, started_at, request, exchange, redaction)
