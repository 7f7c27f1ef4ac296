"""Reads Sonatype Nexus Repository 3: webhooks about components, assets, repositories, audits.

Nexus keeps packages of many formats: `docker` and `helm` have Portcall's names, what happens
to others arrives under its own. The Nexus repository is the event's project.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from portcall.events import RawOriginal, RegistryEvent
from portcall.ids import derived_id, plain_id
from portcall.sources.fields import (
    Part,
    bounded_depth,
    fitting,
    known,
    own_type,
    read_object,
    tags_and_digest,
)
from portcall.sources.kind import MappingUse, Notification, Parsed, Signature
from portcall.sources.repeats import id_by_time

_SUBJECTS = {"docker": "artifact", "helm": "chart"}
_DONE = {"created": "pushed", "updated": "pushed", "deleted": "deleted", "purged": "deleted"}
_MEMBERS = {
    "component": "component",
    "components": "component",
    "asset": "asset",
    "assets": "asset",
    "repository": "repository",
    "audit": "audit",
}
"""What a body is about, by the member that it has."""
_DOCKER_PATH = re.compile(r"/?v2/(.+)/(manifests|blobs)/([^/]+)")


@dataclass(frozen=True)
class _Subject:
    """What happened to what; `type` is None where Portcall has no name for it."""

    native_type: str
    type: str | None = None
    project: str | None = None
    repository: str | None = None
    tags: tuple[str, ...] = ()
    digest: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


class Nexus:
    """The kind `nexus`."""

    kind = "nexus"
    body_limit = 1024 * 1024  # laying it out anew, to judge a wrong signature, takes time
    signature = Signature(header="X-Nexus-Webhook-Signature", algorithm="sha1", compact_json=True)
    mapping_use: MappingUse = "none"

    def parse(self, notification: Notification) -> Parsed:
        """Give the one event."""
        with bounded_depth():
            return Parsed((fitting(_read(notification, read_object(notification.body))),))


def _read(notification: Notification, body: Part) -> RegistryEvent:
    subject = _subject(_webhook(notification, body), body)
    # A task or Nexus itself is no `user/address`.
    actor, _, address = (body.text("initiator") or "").partition("/")
    return RegistryEvent(
        id=_identity(notification, body),
        source=notification.source,
        kind=Nexus.kind,
        type=subject.type or own_type(Nexus.kind, subject.native_type),
        native_type=subject.native_type,
        occurred_at=body.moment("timestamp", notification.received_at),
        received_at=notification.received_at,
        project=subject.project,
        repository=subject.repository,
        tags=subject.tags,
        digest=subject.digest,
        actor=actor or None,
        attributes=known(request_addr=address or None, node=body.text("nodeId"))
        | subject.attributes,
        raw=RawOriginal.of(
            notification.body, notification.headers.get("content-type", "application/json")
        ),
    )


def _webhook(notification: Notification, body: Part) -> str:
    """Say which webhook this is: the last word of `rm:repository:component`, or what shows."""
    header = Part(notification.headers).text("x-nexus-webhook-id") or ""
    named = header.rpartition(":")[2].lower()
    shown = (word for name, word in _MEMBERS.items() if body.members.get(name))
    return named or next(shown, None) or body.missing("component")


def _identity(notification: Notification, body: Part) -> str:
    delivery = notification.headers.get("x-nexus-webhook-delivery")
    if delivery:
        return plain_id(delivery)
    if body.members.get("timestamp"):
        return derived_id([notification.source, notification.body])
    return id_by_time(notification, notification.body)


def _subject(webhook: str, body: Part) -> _Subject:
    match webhook:
        case "component":
            return _component(body)
        case "asset":
            return _asset(body)
        case "repository":
            return _repository(body)
        case "audit":
            return _audit(body)
        case _:
            action = body.name("action")
            native_type = f"{webhook}.{action}" if action else webhook
            return _Subject(native_type, project=body.name("repositoryName"))


def _component(body: Part) -> _Subject:
    action, purged = body.required_name("action"), body.texts("components")
    if purged:
        return _purged(body, "component", action, purged)
    component = body.required_part("component")
    layout = component.text("format")
    tags, digest = tags_and_digest([component.name("version")])
    return _Subject(
        native_type=f"component.{action}",
        type=_type(_SUBJECTS.get((layout or "").lower()), action),
        project=body.name("repositoryName"),
        repository=component.joined(
            "name", component.name("group"), component.required_name("name")
        ),
        tags=tags,
        digest=digest,
        attributes=known(format=layout, component_id=component.text("componentId")),
    )


def _asset(body: Part) -> _Subject:
    action, purged = body.required_name("action"), body.texts("assets")
    if purged:
        return _purged(body, "asset", action, purged)
    asset = body.required_part("asset")
    layout, path = asset.text("format"), asset.text("name", 1024) or asset.missing("name")
    image = _DOCKER_PATH.fullmatch(path) if layout == "docker" else None
    tags, digest = tags_and_digest([asset.joined("name", None, image[3])] if image else [])
    return _Subject(
        native_type=f"asset.{action}",
        type=_type("blob" if image[2] == "blobs" else "artifact", action) if image else None,
        project=body.name("repositoryName"),
        # Layers belong to no image: they lie under the name `-`.
        repository=asset.joined("name", None, image[1]) if image and image[1] != "-" else None,
        tags=tags,
        digest=digest,
        attributes=known(format=layout, path=path, asset_id=asset.text("assetId")),
    )


def _purged(body: Part, subject: str, action: str, ids: list[str]) -> _Subject:
    """Tell of a clean-up, which names neither the packages nor their format."""
    return _Subject(
        native_type=f"{subject}.{action}",
        type=_type("artifact", action) if subject == "component" else None,
        project=body.name("repositoryName"),
        attributes={f"{subject}_ids": ids},
    )


def _repository(body: Part) -> _Subject:
    action, repository = body.required_name("action"), body.required_part("repository")
    name = repository.required_name("name")
    return _Subject(
        native_type=f"repository.{action}",
        type=f"repository.{action.lower()}" if action.lower() in ("created", "deleted") else None,
        project=name,
        repository=name,
        attributes=known(format=repository.text("format"), repository_type=repository.text("type")),
    )


def _audit(body: Part) -> _Subject:
    audit = body.required_part("audit")
    words = ("audit", audit.required_name("domain"), audit.name("type"))
    return _Subject(
        native_type=".".join(filter(None, words)),
        project=audit.part("attributes").text("repositoryName") or body.name("repositoryName"),
        attributes=known(context=audit.text("context")),
    )


def _type(subject: str | None, action: str) -> str | None:
    done = _DONE.get(action.lower())
    return f"{subject}.{done}" if subject and done else None
