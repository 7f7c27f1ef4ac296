"""Reads the notifications of the CNCF distribution registry, v2 and v3 envelopes alike.

GitLab's registry is a fork of it and sends the same. Version 2 leaves empty members out
where version 3 writes `""` and 0; both mean absent.
"""

import re

from portcall.events import RawOriginal, RegistryEvent
from portcall.ids import plain_id
from portcall.sources.envelope import parse_each
from portcall.sources.fields import (
    Part,
    bounded_depth,
    known,
    own_type,
    read_object,
    tags_and_digest,
)
from portcall.sources.kind import BODY_LIMIT, MappingUse, Notification, Parsed

_PLACE = re.compile(r"/(blobs|manifests)/[^/]*$")
_MANIFEST_TYPE = re.compile(r"[.](manifest|index)[.]")
_REFERENCES_LIMIT = 100


class Distribution:
    """The kind `distribution`."""

    kind = "distribution"
    body_limit = BODY_LIMIT
    signature = None
    mapping_use: MappingUse = "none"

    def parse(self, notification: Notification) -> Parsed:
        """Give one event for each of the envelope; an empty envelope says nothing."""
        with bounded_depth():
            envelope = read_object(notification.body)
            if envelope.members and "events" not in envelope.members:
                envelope.missing("events")
            return parse_each(
                notification, envelope, lambda item, raw: _read(notification, item, raw)
            )


def _read(notification: Notification, item: Part, raw: bytes) -> RegistryEvent:
    target, request, actor = item.required_part("target"), item.part("request"), item.part("actor")
    native_type = item.required_name("action")
    repository = target.required_name("repository")
    event_type = _type(native_type, target)
    tags, digest = tags_and_digest([target.name("tag")], target.digest("digest"))
    references = [_reference(part) for part in target.parts("references")[:_REFERENCES_LIMIT]]
    return RegistryEvent(
        id=plain_id(item.required_name("id")),
        source=notification.source,
        kind=Distribution.kind,
        type=event_type,
        native_type=native_type,
        occurred_at=item.moment("timestamp", notification.received_at),
        received_at=notification.received_at,
        registry=request.text("host"),
        project=repository.partition("/")[0] if "/" in repository else None,
        repository=repository,
        tags=tags,
        digest=digest,
        media_type=target.text("mediaType"),
        artifact_type=target.text("artifactType"),
        platforms=_platforms(references),
        size=target.integer("size") or None,
        actor=actor.text("name"),
        url=target.text("url", 2048),
        correlation_id=request.text("id"),
        attributes=known(
            request_method=request.text("method"),
            request_addr=request.text("addr"),
            user_agent=request.text("useragent"),
            user_type=actor.text("user_type"),
            from_repository=target.text("fromRepository"),
            instance_id=item.part("source").text("instanceID"),
            # A blob deleted by digest looks the same.
            certainty="low" if event_type == "artifact.deleted" else None,
            references=references or None,
        ),
        raw=RawOriginal.of(raw, notification.headers.get("content-type", "application/json")),
    )


def _type(action: str, target: Part) -> str:
    match action.lower():
        case "delete" if target.name("digest"):
            return "artifact.deleted"
        case "delete":
            return "tag.deleted" if target.name("tag") else "repository.deleted"
        case "mount":
            return "blob.mounted"
        case "push" | "pull" as done:
            return f"{_subject(target)}.{done}ed"
        case _:
            return own_type(Distribution.kind, action)


def _subject(target: Part) -> str:
    """Tell a manifest from a blob: by the tag, by the end of the URL, by the media type."""
    if target.name("tag"):
        return "artifact"
    place = _PLACE.search(target.text("url", 2048) or "")
    if place:
        return "blob" if place[1] == "blobs" else "artifact"
    media_type = target.text("mediaType")
    return "artifact" if media_type is None or _MANIFEST_TYPE.search(media_type) else "blob"


def _platforms(references: list[dict[str, str]]) -> tuple[str, ...]:
    found = dict.fromkeys(text for child in references if (text := child.get("platform")))
    return tuple(found)


def _reference(part: Part) -> dict[str, str]:
    """Give a child of an index, or the config or a layer of an image."""
    platform = part.part("platform")
    names = (platform.text(name) for name in ("os", "architecture", "variant"))
    return known(
        digest=part.text("digest"),
        media_type=part.text("mediaType"),
        platform="/".join(name for name in names if name) or None,
    )
