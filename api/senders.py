"""Whether a notification comes from its source: the credential at once, a signature with the body.

The sender learns only that its credential is missing or wrong; the log says what of it.
"""

from collections.abc import Mapping

import structlog

from portcall.auth import HmacAuth, OidcAuth
from portcall.errors import AuthenticationError
from portcall.policies import Source
from portcall.ports import TokenVerifier
from portcall.sources.authentication import bearer_token, is_authentic, is_signed, signature_of
from portcall.sources.kind import Signature

log = structlog.get_logger(__name__)


async def admit(
    source: Source, headers: Mapping[str, str], query: Mapping[str, str], tokens: TokenVerifier
) -> None:
    """Raise AuthenticationError unless the credential is right, before the body is read.

    A signature is judged by `admit_body`. Raise UnavailableError where nobody can tell yet
    whether a token is right.
    """
    match source.auth:
        case HmacAuth():
            return
        case OidcAuth():
            token = bearer_token(headers)
            why = await tokens.refusal(token, source.auth) if token else "there is no bearer token"
        case _:
            authentic = is_authentic(source.auth, headers, query)
            why = None if authentic else "the credential is missing or wrong"
    _refuse(source, why)


def admit_body(
    source: Source, headers: Mapping[str, str], body: bytes, signature: Signature | None
) -> None:
    """Raise AuthenticationError unless a body that must be signed is, before it is parsed."""
    if isinstance(source.auth, HmacAuth) and not is_signed(source.auth, signature, headers, body):
        expected = signature_of(source.auth, signature)
        given = expected and expected.header.lower() in headers
        _refuse(source, "the signature is wrong" if given else "there is no signature")


def _refuse(source: Source, why: str | None) -> None:
    if why:
        log.warning("sender refused", source=source.name, why=why)
        raise AuthenticationError(f"The credential of source {source.name} is missing or wrong.")
