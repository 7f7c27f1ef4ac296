"""The format `cloudevents`: CloudEvents 1.0 in structured JSON, the normalised event as data."""

from datetime import UTC

from portcall.events import RegistryEvent
from portcall.formats.format import Message, json_message
from portcall.formats.names import subject


class CloudEvents:
    """A CloudEvent of the type `portcall.<event type>`."""

    name = "cloudevents"
    needs_raw = False

    def render(self, event: RegistryEvent) -> Message:
        """Give the CloudEvent; `source` and `id` together are unique, as the specification asks."""
        about = subject(event)
        return json_message(
            {
                "specversion": "1.0",
                "id": event.id,
                "source": f"/portcall/sources/{event.source}",
                "type": f"portcall.{event.type}",
                "time": event.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
                **({"subject": about} if about else {}),
                "datacontenttype": "application/json",
                "data": event.model_dump(mode="json", exclude={"raw"}, exclude_none=True),
            },
            "application/cloudevents+json",
        )
