"""Reads CloudEvents 1.0 from HTTP: structured, batched and binary messages.

After the specification's HTTP protocol binding and JSON event format, version 1.0.2. A body
without any sign of a mode is taken for JSON in structured mode, as senders forget the type.
"""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from portcall.errors import NotificationError
from portcall.events import RegistryEvent
from portcall.sources.envelope import parse_list
from portcall.sources.fields import Part, as_object, read_json
from portcall.sources.kind import Notification, Parsed

_STRUCTURED = "application/cloudevents"
_BATCH = f"{_STRUCTURED}-batch"
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

Read = Callable[[Part, bytes], RegistryEvent | None]


def parse_cloudevents(notification: Notification, read: Read) -> Parsed:
    """Read each event of a message: an object of the attributes, and `data` as JSON or text.

    `read` gives None for an event that says nothing.
    """
    media_type = _media_type(notification.headers.get("content-type"))
    is_cloudevents = media_type.startswith(_STRUCTURED)
    if is_cloudevents and media_type.partition("+")[2] not in ("", "json"):
        raise NotificationError(
            f"content-type {media_type[:100]!r} is not CloudEvents as JSON.",
            reason="wrong_type",
            field="content-type",
        )
    if not is_cloudevents and any(name.startswith("ce-") for name in notification.headers):
        return _only(read(_checked(Part(_binary(notification))), notification.body))
    body = read_json(notification.body)
    if media_type.startswith(_BATCH) or (isinstance(body, list) and not is_cloudevents):
        if not isinstance(body, list):
            raise NotificationError("The body must be a JSON list.", reason="wrong_type")
        return parse_list(notification, body, lambda item, raw: read(_structured(item), raw))
    return _only(read(_structured(as_object(body)), notification.body))


def _only(event: RegistryEvent | None) -> Parsed:
    return Parsed((event,) if event else ())


def _media_type(header: str | None) -> str:
    return (header or "").partition(";")[0].strip().lower()


def _is_json(media_type: str) -> bool:
    return not media_type or media_type.partition("/")[2] == "json" or media_type.endswith("+json")


def _checked(event: Part) -> Part:
    """Refuse what is no CloudEvent; `null` is as absent as nothing."""
    if event.required_name("specversion") != "1.0":
        event.wrong("specversion", '"1.0"')
    event.required_name("type")
    for name in ("id", "source"):
        if not isinstance(event.members.get(name, ""), str | None):
            event.wrong(name, "text")
        if not event.members.get(name):
            event.missing(name)
    return event


def _structured(event: Part) -> Part:
    _checked(event)
    encoded = event.members.get("data_base64")
    if encoded is None:
        return event
    if event.members.get("data") is not None:
        event.wrong("data_base64", "absent where there is data")
    try:
        content = base64.b64decode(encoded, validate=True)
    except (TypeError, ValueError):
        event.wrong("data_base64", "bytes in base64")
    attributes = {name: value for name, value in event.members.items() if name != "data_base64"}
    try:
        data = _data(content, _media_type(event.text("datacontenttype")))
    except NotificationError as error:
        message = f"data_base64: {error.message}"
        raise NotificationError(message, reason=error.reason, field="data_base64") from None
    return Part({**attributes, **data}, event.path)


def _binary(notification: Notification) -> Mapping[str, Any]:
    """Take the attributes from the headers; Content-Type stands for `datacontenttype`."""
    headers = notification.headers
    attributes = {
        name.removeprefix("ce-"): _header(name, value)
        for name, value in headers.items()
        if name.startswith("ce-") and name != "ce-datacontenttype"
    }
    content_type = headers.get("content-type")
    if content_type:
        attributes["datacontenttype"] = content_type
    return {**attributes, **_data(notification.body, _media_type(content_type))}


def _header(name: str, value: str) -> str:
    """Undo what the binding does to an attribute: percent-encoding once, older: double quotes."""
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = _ESCAPED.sub(r"\1", value[1:-1])
    try:
        return unquote_to_bytes(value.encode("latin-1")).decode()
    except UnicodeError:
        Part({}).wrong(name, "percent-encoded UTF-8")


def _data(content: bytes, media_type: str) -> Mapping[str, Any]:
    """Give `data` of a body: JSON as a value, text as text, anything else not at all."""
    if not content:
        return {}
    if _is_json(media_type):
        return {"data": read_json(content)}
    if media_type.startswith("text/"):
        return {"data": content.decode("utf-8", "replace")}
    return {}
