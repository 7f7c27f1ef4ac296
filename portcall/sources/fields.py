"""Reads a notification's JSON: what is absent, what is wrong and where, in bounded size.

What identifies an event (type, id, names, tag, digest, time) is read strictly: a wrong value
is a NotificationError with its dotted path. What merely describes it is read where it can be.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from portcall.errors import NotificationError
from portcall.events import RegistryEvent

NAME_LIMIT = 255
LIST_LIMIT = 1000
EVENT_LIMIT = 512 * 1024

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_TYPE_NOISE = re.compile(r"[^a-z0-9_.-]+")
_FIRST_WEBHOOK = datetime(2013, 1, 1, tzinfo=UTC)


@contextmanager
def bounded_depth() -> Iterator[None]:
    """Refuse JSON that is nested deeper than Python follows."""
    try:
        yield
    except RecursionError:
        raise NotificationError("The JSON is nested too deeply.", reason="too_deep") from None


def read_json(body: bytes) -> Any:
    """Read a body that must be JSON in UTF-8 (RFC 8259)."""
    try:
        return json.loads(
            body.decode("utf-8-sig"), parse_constant=_not_a_number, parse_float=_finite
        )
    except ValueError as error:
        why = "it is empty" if not body else "it is gzip" if body[:2] == b"\x1f\x8b" else error
        raise NotificationError(f"The body is not JSON: {why}.", reason="not_json") from None


def read_object(body: bytes) -> "Part":
    """Read a body that must be a JSON object."""
    return as_object(read_json(body))


def as_object(value: Any) -> "Part":
    """Take a body that was read and must be a JSON object."""
    if not isinstance(value, dict):
        raise NotificationError("The body must be a JSON object.", reason="wrong_type")
    return Part(value)


def write_json(value: Any) -> bytes:
    """Write JSON in its shortest form; a lone surrogate becomes the escape that it was."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Part:
    """A JSON object in a notification, and the dotted path that leads to it."""

    members: Mapping[str, Any]
    path: str = ""

    def at(self, name: str) -> str:
        """Give the dotted path of a member."""
        return f"{self.path}.{name}" if self.path else name

    def wrong(self, name: str, expected: str) -> NoReturn:
        """Refuse the event because of a member's value."""
        field = self.at(name)
        raise NotificationError(f"{field} must be {expected}.", reason="wrong_type", field=field)

    def missing(self, name: str) -> NoReturn:
        """Refuse the event because of a member that is absent or empty."""
        field = self.at(name)
        raise NotificationError(f"{field} is missing.", reason="missing_field", field=field)

    def name(self, *names: str) -> str | None:
        """Read text that identifies something; the first of `names` that is not empty."""
        for name in names:
            value = self.members.get(name)
            if value is None or value == "":
                continue
            if not isinstance(value, str):
                self.wrong(name, "text")
            return self._bounded(name, storable(value))
        return None

    def joined(self, name: str, project: str | None, repository: str | None) -> str | None:
        """Put a project before a repository's name, which the member `name` gave."""
        full = f"{project}/{repository}" if project and repository else repository
        return full and self._bounded(name, full)

    def _bounded(self, name: str, value: str) -> str:
        if len(value) <= NAME_LIMIT:
            return value
        field = self.at(name)
        message = f"{field} is longer than {NAME_LIMIT} characters."
        raise NotificationError(message, reason="too_long", field=field)

    def required_name(self, *names: str) -> str:
        """Read text that identifies something and must be there."""
        return self.name(*names) or self.missing(names[0])

    def names(self, name: str) -> list[str]:
        """Read a text or a list of texts that identify something, at most `LIST_LIMIT` of them."""
        value = self.members.get(name)
        if not isinstance(value, list):
            return [text] if (text := self.name(name)) else []
        items = Part({str(i): item for i, item in enumerate(value[:LIST_LIMIT])}, self.at(name))
        return [text for index in items.members if (text := items.name(index))]

    def digest(self, name: str) -> str | None:
        """Read a digest."""
        value = self.name(name)
        return value if value is None or is_digest(value) else self.wrong(name, "a digest")

    def text(self, name: str, limit: int = NAME_LIMIT) -> str | None:
        """Read text that describes something, cut at `limit`; None where there is none."""
        value = self.members.get(name)
        return storable(value[:limit]) if isinstance(value, str) and value else None

    def integer(self, name: str) -> int | None:
        """Read a whole number of at most 64 bits; None where there is none."""
        value = self.members.get(name)
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value, re.ASCII):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return int(value) if -(2**63) <= value < 2**63 else None

    def flag(self, name: str) -> bool | None:
        """Read a truth value; None where there is none."""
        return value if isinstance(value := self.members.get(name), bool) else None

    def moment(self, name: str, otherwise: datetime) -> datetime:
        """Read a time, RFC 3339 or epoch seconds or milliseconds.

        Absent, or before there were registries that notify, it is `otherwise`: Go writes an
        unset time as the year 1, and the proposal's own sample is of 1975.
        """
        value = self.members.get(name)
        if value is None or value == "":
            return otherwise
        number = self.integer(name)
        try:
            if number is not None:
                moment = datetime.fromtimestamp(number if number < 10**11 else number / 1000, UTC)
            else:
                moment = datetime.fromisoformat(value)
                moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (TypeError, ValueError, OverflowError, OSError):
            self.wrong(name, "a time")
        return moment if moment >= _FIRST_WEBHOOK else otherwise

    def part(self, name: str) -> "Part":
        """Read an object that may be absent; anything else is an empty one."""
        value = self.members.get(name)
        return Part(value if isinstance(value, dict) else {}, self.at(name))

    def required_part(self, name: str) -> "Part":
        """Read an object that must be there."""
        if name not in self.members:
            self.missing(name)
        if not isinstance(self.members[name], dict):
            self.wrong(name, "an object")
        return self.part(name)

    def parts(self, name: str) -> list["Part"]:
        """Read the objects of a list, at most `LIST_LIMIT` of them."""
        found = self._list(name, dict)
        return [Part(item, f"{self.at(name)}.{index}") for index, item in found]

    def texts(self, name: str) -> list[str]:
        """Read the texts of a list, each cut, at most `LIST_LIMIT` of them."""
        return [storable(item[:NAME_LIMIT]) for _, item in self._list(name, str) if item]

    def _list(self, name: str, kind: type) -> list[tuple[int, Any]]:
        value = self.members.get(name)
        items = value[:LIST_LIMIT] if isinstance(value, list) else []
        return [(index, item) for index, item in enumerate(items) if isinstance(item, kind)]


