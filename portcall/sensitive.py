"""What is a credential by its name or its place: of headers, of a URL, of known chat services."""

import re
from collections.abc import Iterator
from urllib.parse import unquote, unquote_to_bytes

from portcall.secrets import MASK, Concealed

_SENSITIVE_NAME = re.compile(
    r"token|secret|passw|session|cookie|key$|(^|[-_])auth($|[-_]|oriz|entic)"
    r"|(^|[-_])(sig(nature)?|pass|pwd|jwt|credentials?)$|^code$",
    re.IGNORECASE,
)
_PUBLIC_NAMES = frozenset({"webhook-signature", "www-authenticate", "proxy-authenticate"})
_SECRET_PATH = re.compile(
    r"""(https?://(?:
        hooks\.slack(?:-gov)?\.com(?::\d+)?/(?:services|workflows|triggers)/
        |(?:[a-z]+\.)?discord(?:app)?\.com(?::\d+)?/api/(?:v\d+/)?webhooks/\d+/
        |[\w.-]+\.webhook\.office\.com(?::\d+)?/webhookb2/
        |outlook\.office(?:365)?\.com(?::\d+)?/webhook/
    ))([^?#]+)""",
    re.VERBOSE | re.IGNORECASE,
)
_SECRET_PART = re.compile(r"(https?://api\.telegram\.org(?::\d+)?/bot)([^/?#]+)", re.IGNORECASE)
"""Webhooks of chat services whose path, or a part of it, is the credential: the public part, and
the secret one."""


def is_sensitive(name: str) -> bool:
    """Whether the value of a header or query parameter of this name is a credential."""
    return bool(_SENSITIVE_NAME.search(name)) and name.lower() not in _PUBLIC_NAMES


def masked_url(url: str, mask: str = MASK) -> str:
    """Give a URL without user, sensitive query values and a path that is a credential."""
    place, mark, query = url.partition("?")
    for path in _SECRET_PATH, _SECRET_PART:
        place = path.sub(lambda found: found[1] + mask, place)
    place = re.sub(r"//[^/]*@", f"//{mask}@", place)
    return place + mark + "&".join(_masked(parameter, mask) for parameter in query.split("&"))


def secrets_in_url(url: str) -> Iterator[bytes]:
    """Give the credentials in a URL, percent-decoded."""
    place, _, query = url.partition("?")
    if found := _SECRET_PATH.match(place) or _SECRET_PART.match(place):
        yield unquote_to_bytes(found[2])
        yield unquote_to_bytes(found[2].rstrip("/").rpartition("/")[2])
    if user := re.search(r"//([^/]*)@", place):
        yield unquote_to_bytes(user[1])
        yield unquote_to_bytes(user[1].partition(":")[2])
    for parameter in query.partition("#")[0].split("&"):
        name, _, value = parameter.partition("=")
        if is_sensitive(unquote(name)):
            yield unquote_to_bytes(value)


class SecretUrl(Concealed):
    """A URL that is shown without its credentials."""

    __slots__ = ()

    @property
    def shown(self) -> str:
        """The URL with the mask in their place."""
        return masked_url(self)

    @property
    def is_masked(self) -> bool:
        """Whether something in it was shown, and sent back."""
        return MASK in self

    def filled(self, known: str) -> str:
        """Take from `known` what is masked here: the same parameter, the same place's path."""
        place, mark, query = self.partition("?")
        known_place, _, known_query = known.partition("?")
        if MASK in place and masked_url(known_place) == place:
            place = known_place
        values = dict(parameter.partition("=")[::2] for parameter in known_query.split("&"))
        filled = [
            f"{name}={values.get(name, value) if value == MASK else value}" if equals else name
            for name, equals, value in (parameter.partition("=") for parameter in query.split("&"))
        ]
        return place + mark + "&".join(filled)


def concealed_headers(headers: dict[str, str]) -> dict[str, str]:
    """Conceal the values of headers whose names say that they are credentials."""
    return {n: Concealed(value) if is_sensitive(n) else value for n, value in headers.items()}


def _masked(parameter: str, mask: str) -> str:
    name, equals, _ = parameter.partition("=")
    return f"{name}={mask}" if equals and is_sensitive(unquote(name)) else parameter
