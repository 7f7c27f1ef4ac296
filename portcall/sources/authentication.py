"""Decides whether a request is its source's: by credential or signature; and what may be kept.

Pure: the caller reads the headers, the query and the body and answers 401. A token is judged
by a `TokenVerifier`, which must ask its issuer.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import replace

from portcall.auth import BasicAuth, BearerAuth, HeaderAuth, HmacAuth, NoAuth, QueryAuth, SourceAuth
from portcall.sources.kind import Signature

_CREDENTIAL_HEADER = re.compile(r"auth|cookie|token|secret|signature|api-?key|passw|credential")
_JSON_WITHOUT_BLANKS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[^ \t\r\n"]+', re.DOTALL)


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


def is_signed(
    auth: HmacAuth, signature: Signature | None, headers: Mapping[str, str], body: bytes
) -> bool:
    """Say whether a header holds the body's HMAC, written as the source or its kind says."""
    expected = signature_of(auth, signature)
    if expected is None:
        return False
    given = _sent(headers.get(expected.header.lower(), ""))
    key = _stored(auth.secret.get_secret_value())
    if _is_same(_written(expected, key, body), given):
        return True
    if not expected.compact_json or not given:
        return False
    return _is_same(_written(expected, key, _without_blanks(body)), given)


def signature_of(auth: SourceAuth, signature: Signature | None) -> Signature | None:
    """Give where the signature stands and how it is written: what the source says, else the kind.

    None where neither says where.
    """
    if not isinstance(auth, HmacAuth):
        return signature
    own = {
        name: value
        for name in ("header", "algorithm", "encoding", "prefix")
        if (value := getattr(auth, name)) is not None
    }
    if signature is None:
        return Signature(**own) if auth.header else None
    return replace(signature, **own)


def bearer_token(headers: Mapping[str, str]) -> str:
    """Give what stands behind `Bearer` in the Authorization header, nothing where it is absent."""
    return _after("bearer", headers.get("authorization", ""))


def public_headers(
    headers: Mapping[str, str], auth: SourceAuth, signature: Signature | None = None
) -> dict[str, str]:
    """Give the headers without anything that is or may be a credential or a signature."""
    own = {auth.name.lower()} if isinstance(auth, HeaderAuth) else set()
    if signed := signature_of(auth, signature):
        own.add(signed.header.lower())
    return {
        name: value
        for name, value in headers.items()
        if name not in own and not _CREDENTIAL_HEADER.search(name)
    }


def _written(signature: Signature, key: bytes, body: bytes) -> bytes:
    digest = hmac.digest(key, body, getattr(hashlib, signature.algorithm))
    text = digest.hex() if signature.encoding == "hex" else base64.b64encode(digest).decode()
    return _stored(signature.prefix + text)


def _without_blanks(body: bytes) -> bytes:
    """Leave out the blanks between JSON's tokens without reading it: in linear time, of any bytes.

    Nexus hashes its JSON before it is laid out; reading and writing it again would change
    numbers and escapes.
    """
    return b"".join(_JSON_WITHOUT_BLANKS.findall(body))


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
