"""Decides whether a request carries its source's credential, and what of it may be kept.

Pure: the caller reads the headers and the query and answers 401.
"""

import base64
import hmac
import re
from collections.abc import Mapping

from portcall.auth import BasicAuth, BearerAuth, HeaderAuth, NoAuth, QueryAuth, SourceAuth

_CREDENTIAL_HEADER = re.compile(r"auth|cookie|token|secret|signature|api-?key|passw|credential")


def is_authentic(auth: SourceAuth, headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
    """Say whether headers (lower-case names) or query parameters carry the credential."""
    match auth:
        case NoAuth():
            return True
        case BearerAuth():
            return _is_bearer(auth.token.get_secret_value(), headers.get("authorization", ""))
        case BasicAuth():
            pair = f"{auth.username}:{auth.password.get_secret_value()}"
            expected = base64.b64encode(_stored(pair))
            return _is_same(expected, _sent(_after("basic", headers.get("authorization", ""))))
        case HeaderAuth():
            expected = _stored(auth.value.get_secret_value())
            return _is_same(expected, _sent(headers.get(auth.name.lower(), "")))
        case QueryAuth():
            expected = _stored(auth.value.get_secret_value())
            return _is_same(expected, _stored(query.get(auth.name, "")))
        case _:
            return False


def public_headers(headers: Mapping[str, str], auth: SourceAuth) -> dict[str, str]:
    """Give the headers without anything that is or may be a credential."""
    own = auth.name.lower() if isinstance(auth, HeaderAuth) else None
    return {
        name: value
        for name, value in headers.items()
        if name != own and not _CREDENTIAL_HEADER.search(name)
    }


def _is_bearer(token: str, header: str) -> bool:
    """Accept `Bearer <token>` and the token alone.

    Harbor and GitLab send what their user typed as the whole header, often a bare secret.
    """
    expected = _stored(token)
    with_scheme = _is_same(expected, _sent(_after("bearer", header)))
    alone = _is_same(expected, _sent(header))
    return with_scheme or alone


def _after(scheme: str, header: str) -> str:
    """Give the credential behind an authentication scheme (any case: RFC 9110, section 11.1)."""
    given, _, credential = header.partition(" ")
    return credential.strip() if given.lower() == scheme else ""


def _is_same(expected: bytes, given: bytes) -> bool:
    return hmac.compare_digest(expected, given)


def _stored(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _sent(header: str) -> bytes:
    """Give a header's bytes as they came: ASGI servers' frameworks decode them as Latin-1."""
    return header.encode("latin-1", "backslashreplace")
