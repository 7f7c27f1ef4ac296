"""Decides what a record may not show.

That is a credential by the name of where it stands, and every secret of the target wherever it
occurs, in clear or in a usual encoding. Signatures stay: they are no secrets, a receiver's "bad
signature" is explained only with them, and a key of at least 24 bytes cannot be found from them.
"""

import base64
import contextlib
import html
import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote_to_bytes

from portcall.attempts import Headers
from portcall.outgoing import auth_headers
from portcall.policies import Target
from portcall.secrets import split
from portcall.sensitive import SecretUrl, is_sensitive, masked_url, secrets_in_url
from portcall.signing import HUB_SIGNATURE, SHORTEST_KEY, forms_of_key

REDACTED = "[redacted]"

SHORTEST_SECRET = 4
"""Shorter ones are hidden where they stand, but searching for them would spoil every text."""

_URL_HEADERS = frozenset({"location", "content-location", "referer"})


class Redaction:
    """Hides the secrets that it was told of, and what is sensitive by its name."""

    def __init__(self, secrets: Iterable[bytes] = (), header_names: Iterable[str] = ()) -> None:
        """Hide these secrets everywhere, and the values of these headers."""
        self._secrets = [secret for secret in set(secrets) if len(secret) >= SHORTEST_SECRET]
        self._header_names = frozenset(name.lower() for name in header_names)
        forms = {form for secret in self._secrets for form in _forms(secret)}
        self._forms = sorted(forms, key=len, reverse=True)
        self._lengths = [-len(form) for form in self._forms]

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
        return self.text(masked_url(url, REDACTED))

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
        for form in self._forms[bisect_left(self._lengths, -len(data)) :]:
            data = data.replace(form, REDACTED.encode())
        if any(secret in plain for plain in _decoded(data) for secret in self._secrets):
            return REDACTED.encode()  # encoded in part only: no place to cut it out of
        return data


def redaction_for(target: Target, *tokens: str) -> Redaction:
    """Give what hides the secrets of a target, and the access tokens that it was sent."""
    secrets = {*_secrets_of(target), *_credentials(target), *(token.encode() for token in tokens)}
    return Redaction(secrets, _hidden_headers(target))


def _secrets_of(target: Target) -> Iterator[bytes]:
    """Give whatever is stored encrypted, and what it is made of."""
    for path, secret in split(target)[1].items():
        if isinstance(secret, SecretUrl):
            yield from secrets_in_url(secret)
            continue
        yield secret.encode()
        if path[0] == "headers":
            yield from _without_scheme(secret)
        if path[0] in ("secrets", "retiring_secrets"):
            yield from forms_of_key(secret)
        if path[-1] == "client_key":
            yield from _lines_of_key(secret)


def _credentials(target: Target) -> Iterator[bytes]:
    """Give what is sent of the credentials, without a scheme: Bearer, Basic, ..."""
    proxy = auth_headers(target.proxy.auth) if target.proxy else ()
    for _, value in (*auth_headers(target.auth), *proxy):
        yield from _without_scheme(value)


def _without_scheme(value: str) -> Iterator[bytes]:
    """Give the credential in a header that begins with its scheme, of Basic the password too."""
    scheme, _, credential = value.rpartition(" ")
    yield credential.encode()
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            yield base64.b64decode(credential).partition(b":")[2]


def _lines_of_key(pem: str) -> Iterator[bytes]:
    """Give the lines of a PEM file that are its key, each, and together as they often stand."""
    lines = [line.strip() for line in pem.splitlines() if line.strip() and ":" not in line]
    lines = [line for line in lines if not line.startswith("-----")]
    yield from (line.encode() for line in lines if len(line) >= SHORTEST_KEY)
    yield "".join(lines).encode()


def _hidden_headers(target: Target) -> Iterator[str]:
    yield from (name for name, _ in auth_headers(target.auth))
    hub = target.hub_secret
    if hub and len(hub.get_secret_value().encode()) < SHORTEST_KEY:
        yield HUB_SIGNATURE  # a short key could be found from it by trying


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


_ESCAPE = re.compile(
    r"""\\u(?P<json>[0-9a-f]{4})|\\(?P<itself>["\\/])
    |&\#x(?P<hex>[0-9a-f]{1,6});?|&\#(?P<decimal>[0-9]{1,7});?|&(?P<name>amp|apos|gt|lt|quot);""",
    re.VERBOSE | re.IGNORECASE,
)


def _decoded(data: bytes) -> Iterator[bytes]:
    """Give what was written in part or in whole in the escapes of URLs, JSON or HTML."""
    if b"%" in data or b"+" in data:
        yield unquote_to_bytes(data.replace(b"+", b" "))
        yield unquote_to_bytes(data)
    if b"\\" in data or b"&" in data:
        text = _ESCAPE.sub(_character, data.decode("utf-8", "replace"))
        yield text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _character(escape: re.Match[str]) -> str:
    if name := escape["name"]:
        return html.unescape(f"&{name.lower()};")
    if itself := escape["itself"]:
        return itself
    code = int(escape["decimal"] or 0) or int(escape["json"] or escape["hex"] or "0", 16)
    return chr(min(code, 0x10FFFF))


def _base64_forms(secret: bytes) -> Iterator[bytes]:
    """Give what base64 makes of the secret at each of the three places within a longer text."""
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + secret)
        whole = encoded[-(-shift * 8 // 6) : (shift + len(secret)) * 8 // 6]
        yield whole
        yield whole.translate(bytes.maketrans(b"+/", b"-_"))
