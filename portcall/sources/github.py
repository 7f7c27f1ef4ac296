"""Reads GitHub's webhooks about container packages: `package` and `registry_package`.

Both say the same under another name. Other events, and packages that are no containers,
say nothing here.
"""

from urllib.parse import parse_qs

from portcall.errors import NotificationError
from portcall.events import RawOriginal, RegistryEvent
from portcall.ids import derived_id, plain_id
from portcall.sources.fields import (
    Part,
    bounded_depth,
    fitting,
    is_digest,
    known,
    own_type,
    read_object,
    tags_and_digest,
)
from portcall.sources.kind import MappingUse, Notification, Parsed, Signature
from portcall.sources.references import ImageReference, read_reference

_EVENTS = ("package", "registry_package")
_CONTAINERS = ("container", "docker")
_PUSHES = ("published", "updated", "create")
"""`create` is what the container registry said in its first year."""


class Github:
    """The kind `github`."""

    kind = "github"
    # GitHub sends nothing above this.
    body_limit = 25 * 1024 * 1024
    signature = Signature(header="X-Hub-Signature-256", prefix="sha256=")
    mapping_use: MappingUse = "none"

    def parse(self, notification: Notification) -> Parsed:
        """Give the one event of a container package; a `ping` and all else give none."""
        if notification.headers.get("x-github-event", _EVENTS[0]).lower() not in _EVENTS:
            return Parsed()
        with bounded_depth():
            body = read_object(_json(notification))
            event = next((name for name in _EVENTS if name in body.members), _EVENTS[0])
            package = body.required_part(event)
            if not _is_image(package):
                return Parsed()
            return Parsed((fitting(_read(notification, body, event, package)),))


def _is_image(package: Part) -> bool:
    """Say whether this is an image: the two names of its kind need not agree."""
    package.required_name("package_type", "ecosystem")
    words = (package.name(name) for name in ("package_type", "ecosystem"))
    return any(word and word.lower() in _CONTAINERS for word in words)


def _json(notification: Notification) -> bytes:
    """Take the JSON out of a form, which is what a webhook of GitHub's may be set to send."""
    if "x-www-form-urlencoded" not in notification.headers.get("content-type", "").lower():
        return notification.body
    try:
        form = parse_qs(notification.body.decode("ascii"), max_num_fields=10, errors="strict")
        return form["payload"][0].encode()
    except (ValueError, KeyError):
        raise NotificationError(
            "The body is not a form with a field payload.", reason="not_a_form", field="payload"
        ) from None


def _read(notification: Notification, body: Part, event: str, package: Part) -> RegistryEvent:
    action = body.required_name("action")
    native_type = f"{event}.{action}"
    version = package.part("package_version")
    metadata = version.part("container_metadata")
    manifest = metadata.part("manifest")
    reference = read_reference(version, "package_url")
    repository = _repository(package, reference)
    tags, digest = _tags_and_digest(version, metadata, reference)
    return RegistryEvent(
        id=_identity(notification),
        source=notification.source,
        kind=Github.kind,
        type="artifact.pushed" if action.lower() in _PUSHES else own_type(Github.kind, native_type),
        native_type=native_type,
        occurred_at=package.moment("updated_at", notification.received_at),
        received_at=notification.received_at,
        registry=reference.registry,
        project=repository.partition("/")[0],
        repository=repository,
        tags=tags,
        digest=digest,
        media_type=manifest.text("media_type"),
        artifact_type=manifest.part("config").text("media_type"),
        size=manifest.integer("size"),
        actor=body.part("sender").text("login"),
        url=version.text("html_url", 2048) or package.text("html_url", 2048),
        attributes=_attributes(body, version, metadata),
        raw=RawOriginal.of(
            notification.body, notification.headers.get("content-type", "application/json")
        ),
    )


def _identity(notification: Notification) -> str:
    """Take the delivery's number, which a redelivery keeps; the body has times that differ."""
    delivery = notification.headers.get("x-github-delivery")
    return plain_id(delivery) if delivery else derived_id([notification.source, notification.body])


def _repository(package: Part, reference: ImageReference) -> str:
    """Give the name to pull by, which is lower-case where the owner's is not."""
    if reference.repository:
        return reference.repository.lower()
    owner = package.part("owner")
    project = owner.name("login") or package.name("namespace") or owner.missing("login")
    name = package.required_name("name")
    return (package.joined("name", project, name) or name).lower()


def _tags_and_digest(
    version: Part, metadata: Part, reference: ImageReference
) -> tuple[tuple[str, ...], str | None]:
    """Find both in the metadata, else in the version's own name and URL.

    The registry before GitHub's container registry had no metadata; its versions are tags.
    """
    tag = metadata.part("tag")
    digest = tag.digest("digest") or metadata.part("manifest").digest("digest")
    name = version.name("version")
    named = name if name and (is_digest(name) or not metadata.members) else None
    return tags_and_digest([tag.name("name") or reference.tag, named], digest)


def _attributes(body: Part, version: Part, metadata: Part) -> dict[str, object]:
    manifest, labels = metadata.part("manifest"), metadata.part("labels")
    blobs = [manifest.part("config"), *manifest.parts("layers")]
    sizes = [size for blob in blobs if (size := blob.integer("size")) is not None]
    return known(
        version_id=version.integer("id"),
        image_size=sum(sizes) if sizes else None,
        image_source=labels.text("source", 2048),
        image_revision=labels.text("revision"),
        code_repository=body.part("repository").text("full_name"),
    )
