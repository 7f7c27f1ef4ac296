"""Makes the request of an attempt and sends it: access token, signature, exchange, record."""

from datetime import UTC, datetime

from portcall.attempts import AttemptError, AttemptOutcome, AttemptRecord, ErrorType
from portcall.auth import OAuth2Auth
from portcall.formats.format import Message
from portcall.outgoing import outgoing_request
from portcall.policies import Target
from portcall.ports import AccessTokens, Transport
from portcall.recording import sent_record, unsent_record
from portcall.redaction import redaction_for

UNAUTHORIZED = 401


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

        async def exchange(began_at: datetime, *tokens: str) -> AttemptRecord:
            """Send with the first of the tokens; what is recorded shows none of them."""
            token = tokens[0] if tokens else None
            request = outgoing_request(target, message, message_id, began_at, token)
            exchanged = await self._transport.send(request)
            redaction = redaction_for(target, *tokens)
            return sent_record(number, began_at, request, exchanged, redaction)

        auth = target.auth
        if not isinstance(auth, OAuth2Auth):
            return await exchange(started_at)
        token = await self._tokens.token(auth)
        if isinstance(token, AttemptError):
            blocked = token.type is ErrorType.BLOCKED
            outcome = AttemptOutcome.BLOCKED if blocked else AttemptOutcome.FAILED
            return unsent_record(number, started_at, outcome, token.type, token.message)
        record = await exchange(started_at, token)
        if record.http_status != UNAUTHORIZED:
            return record
        # It may have been revoked before its time: one that was just got is given back as it is.
        newer = await self._tokens.token(auth, renew=True)
        if isinstance(newer, AttemptError) or newer == token:
            return record
        return await exchange(datetime.now(UTC), newer, token)
