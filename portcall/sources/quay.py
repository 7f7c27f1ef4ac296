"""Reads the notifications of Quay and Red Hat Quay, whose bodies do not say what happened.

The end of the URL does (`/notifications/{source}/repo_push`), or `portcall_event` in a body
made by Quay's template; else it is guessed by the members that are there.
"""

from portcall.events import RawOriginal, RegistryEvent
from portcall.ids import derived_id
from portcall.sources.fields import (
    NAME_LIMIT,
    Part,
    bounded_depth,
    fitting,
    host,
    is_digest,
    own_type,
    read_object,
    storable,
    tags_and_digest,
)
from portcall.sources.harbor_details import read_visibility
from portcall.sources.kind import BODY_LIMIT, MappingUse, Notification, Parsed, Signature
from portcall.sources.quay_details import (
    read_actor,
    read_attributes,
    read_quota,
    read_replication,
    read_scan,
    vulnerabilities,
)
from portcall.sources.quay_names import NATIVE_TYPES, guess
from portcall.sources.repeats import id_by_time


class Quay:
    """The kind `quay`."""

    kind = "quay"
    body_limit = BODY_LIMIT
    signature: Signature | None = None
    mapping_use: MappingUse = "none"

    def parse(self, notification: Notification) -> Parsed:
        """Give the one event; what happened is never a reason to refuse it."""
        with bounded_depth():
            body = read_object(notification.body)
            hint = storable((notification.hint or "")[:NAME_LIMIT])
            native_type = (hint or body.name("portcall_event") or guess(body)).lower()
            return Parsed((fitting(_read(notification, body, native_type)),))


def _read(notification: Notification, body: Part, native_type: str) -> RegistryEvent:
    event_type = NATIVE_TYPES.get(native_type) or own_type(Quay.kind, native_type)
    project, repository = _names(body, event_type)
    tags, digest = _artifact(body)
    homepage = body.text("homepage", 2048)
    return RegistryEvent(
        id=_identity(
            notification, body, native_type, repository or "", *sorted(tags), digest or ""
        ),
        source=notification.source,
        kind=Quay.kind,
        type=event_type,
        native_type=native_type,
        occurred_at=notification.received_at,
        received_at=notification.received_at,
        registry=host(body.text("docker_url", 2048)) or host(homepage),
        project=project,
        repository=repository,
        tags=tags,
        digest=digest,
        visibility=read_visibility(body.text("visibility")),
        actor=read_actor(body),
        url=homepage,
        correlation_id=body.text("build_id"),
        scan=read_scan(body, event_type),
        replication=read_replication(body, native_type),
        quota=read_quota(body, event_type),
        attributes=read_attributes(body),
        raw=RawOriginal.of(
            notification.body, notification.headers.get("content-type", "application/json")
        ),
    )


def _names(body: Part, event_type: str) -> tuple[str | None, str | None]:
    """Give the namespace and the repository, which a namespace's quota has none of."""
    project = body.name("namespace")
    repository = body.name("repository") or body.joined("name", project, body.name("name"))
    if event_type.startswith("quota."):
        return project or body.missing("namespace"), repository
    found = repository or body.missing("repository")
    return project or (found.partition("/")[0] if "/" in found else None), found


def _artifact(body: Part) -> tuple[tuple[str, ...], str | None]:
    """Give the tags, and the digest where only one manifest is meant."""
    digests = [text for text in body.names("manifest_digests") if is_digest(text)]
    given = [tag for name in ("updated_tags", "docker_tags", "tags") for tag in _tags(body, name)]
    return tags_and_digest(given, digests[0] if len(digests) == 1 else None)


def _tags(body: Part, name: str) -> list[str]:
    """Read a list of tags; Quay's first bodies had an object of tags and image ids."""
    value = body.members.get(name)
    return Part({name: list(value)} if isinstance(value, dict) else body.members).names(name)


def _identity(notification: Notification, body: Part, native_type: str, *artifact: str) -> str:
    """Derive an id: Quay gives one to builds only, and a CVE told again is the same event."""
    told: list[str | None] = []
    if native_type.startswith("build_"):
        told = [body.text("build_id")]
    elif native_type == "vulnerability_found":
        told = [part.text(name) for part in vulnerabilities(body) for name in ("id", "priority")]
    if any(told):
        words = [native_type, *artifact, *(word or "" for word in told)]
        return derived_id([notification.source, *words])
    return id_by_time(notification, native_type, *artifact, notification.body)
