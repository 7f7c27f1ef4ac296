"""The formats `cloudevents` and `cloudevents-binary`: CloudEvents 1.0, the event as data.

Structured, the CloudEvent is the body; binary, its attributes are headers and its data is the
body. Several events are one batch, for which there is no binary way.
"""

from collections.abc import Sequence
from datetime import UTC
from typing import Any
from urllib.parse import quote

from portcall.attempts import Headers
from portcall.events import RegistryEvent
from portcall.formats.format import Message, json_message
from portcall.formats.names import subject

_STANDS_FOR_ITSELF = "".join(map(chr, range(0x21, 0x7F))).replace('"', "").replace("%", "")
"""In a header's value; all else is percent-encoded (HTTP binding, section 3.1.3.2)."""

_LONGEST_SUBJECT = 1024
"""Characters of a header; a subject of more is left out, for it is optional."""


class CloudEvents:
    """A CloudEvent of the type `portcall.<event type>`, in structured JSON."""

    name = "cloudevents"
    needs_raw = False

    def render(self, event: RegistryEvent) -> Message:
        """Give the CloudEvent; `source` and `id` together are unique, as the specification asks."""
        return json_message(_structured(event), "application/cloudevents+json")

    def render_group(self, events: Sequence[RegistryEvent]) -> Message:
        """Give a batch."""
        batch = [_structured(event) for event in events]
        return json_message(batch, "application/cloudevents-batch+json")


class CloudEventsBinary:
    """The same CloudEvent with its attributes in the headers."""

    name = "cloudevents-binary"
    needs_raw = False

    def render(self, event: RegistryEvent) -> Message:
        """Give the data; the content type is that of the data, as the HTTP binding asks."""
        message = json_message(_data(event))
        return Message(message.content_type, message.body, _headers(_attributes(event)))


def _attributes(event: RegistryEvent) -> dict[str, str]:
    about = subject(event)
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/portcall/sources/{quote(event.source, safe='', errors='replace')}",
        "type": f"portcall.{event.type}",
        "time": event.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        **({"subject": about} if about else {}),
    }


def _data(event: RegistryEvent) -> dict[str, Any]:
    return event.model_dump(mode="json", exclude={"raw"}, exclude_none=True)


def _structured(event: RegistryEvent) -> dict[str, Any]:
    return _attributes(event) | {"datacontenttype": "application/json", "data": _data(event)}


def _headers(attributes: dict[str, str]) -> Headers:
    written = {
        name: quote(value, safe=_STANDS_FOR_ITSELF, errors="replace")
        for name, value in attributes.items()
    }
    if len(written.get("subject", "")) > _LONGEST_SUBJECT:
        del written["subject"]
    return tuple((f"ce-{name}", value) for name, value in written.items())
