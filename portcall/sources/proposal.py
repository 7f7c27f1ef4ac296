"""Reads the hook message of Harbor's 2019 webhook proposal, drafts A, B and C.

Draft A has a type in each event, B and C one above them; C writes snake_case. This is what
Portcall's default format sends, so one Portcall can feed another.
"""

from portcall.events import RawOriginal, RegistryEvent
from portcall.ids import derived_id
from portcall.sources.envelope import parse_each
from portcall.sources.fields import (
    Part,
    bounded_depth,
    known,
    own_type,
    read_object,
    tags_and_digest,
)
from portcall.sources.harbor_details import read_visibility
from portcall.sources.harbor_names import NATIVE_TYPES, NEED_A_REPOSITORY, PING
from portcall.sources.kind import BODY_LIMIT, MappingUse, Notification, Parsed


class Proposal:
    """The kind `proposal`."""

    kind = "proposal"
    body_limit = BODY_LIMIT
    signature = None
    mapping_use: MappingUse = "none"

    def parse(self, notification: Notification) -> Parsed:
        """Give one event for each of the message."""
        with bounded_depth():
            message = read_object(notification.body)
            if "events" not in message.members:
                message.missing("events")
            shared = message.name("eventType", "event_type")
            return parse_each(
                notification,
                message,
                lambda item, raw: _read(notification, item, raw, shared),
                known(eventType=shared),
            )


def _read(
    notification: Notification, item: Part, raw: bytes, shared: str | None
) -> RegistryEvent | None:
    native_type = item.name("eventType", "event_type") or shared or item.missing("eventType")
    event_type = NATIVE_TYPES.get(native_type.lower()) or own_type(Proposal.kind, native_type)
    if event_type == PING:
        return None
    project, repository = _names(item, event_type)
    tags, digest = tags_and_digest([item.name("tag", "version")])
    image_id = item.name("imageId", "image_id")
    time = "trigger_time" if "trigger_time" in item.members else "triggerTime"
    if not item.members.get(time):
        # Without it a second push of the same tag could not be told from a repeat.
        item.missing(time)
    occurred_at = item.moment(time, notification.received_at)
    identity = [repository, *tags, digest, image_id, str(item.members[time]), native_type]
    return RegistryEvent(
        id=derived_id([notification.source, *(text or "" for text in identity)]),
        source=notification.source,
        kind=Proposal.kind,
        type=event_type,
        native_type=native_type,
        occurred_at=occurred_at,
        received_at=notification.received_at,
        project=project,
        repository=repository,
        tags=tags,
        digest=digest,
        visibility=read_visibility(item.text("projectType") or item.text("project_type")),
        attributes=known(image_id=image_id),
        raw=RawOriginal.of(raw, notification.headers.get("content-type", "application/json")),
    )


def _names(item: Part, event_type: str) -> tuple[str | None, str | None]:
    project = item.name("project")
    name = item.name("repoName", "repo_name", "chartName", "chart_name")
    repository = item.name("fullName", "full_name") or item.joined("repoName", project, name)
    if not repository and event_type.startswith(NEED_A_REPOSITORY):
        item.missing("fullName")
    if not project and repository and "/" in repository:
        project = repository.partition("/")[0]
    return project, repository
