"""Reads CloudEvents of any sender: by the source's mapping, else where registries put things."""

import re
from collections.abc import Iterator
from typing import Any

from portcall.events import RegistryEvent
from portcall.ids import derived_id
from portcall.mapping import FieldMapping
from portcall.sources.cloudevents_http import parse_cloudevents
from portcall.sources.fields import NAME_LIMIT, Part, bounded_depth, is_digest
from portcall.sources.kind import BODY_LIMIT, MappingUse, Notification, Parsed
from portcall.sources.mapped import MappedEvents, read_image

_HOST = re.compile(r"https?://([^/?#@]{1,255})(?:[/?#]|$)")
_WORD = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_WORD}(?:/{_WORD})*")
_ATTRIBUTE = re.compile(r"[a-z0-9_-]{1,50}")
_ATTRIBUTES_LIMIT = 50
_TOO_LONG = NAME_LIMIT + 1
_ELSEWHERE = {"specversion", "id", "type", "time", "datacontenttype", "data", "data_base64"}


class Cloudevents:
    """The kind `cloudevents`."""

    kind = "cloudevents"
    body_limit = BODY_LIMIT
    signature = None
    mapping_use: MappingUse = "optional"

    def parse(self, notification: Notification) -> Parsed:
        """Give one event for each CloudEvent; one of a batch that is wrong stops no other."""
        reader = MappedEvents(notification, self.kind, notification.mapping or FieldMapping())

        def read(event: Part, raw: bytes) -> RegistryEvent:
            identity = derived_id([event.members["source"], event.members["id"]])
            defaults = _defaults(event, notification)
            return reader.read(event.members, raw, identity=identity, defaults=defaults)

        with bounded_depth():
            return parse_cloudevents(notification, read)


def _defaults(event: Part, notification: Notification) -> dict[str, Any]:
    """Find what a mapping may leave out; what is not as expected is not there."""
    data = event.part("data")
    target, resources = data.part("target"), data.parts("resources")
    digests = [part.text("digest") for part in (data, target, *resources[:1])]
    source = _HOST.match(event.text("source", 2048) or "")
    single = (data.text(name) for name in ("tag", "imageTag", "reference"))
    tags = [*single, *data.texts("tags"), target.text("tag")]
    return {
        "type": event.required_name("type"),
        "occurred_at": event.moment("time", notification.received_at).isoformat(),
        "registry": source and source[1],
        "repository": next(_repositories(event, data), None),
        "tags": [tag for tag in (*tags, *(part.text("tag") for part in resources)) if tag],
        "digest": next(filter(_is_digest, (*digests, data.text("imageDigest"))), None),
        "media_type": data.text("mediaType") or data.text("media_type") or target.text("mediaType"),
        "actor": data.text("actor") or data.part("actor").text("name") or event.text("operator"),
        **_attributes(event),
    }


def _repositories(event: Part, data: Part) -> Iterator[str]:
    """Give what names a repository, and of `name` and `subject` what looks like one."""
    harbors, azures = (data.part("repository"), "repo_full_name"), data.part("target")
    named = (data, "repository"), harbors, (azures, "repository"), (data, "repositoryName")
    for part, name in named:
        text = part.text(name, _TOO_LONG) or ""
        if read_image(text) and len(text) < _TOO_LONG:
            yield text
    for part, name in ((data, "name"), (event, "subject")):
        text = part.text(name, _TOO_LONG) or ""
        image = read_image(text)
        if part is event and "/" not in text and ":" not in text:
            image = None  # one word is as likely anything else: the specification has `123`
        if image and _REPOSITORY.fullmatch(image.repository or "") and len(text) < _TOO_LONG:
            yield text


def _is_digest(text: str | None) -> bool:
    return text is not None and is_digest(text)


def _attributes(event: Part) -> dict[str, Any]:
    """Give the CloudEvent's other attributes and its extensions."""
    names = [
        name for name in event.members if _ATTRIBUTE.fullmatch(name) and name not in _ELSEWHERE
    ]
    values = {
        name: event.text(name) or event.integer(name) or event.flag(name)
        for name in names[:_ATTRIBUTES_LIMIT]
    }
    return {f"attributes.{name}": value for name, value in values.items()}
