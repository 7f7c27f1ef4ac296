"""Reads Docker Hub's webhooks: a tag was pushed, by whom and when, but not which digest.

`callback_url` is never called: Docker Hub no longer supports it, and it can name any address.
"""

from datetime import datetime

from portcall.events import RawOriginal, RegistryEvent
from portcall.ids import derived_id
from portcall.sources.fields import Part, bounded_depth, fitting, read_object, tags_and_digest
from portcall.sources.kind import BODY_LIMIT, MappingUse, Notification, Parsed, Signature
from portcall.sources.repeats import id_by_time


class Dockerhub:
    """The kind `dockerhub`."""

    kind = "dockerhub"
    body_limit = BODY_LIMIT
    signature: Signature | None = None
    mapping_use: MappingUse = "none"

    def parse(self, notification: Notification) -> Parsed:
        """Give the one event, which is always a push."""
        with bounded_depth():
            body = read_object(notification.body)
            return Parsed((fitting(_read(notification, body)),))


def _read(notification: Notification, body: Part) -> RegistryEvent:
    push, repository = body.required_part("push_data"), body.required_part("repository")
    project = repository.name("namespace")
    name = (
        repository.name("repo_name")
        or repository.joined("name", project, repository.name("name"))
        or repository.missing("repo_name")
    )
    tags, digest = tags_and_digest([push.name("tag")])
    pushed_at = push.moment("pushed_at", notification.received_at)
    private = repository.flag("is_private")
    return RegistryEvent(
        id=_identity(notification, pushed_at, name, *tags, digest or ""),
        source=notification.source,
        kind=Dockerhub.kind,
        type="artifact.pushed",
        native_type="push",
        occurred_at=pushed_at,
        received_at=notification.received_at,
        registry="docker.io",
        project=project or (name.partition("/")[0] if "/" in name else None),
        repository=name,
        tags=tags,
        digest=digest,
        media_type=push.text("media_type"),
        visibility=None if private is None else "private" if private else "public",
        actor=push.text("pusher"),
        url=repository.text("repo_url", 2048),
        # Whoever knows the URL can say who pushed: Docker Hub proves nothing.
        attributes={"actor_verified": False},
        raw=RawOriginal.of(
            notification.body, notification.headers.get("content-type", "application/json")
        ),
    )


def _identity(notification: Notification, pushed_at: datetime, *names: str) -> str:
    """Make one id of the several calls that a push of an image for several platforms makes."""
    if pushed_at == notification.received_at:
        return id_by_time(notification, *names)
    return derived_id([notification.source, *names, pushed_at.isoformat()])
