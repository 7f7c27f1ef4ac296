"""Reads the predefined webhooks of JFrog Artifactory.

The domain `docker` tells of images. What other domains tell arrives under its own name.
"""

import re
from dataclasses import dataclass

from portcall.events import RawOriginal, RegistryEvent
from portcall.sources.fields import (
    Part,
    bounded_depth,
    fitting,
    host,
    known,
    own_type,
    read_object,
    tags_and_digest,
)
from portcall.sources.kind import BODY_LIMIT, MappingUse, Notification, Parsed, Signature
from portcall.sources.repeats import id_by_time

_NATIVE_TYPES = {
    "docker.pushed": "artifact.pushed",
    "docker.deleted": "artifact.deleted",
    "docker.promoted": "artifact.promoted",
}
# Artifactory says which of two a file is, not whether it is Docker's or OCI's: these are OCI's.
_MEDIA_TYPES = {
    "list.manifest.json": "application/vnd.oci.image.index.v1+json",
    "manifest.json": "application/vnd.oci.image.manifest.v1+json",
}
_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_TEST_CHECKSUM = "sample_checksum"


@dataclass(frozen=True)
class _Image:
    repository: str | None = None
    tags: tuple[str, ...] = ()
    digest: str | None = None
    media_type: str | None = None
    platforms: tuple[str, ...] = ()


class Jfrog:
    """The kind `jfrog`."""

    kind = "jfrog"
    body_limit = BODY_LIMIT
    signature = Signature(header="X-JFrog-Event-Auth")
    mapping_use: MappingUse = "none"

    def parse(self, notification: Notification) -> Parsed:
        """Give the one event; what the button *Test* sends gives none."""
        with bounded_depth():
            body = read_object(notification.body)
            if body.part("data").text("sha256") == _TEST_CHECKSUM:
                return Parsed()
            return Parsed((fitting(_read(notification, body)),))


def _read(notification: Notification, body: Part) -> RegistryEvent:
    domain, event = body.required_name("domain"), body.required_name("event_type")
    native_type = f"{domain}.{event}"
    event_type = _NATIVE_TYPES.get(native_type.lower())
    data = body.required_part("data") if event_type else body.part("data")
    image = _image(data) if domain.lower() == "docker" else _Image()
    if event_type and not image.repository:
        data.missing("path")
    key, path = data.name("repo_key"), data.text("path", 1024)
    if event_type == "artifact.pushed" and key and key.endswith("-cache"):
        # What a remote repository caches is kept in one of this name.
        event_type = "cache.synced"
    origin = (body.text("jpd_origin", 1024) or "").rstrip("/")
    return RegistryEvent(
        id=id_by_time(notification, notification.body),
        source=notification.source,
        kind=Jfrog.kind,
        type=event_type or own_type(Jfrog.kind, native_type),
        native_type=native_type,
        occurred_at=notification.received_at,
        received_at=notification.received_at,
        registry=host(f"{origin}/"),
        project=key,
        repository=image.repository,
        tags=image.tags,
        digest=image.digest,
        media_type=image.media_type,
        platforms=image.platforms,
        size=data.integer("size"),
        actor=body.part("userContext").text("id"),
        url=_url(origin, key, path),
        attributes=known(
            path=path,
            image_type=data.text("image_type"),
            subscription=body.text("subscription_key"),
            service=body.text("source"),
        ),
        raw=RawOriginal.of(
            notification.body, notification.headers.get("content-type", "application/json")
        ),
    )


def _image(data: Part) -> _Image:
    """Read what the domain `docker` is about.

    The path `name/of/the/image/<tag>/manifest.json` is asked first, since `image_name` may
    lack the beginning. The folder of an untagged image is named `sha256__<hex>`.
    """
    path = (data.text("path", 1024) or "").strip("/")
    *names, folder, file = ["", "", *path.split("/")]
    named = "/".join(filter(None, names)) if file.endswith("manifest.json") else ""
    tag = data.name("tag") or (data.joined("path", None, folder) if named else None)
    tags, digest = tags_and_digest([tag and tag.replace("sha256__", "sha256:", 1)], _digest(data))
    return _Image(
        repository=data.joined("path", None, named) or data.name("image_name"),
        tags=tags,
        digest=digest,
        media_type=_MEDIA_TYPES.get(data.text("name") or file),
        platforms=_platforms(data),
    )


def _digest(data: Part) -> str | None:
    """Read the checksum of the manifest's file, which is the image's digest."""
    text = data.name("sha256")
    if text is None:
        return None
    checksum = _HEX.fullmatch(text.lower()) or data.wrong("sha256", "64 hex digits")
    return f"sha256:{checksum[1]}"


def _platforms(data: Part) -> tuple[str, ...]:
    found = (
        "/".join(filter(None, (part.text("os"), part.text("architecture"), part.text("variant"))))
        for part in data.parts("platforms")
    )
    return tuple(dict.fromkeys(filter(None, found)))


def _url(origin: str, key: str | None, path: str | None) -> str | None:
    if not (origin and key and path):
        return None
    return f"{origin.removesuffix('/artifactory')}/artifactory/{key}/{path.lstrip('/')}"
