"""Reads the events that zot sends as CloudEvents."""

import json

from portcall.events import RawOriginal, RegistryEvent, Scan
from portcall.ids import plain_id
from portcall.sources.cloudevents_http import parse_cloudevents
from portcall.sources.fields import (
    Part,
    bounded_depth,
    fitting,
    known,
    own_type,
    tags_and_digest,
)
from portcall.sources.kind import BODY_LIMIT, MappingUse, Notification, Parsed
from portcall.sources.references import read_platform

_PREFIX = "zotregistry."
_TYPES = {
    "repository.created": "repository.created",
    "image.updated": "artifact.pushed",
    "image.lint_failed": "artifact.rejected",
    "image.scanned": "scan.completed",
}
_COUNTS = {
    "Critical": "criticalCount",
    "High": "highCount",
    "Medium": "mediumCount",
    "Low": "lowCount",
    "Unknown": "unknownCount",
}


class Zot:
    """The kind `zot`."""

    kind = "zot"
    body_limit = BODY_LIMIT
    signature = None
    mapping_use: MappingUse = "none"

    def parse(self, notification: Notification) -> Parsed:
        """Give the event."""
        with bounded_depth():
            return parse_cloudevents(
                notification, lambda event, raw: fitting(_read(notification, event, raw))
            )


def _read(notification: Notification, event: Part, raw: bytes) -> RegistryEvent:
    native_type = event.required_name("type")
    data = event.part("data")
    manifest = _manifest(data)
    tags, digest = tags_and_digest([data.name("reference")], data.digest("digest"))
    event_type = _type(native_type.lower().removeprefix(_PREFIX), tags, manifest)
    if not event_type.startswith(f"{Zot.kind}."):
        event.required_part("data").required_name("name")
    repository = data.name("name")
    request = data.part("request")
    return RegistryEvent(
        id=plain_id(event.members["id"]),
        source=notification.source,
        kind=Zot.kind,
        type=event_type,
        native_type=native_type,
        occurred_at=event.moment("time", notification.received_at),
        received_at=notification.received_at,
        project=(repository or "").rpartition("/")[0].partition("/")[0] or None,
        repository=repository,
        tags=tags,
        digest=digest,
        media_type=data.text("mediaType"),
        artifact_type=manifest.text("artifactType"),
        platforms=_platforms(manifest),
        size=_size(data),
        actor=data.part("actor").text("name"),
        scan=_scan(data) if event_type == "scan.completed" else None,
        attributes=known(
            channel=event.text("channel"),
            subject_digest=manifest.part("subject").text("digest"),
            config_type=manifest.part("config").text("mediaType"),
            request_method=request.text("method"),
            request_addr=request.text("addr"),
            user_agent=request.text("useragent"),
        ),
        raw=RawOriginal.of(raw, notification.headers.get("content-type", "application/json")),
    )


def _type(word: str, tags: tuple[str, ...], manifest: Part) -> str:
    if word == "image.deleted":
        return "tag.deleted" if tags else "artifact.deleted"
    if word == "image.updated" and manifest.part("subject").members:
        return "referrer.pushed"
    return _TYPES.get(word) or own_type(Zot.kind, word)


def _manifest(data: Part) -> Part:
    """Read the manifest, which is JSON in a text; what cannot be read is an empty one."""
    text = data.members.get("manifest")
    try:
        manifest = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        manifest = None
    return Part({"manifest": manifest}).part("manifest")


def _size(data: Part) -> int | None:
    text = data.members.get("manifest")
    return len(text.encode("utf-8", "surrogatepass")) or None if isinstance(text, str) else None


def _platforms(manifest: Part) -> tuple[str, ...]:
    """Give the platforms of an index; an image has its own in its config, which is not sent."""
    found = (read_platform(child.part("platform")) for child in manifest.parts("manifests")[:100])
    return tuple(dict.fromkeys(text for text in found if text))


def _scan(data: Part) -> Scan:
    summary = data.part("summary")
    counts = {name: summary.integer(member) for name, member in _COUNTS.items()}
    return Scan(
        kind="vulnerability",
        status="completed",
        severity=summary.text("maxSeverity"),
        total=summary.integer("count"),
        fixable=summary.integer("fixableCount"),
        counts={name: count for name, count in counts.items() if count is not None},
    )
