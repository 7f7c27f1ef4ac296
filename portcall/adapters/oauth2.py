"""Gets access tokens by client credentials, through the guarded transport."""

from portcall.attempts import AttemptError, ErrorType
from portcall.auth import OAuth2Auth
from portcall.ports import Transport


class OAuth2Tokens:
    """The AccessTokens of one process."""

    def __init__(self, transport: Transport) -> None:
        """Take what sends."""
        self._transport = transport

    async def token(self, auth: OAuth2Auth, *, renew: bool = False) -> str | AttemptError:
        """Give a token."""
        del auth, renew
        return AttemptError(type=ErrorType.AUTH, message="not built yet")
