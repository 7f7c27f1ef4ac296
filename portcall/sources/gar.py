"""Reads Google Artifact Registry's messages, as a Pub/Sub push subscription sends them.

Pub/Sub wraps the registry's message in base64, or sends it as it is and puts what belongs to
the transport into headers. Container Registry (`gcr.io`) sent the same.
"""

import base64

from portcall.errors import NotificationError
from portcall.events import RawOriginal, RegistryEvent
from portcall.ids import plain_id
from portcall.sources.fields import Part, bounded_depth, fitting, known, own_type, read_object
from portcall.sources.kind import BODY_LIMIT, MappingUse, Notification, Parsed
from portcall.sources.references import ImageReference, read_reference
from portcall.sources.repeats import id_by_time

_HEADER = "x-goog-pubsub-"
_FULL = "a full reference: host/project/repository/image@digest or :tag"


class Gar:
    """The kind `gar`."""

    kind = "gar"
    body_limit = BODY_LIMIT
    signature = None
    mapping_use: MappingUse = "none"

    def parse(self, notification: Notification) -> Parsed:
        """Give the one event; a message without data, as a test sends it, gives none."""
        with bounded_depth():
            if not notification.body and f"{_HEADER}message-id" in notification.headers:
                return Parsed()
            body = read_object(notification.body)
            if "message" not in body.members:
                transport = _from_headers(notification)
                return Parsed((fitting(_read(notification, body, transport)),))
            message = body.required_part("message")
            content = _unwrapped(message)
            if content is None:
                return Parsed()
            transport = Part(
                {**message.members, "subscription": body.text("subscription")}, "message"
            )
            return Parsed((fitting(_read(notification, content, transport)),))


def _from_headers(notification: Notification) -> Part:
    """Give the headers of an unwrapped message the names that they have in a wrapped one."""
    return Part(
        {
            "messageId": notification.headers.get(f"{_HEADER}message-id"),
            "publishTime": notification.headers.get(f"{_HEADER}publish-time"),
            "subscription": notification.headers.get(f"{_HEADER}subscription-name"),
        },
        "headers",
    )


def _unwrapped(message: Part) -> Part | None:
    data = message.members.get("data")
    if data is None or data == "":
        return None
    if not isinstance(data, str):
        message.wrong("data", "text")
    try:
        content = base64.b64decode(data, validate=True)
    except ValueError:
        message.wrong("data", "base64")
    try:
        return Part(read_object(content).members, message.at("data"))
    except NotificationError as error:
        field = message.at("data")
        text = error.message.replace("The body", field, 1)
        raise NotificationError(text, reason=error.reason, field=field) from None


def _read(notification: Notification, content: Part, transport: Part) -> RegistryEvent:
    action = content.required_name("action")
    by_digest = read_reference(content, "digest")
    by_tag = _read_tag(content, by_digest)
    image = by_digest if by_digest.repository else by_tag
    if not image.repository or not (image.tag or image.digest):
        content.wrong("digest", _FULL)
    message = transport.name("messageId", "message_id")
    time = "publishTime" if transport.members.get("publishTime") else "publish_time"
    return RegistryEvent(
        id=plain_id(message) if message else id_by_time(notification, notification.body),
        source=notification.source,
        kind=Gar.kind,
        type=_type(action, image.digest),
        native_type=action,
        occurred_at=transport.moment(time, notification.received_at),
        received_at=notification.received_at,
        registry=image.registry,
        project=image.repository.partition("/")[0],
        repository=image.repository,
        tags=(by_tag.tag,) if by_tag.tag else (),
        digest=image.digest,
        url=f"https://{image.registry}/{image.repository}"
        + (f"@{image.digest}" if image.digest else f":{image.tag}"),
        attributes=known(subscription=transport.text("subscription")),
        raw=RawOriginal.of(
            notification.body, notification.headers.get("content-type", "application/json")
        ),
    )


def _read_tag(content: Part, by_digest: ImageReference) -> ImageReference:
    """Read the tag: a full reference, or beside a digest the tag alone."""
    text = content.name("tag")
    if text and by_digest.repository and not {"/", ":"} & set(text):
        return by_digest._replace(tag=text)
    found = read_reference(content, "tag")
    if text and not (found.tag or found.digest):
        content.wrong("tag", _FULL)
    return found


def _type(action: str, digest: str | None) -> str:
    match action.lower():
        case "insert":
            return "artifact.pushed"
        case "delete":
            return "artifact.deleted" if digest else "tag.deleted"
        case _:
            return own_type(Gar.kind, action)
