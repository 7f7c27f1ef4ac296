"""Makes an event of any JSON object by a source's mapping.

What the mapping finds is read strictly, since its author wants to know: a wrong value is
refused with the name of the field and its expression.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from portcall.errors import NotificationError
from portcall.event_types import EVENT_TYPES
from portcall.events import RawOriginal, RegistryEvent
from portcall.ids import plain_id
from portcall.mapping import FieldMapping
from portcall.sources.fields import (
    NAME_LIMIT,
    Part,
    fitting,
    is_digest,
    known,
    own_type,
    storable,
    tags_and_digest,
)
from portcall.sources.kind import Notification
from portcall.sources.paths import Paths

_OTHER_MEMBERS = {"events", "types", "attributes"}
_OF_A_REPOSITORY = ("artifact.", "blob.", "chart.", "referrer.", "repository.", "scan.", "tag.")
_VISIBILITIES: Mapping[str, Literal["public", "private"] | None] = {
    "": None,
    "public": "public",
    "private": "private",
}
_DEPTH = 32


class Image(NamedTuple):
    """The parts of `path/of/the/image:tag@digest`; None for what is not there."""

    repository: str | None = None
    tag: str | None = None
    digest: str | None = None


def read_image(text: str) -> Image | None:
    """Take an image reference apart; no host is taken off. None where it cannot be one."""
    located, _, digest = text.partition("@")
    path, slash, last = located.rpartition("/")
    name, _, tag = last.partition(":")
    if not name or (digest and not is_digest(digest)):
        return None
    return Image(f"{path}{slash}{name}", tag or None, digest or None)


class MappedEvents:
    """Reads the events of one notification."""

    def __init__(self, notification: Notification, kind: str, mapping: FieldMapping) -> None:
        """Begin with all steps of evaluation left."""
        self._notification = notification
        self._kind = kind
        self._mapping = mapping
        self._paths = Paths()

    def find_events(self, body: Any) -> Any:
        """Give what `events` finds in the body."""
        return self._paths.find("mapping.events", self._mapping.events or "@", body)

    def read(
        self,
        item: Mapping[str, Any],
        raw: bytes,
        *,
        identity: str,
        defaults: Mapping[str, Any] | None = None,
    ) -> RegistryEvent:
        """Make one event: what the mapping finds, or `defaults` for what it leaves out."""
        paths = {name: path for name, path in self._mapping if name not in _OTHER_MEMBERS and path}
        more = {f"attributes.{name}": path for name, path in self._mapping.attributes.items()}
        try:
            values = {name: self._find(name, path, item) for name, path in (paths | more).items()}
            return fitting(
                self._event(Part({**(defaults or {}), **values}, "mapping"), raw, identity)
            )
        except NotificationError as error:
            raise _explained(error, paths | more) from None

    def _find(self, name: str, path: str, item: Mapping[str, Any]) -> Any:
        return self._paths.find(f"mapping.{name}", path, item)

    def _event(self, found: Part, raw: bytes, identity: str) -> RegistryEvent:
        notification = self._notification
        native_type = found.required_name("type")
        event_type = self._type(native_type)
        image = _image(found, event_type)
        tags, digest = tags_and_digest(
            found.names("tags") or [image.tag], found.digest("digest") or image.digest
        )
        return RegistryEvent(
            id=_id(found) or identity,
            source=notification.source,
            kind=self._kind,
            type=event_type,
            native_type=native_type,
            occurred_at=found.moment("occurred_at", notification.received_at),
            received_at=notification.received_at,
            registry=_text(found, "registry"),
            project=found.name("project") or _project(image.repository),
            repository=image.repository,
            tags=tags,
            digest=digest,
            media_type=_text(found, "media_type"),
            artifact_type=_text(found, "artifact_type"),
            platforms=tuple(found.names("platforms")),
            size=_size(found),
            visibility=_visibility(found),
            actor=_text(found, "actor"),
            url=_text(found, "url", 2048),
            attributes=_attributes(found),
            raw=RawOriginal.of(raw, notification.headers.get("content-type", "application/json")),
        )

    def _type(self, word: str) -> str:
        plain = word.removeprefix("portcall.")  # another Portcall's CloudEvents
        known_type = plain if plain in EVENT_TYPES else own_type(self._kind, word)
        return self._mapping.types.get(word, known_type)


def _explained(error: NotificationError, paths: Mapping[str, str]) -> NotificationError:
    """Add the expression to a refusal because of what it found."""
    field = error.field.removeprefix("mapping.")
    path = paths.get(field) or paths.get(field.partition(".")[0])
    if path is None or repr(path) in error.message:
        return error
    message = f"{error.message} The expression is {path!r}."
    return NotificationError(message, reason=error.reason, field=error.field)


def _id(found: Part) -> str | None:
    """Read the sender's own id, which is a number with some."""
    value = found.members.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return plain_id(str(value))
    native = found.name("id")
    return native and plain_id(native)


def _image(found: Part, event_type: str) -> Image:
    """Read the repository, which may be a whole reference: JMESPath cannot take one apart."""
    text = found.name("repository")
    if text is None:
        if event_type.startswith(_OF_A_REPOSITORY):
            found.missing("repository")
        return Image()
    return read_image(text) or found.wrong("repository", "a repository's name, or name:tag@digest")


def _project(repository: str | None) -> str | None:
    project, slash, _ = (repository or "").partition("/")
    return project if slash and project else None


def _text(found: Part, name: str, limit: int = NAME_LIMIT) -> str | None:
    if not isinstance(found.members.get(name), str | None):
        found.wrong(name, "text")
    return found.text(name, limit)


def _size(found: Part) -> int | None:
    size = found.integer("size")
    if found.members.get("size") is not None and (size is None or size < 0):
        found.wrong("size", "a whole number of bytes")
    return size or None


def _visibility(found: Part) -> Literal["public", "private"] | None:
    word = (found.name("visibility") or "").lower()
    if word not in _VISIBILITIES:
        found.wrong("visibility", "public or private")
    return _VISIBILITIES[word]


def _attributes(found: Part) -> dict[str, Any]:
    names = [name for name in found.members if name.startswith("attributes.")]
    return known(**{name.removeprefix("attributes."): _attribute(found, name) for name in names})


def _attribute(found: Part, name: str) -> Any:
    try:
        return _plain(found.members[name], _DEPTH)
    except ValueError as error:
        found.wrong(name, f"plain JSON: {error}")


def _plain(value: Any, depth: int) -> Any:
    """Give JSON as it can be kept everywhere."""
    match value:
        case str():
            return storable(value)
        case None | bool():
            return value
        case int() if -(2**63) <= value < 2**63:
            return value
        case float() if math.isfinite(value):
            return value
        case list() | dict() if not depth:
            raise ValueError(f"it is nested more than {_DEPTH} deep")
        case list():
            return [_plain(item, depth - 1) for item in value]
        case dict():
            return {storable(key): _plain(item, depth - 1) for key, item in value.items()}
        case _:
            raise ValueError("it holds a number that is too big, or something else than data")
