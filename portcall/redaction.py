"""Decides what a record may not show.

That is a credential by the name of where it stands, and every secret of the target wherever it
occurs, in clear or in a usual encoding. `webhook-signature` stays: it is no secret, a
receiver's "bad signature" is explained only with it, and its key of at least 24 bytes cannot
be found from it.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_to_bytes, urlsplit

from pydantic import SecretStr

from portcall.attempts import Headers
from portcall.outgoing import auth_headers
from portcall.policies import Target
from portcall.signing import PREFIX, signing_key

REDACTED = "[redacted]"

SHORTEST_SECRET = 4
"""Shorter ones are hidden where they stand, but searching for them would spoil every text."""

_SENSITIVE_NAME = re.compile(
    r"token|secret|passw|session|cookie|key$|(^|[-_])auth($|[-_]|oriz|entic)"
    r"|(^|[-_])sig(nature)?$|^code$",
    re.IGNORECASE,
)
_PUBLIC_NAMES = frozenset({"webhook-signature", "www-authenticate", "proxy-authenticate"})
_URL_HEADERS = frozenset({"location", "content-location", "referer"})


class Redaction:
    """Hides the secrets that it was told of, and what is sensitive by its name."""

    def __init__(self, secrets: Iterable[bytes] = (), header_names: Iterable[str] = ()) -> None:
        """Hide these secrets everywhere, and the values of these headers."""
        self._secrets = [secret for secret in set(secrets) if len(secret) >= SHORTEST_SECRET]
        self._header_names = frozenset(name.lower() for name in header_names)
        forms = {form for secret in self._secrets for form in _forms(secret)}
        self._forms = sorted(forms, key=len, reverse=True)

    def body(self, body: bytes, *, truncated: bool = False) -> bytes:
        """Give a body without secrets; of a cut one also without a secret's first half."""
        redacted = self._hide(body)
        if truncated and self._forms:
            redacted = redacted[: max(len(redacted) - len(self._forms[0]) + 1, 0)]
        return redacted

    def text(self, text: str) -> str:
        """Give a text without secrets."""
        return self._hide(text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")

    def url(self, url: str) -> str:
        """Give a URL without credentials, sensitive query values and secrets."""
        place, mark, query = url.partition("?")
        place = re.sub(r"//[^/]*@", f"//{REDACTED}@", place)
        return self.text(place + mark + "&".join(map(_hidden_parameter, query.split("&"))))

    def headers(self, headers: Headers) -> Headers:
        """Give headers without credentials and secrets."""
        return tuple((self.text(name), self._header(name.lower(), v)) for name, v in headers)

    def _header(self, name: str, value: str) -> str:
        if name in self._header_names or is_sensitive(name):
            return REDACTED
        return self.url(value) if name in _URL_HEADERS else self.text(value)

    def _hide(self, data: bytes) -> bytes:
        if not self._secrets:
            return data
        for form in self._forms:
            data = data.replace(form, REDACTED.encode())
        decoded = unquote_to_bytes(data.replace(b"+", b" ")), unquote_to_bytes(data)
        if any(secret in plain for secret in self._secrets for plain in decoded):
            return REDACTED.encode()  # encoded in part only: no place to cut it out of
        return data


def redaction_for(target: Target, token: str | None = None) -> Redaction:
    """Give what hides the secrets of a target, and the access token that it was sent."""
    secrets = {*_auth_secrets(target), *_signing_secrets(target), *_named_secrets(target)}
    if token:
        secrets.add(token.encode())
    return Redaction(secrets, (name for name, _ in auth_headers(target.auth)))


def is_sensitive(name: str) -> bool:
    """Whether the value of a header or query parameter of this name is a credential."""
    return bool(_SENSITIVE_NAME.search(name)) and name.lower() not in _PUBLIC_NAMES


def _auth_secrets(target: Target) -> Iterator[bytes]:
    for value in dict(target.auth).values():
        if isinstance(value, SecretStr):
            yield value.get_secret_value().encode()
    for _, value in auth_headers(target.auth):
        yield value.rpartition(" ")[2].encode()  # without a scheme: Bearer, Basic, ...


def _signing_secrets(target: Target) -> Iterator[bytes]:
    for secret in target.secrets:
        yield secret.get_secret_value().removeprefix(PREFIX).encode()
        yield signing_key(secret.get_secret_value())


def _named_secrets(target: Target) -> Iterator[bytes]:
    for name, value in target.headers.items():
        if is_sensitive(name):
            yield value.encode()
    for parameter in urlsplit(target.url).query.split("&"):
        name, _, value = parameter.partition("=")
        if is_sensitive(unquote(name)):
            yield unquote_to_bytes(value)


def _hidden_parameter(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")
    return f"{name}={REDACTED}" if equals and is_sensitive(unquote(name)) else parameter


def _forms(secret: bytes) -> Iterator[bytes]:
    """Give the ways in which a secret is usually written down."""
    yield secret
    yield from (secret.hex().encode(), secret.hex().upper().encode())
    for written in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield written.encode()
        yield re.sub(r"%..", lambda escape: escape[0].lower(), written).encode()
    yield from _base64_forms(secret)
    text = secret.decode("latin-1")
    yield text.encode()  # UTF-8 read as Latin-1, as header values are
    try:
        text = secret.decode()
    except UnicodeDecodeError:
        return
    in_json = json.dumps(text)[1:-1]
    for written in (in_json, json.dumps(text, ensure_ascii=False)[1:-1], html.escape(text)):
        yield written.encode()
        yield written.replace("/", r"\/").encode()
    yield re.sub("[<>&]", lambda c: f"\\u{ord(c[0]):04x}", in_json).encode()  # as Go writes JSON


def _base64_forms(secret: bytes) -> Iterator[bytes]:
    """Give what base64 makes of the secret at each of the three places within a longer text."""
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + secret)
        whole = encoded[-(-shift * 8 // 6) : (shift + len(secret)) * 8 // 6]
        yield whole
        yield whole.translate(bytes.maketrans(b"+/", b"-_"))
