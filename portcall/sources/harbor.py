"""Reads Harbor's webhooks: the payload formats Default and CloudEvents, and 1.9's names.

Both formats carry the same `event_data`; they differ in what stands around it.
"""

from collections.abc import Sequence

from portcall.events import RawOriginal, RegistryEvent
from portcall.ids import derived_id
from portcall.sources.fields import (
    Part,
    bounded_depth,
    fitting,
    own_type,
    read_object,
    write_json,
)
from portcall.sources.harbor_details import (
    Subject,
    read_quota,
    read_replication,
    read_retention,
    read_subject,
)
from portcall.sources.harbor_names import NATIVE_TYPES, NEED_A_REPOSITORY, PING
from portcall.sources.harbor_scans import read_scan
from portcall.sources.kind import BODY_LIMIT, MappingUse, Notification, Parsed

_NEED_A_PART = {"replication.changed": "replication", "retention.finished": "retention"}


class Harbor:
    """The kind `harbor`."""

    kind = "harbor"
    body_limit = BODY_LIMIT
    signature = None
    mapping_use: MappingUse = "none"

    def parse(self, notification: Notification) -> Parsed:
        """Give the one event; Harbor 1's `testEndpoint` gives none."""
        with bounded_depth():
            body = read_object(notification.body)
            native_type = body.required_name("type")
            event_type = NATIVE_TYPES.get(native_type.lower()) or own_type(self.kind, native_type)
            if event_type == PING:
                return Parsed()
            return Parsed((fitting(_read(notification, body, native_type, event_type)),))


def _read(
    notification: Notification, body: Part, native_type: str, event_type: str
) -> RegistryEvent:
    is_cloud_event = "specversion" in body.members
    data = body.part("data" if is_cloud_event else "event_data")
    subject = _subject(data, event_type)
    return RegistryEvent(
        id=_identity(notification, body, data),
        source=notification.source,
        kind=Harbor.kind,
        type=event_type,
        native_type=native_type,
        occurred_at=body.moment("time" if is_cloud_event else "occur_at", notification.received_at),
        received_at=notification.received_at,
        registry=subject.registry,
        project=subject.project,
        repository=subject.repository,
        tags=subject.tags,
        digest=subject.digest,
        visibility=subject.visibility,
        actor=body.text("operator"),
        url=subject.url,
        correlation_id=body.text("requestid"),
        scan=read_scan(data, event_type),
        replication=read_replication(data),
        retention=read_retention(data),
        quota=read_quota(data),
        raw=RawOriginal.of(
            notification.body, notification.headers.get("content-type", "application/json")
        ),
    )


def _subject(data: Part, event_type: str) -> Subject:
    needed = _NEED_A_PART.get(event_type)
    if needed:
        data.required_part(needed)
    subject = read_subject(data)
    if event_type.startswith(NEED_A_REPOSITORY) and not subject.repository:
        data.part("repository").missing("repo_full_name")
    return subject


def _identity(notification: Notification, body: Part, data: Part) -> str:
    """Make the same id of a repeat, and of the copies that several Harbor policies send.

    A CloudEvent's own id differs by policy and target; what they copy does not.
    """
    return derived_id([notification.source, *_identifying(notification, body, data)])


def _identifying(notification: Notification, body: Part, data: Part) -> Sequence[str | bytes]:
    replication = data.part("replication")
    task = replication.integer("task_id")
    if task is not None:
        started, status = replication.integer("execution_timestamp"), replication.text("job_status")
        return ["replication", str(task), str(started), status or ""]
    if "specversion" not in body.members:
        return [notification.body]
    request = body.text("requestid")
    if request:
        return [request, body.required_name("type"), write_json(data.members)]
    return [body.required_name("source"), body.required_name("id")]
