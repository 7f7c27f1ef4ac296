"""Reads the notifications of the CNCF distribution registry, v2 and v3 envelopes alike.

Version 2 leaves empty members out where version 3 writes `""` and 0; both mean absent. Other
registries have grown out of it: their kinds say in what they differ.
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
from portcall.sources.kind import BODY_LIMIT, MappingUse, Notification, Parsed, Signature
from portcall.sources.references import read_platform

_PLACE = re.compile(r"/(blobs|manifests)/[^/]*$")
_MANIFEST_TYPE = re.compile(r"[.](manifest|index)[.]")
_REFERENCES_LIMIT = 100


class Distribution:
    """The kind `distribution`, and what other registries' kinds have in common with it."""

    kind = "distribution"
    body_limit = BODY_LIMIT
    signature: Signature | None = None
    mapping_use: MappingUse = "none"

    uncertain: tuple[str, ...] = ("artifact.deleted",)
    """Types that a blob's event may have too: one deleted by digest looks like a manifest."""

    def parse(self, notification: Notification) -> Parsed:
        """Give one event for each of the envelope; an empty envelope says nothing."""
        with bounded_depth():
            envelope = read_object(notification.body)
            if envelope.members and "events" not in envelope.members:
                envelope.missing("events")
            return parse_each(
                notification, envelope, lambda item, raw: self.read(notification, item, raw)
            )

    def read(self, notification: Notification, item: Part, raw: bytes) -> RegistryEvent:
        """Read one event; of an unforeseen action nothing but its name and id must be there."""
        native_type = item.required_name("action")
        target, request = item.part("target"), item.part("request")
        event_type = self.type_of(native_type, target)
        if not event_type.startswith(f"{self.kind}."):
            item.required_part("target").required_name("repository")
        repository = target.name("repository")
        tags, digest = tags_and_digest([target.name("tag")], target.digest("digest"))
        references = _references(target)
        return RegistryEvent(
            id=self.identity(notification, item, raw),
            source=notification.source,
            kind=self.kind,
            type=event_type,
            native_type=native_type,
            occurred_at=item.moment("timestamp", notification.received_at),
            received_at=notification.received_at,
            registry=request.text("host"),
            project=self.project_of(repository or ""),
            repository=repository,
            tags=tags,
            digest=digest,
            media_type=target.text("mediaType"),
            artifact_type=target.text("artifactType"),
            platforms=_platforms(references),
            size=target.integer("size") or None,
            actor=item.part("actor").text("name"),
            url=target.text("url", 2048),
            correlation_id=request.text("id"),
            attributes=known(
                certainty="low" if event_type in self.uncertain else None,
                references=references or None,
                **self.facts(item),
            ),
            raw=RawOriginal.of(raw, notification.headers.get("content-type", "application/json")),
        )

    def identity(self, notification: Notification, item: Part, raw: bytes) -> str:  # noqa: ARG002
        """Give the event's id: the registry's own."""
        return plain_id(item.required_name("id"))

    def type_of(self, action: str, target: Part) -> str:
        """Say what an action on this target is in Portcall's words."""
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
                return own_type(self.kind, action)

    def project_of(self, repository: str) -> str | None:
        """Give the project in a repository's name: its first part, where there are several."""
        return repository.partition("/")[0] if "/" in repository else None

    def facts(self, item: Part) -> dict[str, str | None]:
        """Give what only describes the event."""
        target, request, actor = (item.part(name) for name in ("target", "request", "actor"))
        return {
            "request_method": request.text("method"),
            "request_addr": request.text("addr"),
            "user_agent": request.text("useragent"),
            "user_type": actor.text("user_type"),
            "from_repository": target.text("fromRepository"),
            "instance_id": item.part("source").text("instanceID"),
        }


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


def _references(target: Part) -> list[dict[str, str]]:
    return [_reference(part) for part in target.parts("references")[:_REFERENCES_LIMIT]]


def _reference(part: Part) -> dict[str, str]:
    """Give a child of an index, or the config or a layer of an image."""
    return known(
        digest=part.text("digest"),
        media_type=part.text("mediaType"),
        platform=read_platform(part.part("platform")),
    )