def storable(text: str) -> str:
    """Replace what neither PostgreSQL nor protobuf keeps: NUL and lone surrogates."""
    return _UNSTORABLE.sub("\ufffd", text)


def is_digest(text: str) -> bool:
    """Say whether this is a digest, which some registries put in a tag's place.

    The grammar is OCI's (image-spec, descriptor.md); no tag holds a colon.
    """
    return _DIGEST.fullmatch(text) is not None


def tags_and_digest(
    references: Iterable[str | None], digest: str | None = None
) -> tuple[tuple[str, ...], str | None]:
    """Part tags from digests: each tag once, and the digest, else the first in a tag's place."""
    given = [text for text in references if text]
    tags = dict.fromkeys(text for text in given if not is_digest(text))
    return tuple(tags)[:LIST_LIMIT], digest or next(filter(is_digest, given), None)


def host(reference: str | None) -> str | None:
    """Give the host, with its port, of an image reference or a URL."""
    name, slash, _ = (reference or "").rpartition("://")[2].partition("/")
    return name[:NAME_LIMIT] if slash and name else None


def own_type(kind: str, native_type: str) -> str:
    """Make `<kind>.<its own name>`, in letters that a policy can name, for an unforeseen type."""
    name = _TYPE_NOISE.sub("_", native_type.lower().removeprefix(f"{kind}."))
    return f"{kind}.{name}"[:100]


def known(**facts: Any) -> dict[str, Any]:
    """Give the facts that are not None."""
    return {name: value for name, value in facts.items() if value is not None}


def fitting(event: RegistryEvent) -> RegistryEvent:
    """Refuse an event whose facts alone would not fit beside its raw original in a payload."""
    if len(event.without_raw().model_dump_json().encode()) > EVENT_LIMIT:
        raise NotificationError(
            f"The event's facts are larger than {EVENT_LIMIT} bytes.", reason="too_big"
        )
    return event


def _not_a_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


def _finite(text: str) -> float:
    if math.isfinite(value := float(text)):
        return value
    raise ValueError("a number is too big")
