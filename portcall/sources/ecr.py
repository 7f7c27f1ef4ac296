"""Reads what Amazon EventBridge sends of ECR and of Inspector, which scans ECR's images.

The envelope is read here; what each `detail-type` means is in `ecr_details.py`.
"""

from portcall.events import RawOriginal, RegistryEvent
from portcall.ids import derived_id, plain_id
from portcall.sources.ecr_details import SCAN_CHANGE, Details, read_details, registry_host
from portcall.sources.fields import (
    Part,
    bounded_depth,
    fitting,
    known,
    own_type,
    read_object,
    write_json,
)
from portcall.sources.kind import BODY_LIMIT, MappingUse, Notification, Parsed

_ENVELOPE = ("id", "detail-type", "source", "account", "time", "region")
_CHANGE = ("action-type", "resource-type", "scan-type")


class Ecr:
    """The kind `ecr`."""

    kind = "ecr"
    body_limit = BODY_LIMIT
    signature = None
    mapping_use: MappingUse = "none"

    def parse(self, notification: Notification) -> Parsed:
        """Give the one event, or one for each repository that a change of scanning names."""
        with bounded_depth():
            envelope = read_object(notification.body)
            detail_type = envelope.required_name("detail-type")
            repositories = envelope.required_part("detail").parts("repositories")
            if detail_type.lower() == SCAN_CHANGE and len(repositories) > 1:
                parts = [_of_one(envelope, repository) for repository in repositories]
                events = [_read(notification, part, write_json(part.members)) for part in parts]
            else:
                events = [_read(notification, envelope, notification.body)]
            return Parsed(tuple(map(fitting, events)))


def _of_one(envelope: Part, repository: Part) -> Part:
    """Write the notification as if it named only this repository."""
    detail = envelope.part("detail")
    return Part(
        known(**{name: envelope.name(name) for name in _ENVELOPE})
        | {
            "detail": known(**{name: detail.name(name) for name in _CHANGE})
            | {"repositories": [repository.members]}
        }
    )


def _read(notification: Notification, envelope: Part, raw: bytes) -> RegistryEvent:
    detail_type = envelope.required_name("detail-type")
    account, region = envelope.name("account"), envelope.name("region")
    details = read_details(detail_type, envelope.required_part("detail"))
    home = registry_host(account, region)
    native_type = ".".join(filter(None, (detail_type, details.action)))
    return RegistryEvent(
        id=_identity(envelope, details),
        source=notification.source,
        kind=Ecr.kind,
        type=details.type or own_type(Ecr.kind, native_type.removeprefix("ECR ")),
        native_type=native_type,
        occurred_at=envelope.moment("time", notification.received_at),
        received_at=notification.received_at,
        registry=registry_host(details.account or account, region),
        project=details.account or account,
        repository=details.repository,
        tags=details.tags,
        digest=details.digest,
        media_type=details.media_type,
        artifact_type=details.artifact_type,
        platforms=details.platforms,
        actor=details.actor,
        scan=details.scan,
        replication=details.replication
        and details.replication.model_copy(update={"destination_registry": home}),
        attributes=details.attributes,
        raw=RawOriginal.of(raw, notification.headers.get("content-type", "application/json")),
    )


def _identity(envelope: Part, details: Details) -> str:
    """Take EventBridge's id; the repositories of one notification must not share it."""
    native = envelope.required_name("id")
    return derived_id([native, details.repository or ""]) if details.shared else plain_id(native)
