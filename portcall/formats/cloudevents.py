"""The format `cloudevents`: CloudEvents 1.0 in structured JSON, the normalised event as data."""

from datetime import UTC

from portcall.events import RegistryEvent
from portcall.formats.format import Message, json_message


class CloudEvents:
    """A CloudEvent of the type `portcall.<event type>`."""

    name = "cloudevents"
    needs_raw = False

    def render(self, event: RegistryEvent) -> Message:
        """Give the CloudEvent; `source` and `id` together are unique, as the specification asks."""
        subject = _subject(event)
        return json_message(
            {
                "specversion": "1.0",
                "id": event.id,
                "source": f"/portcall/sources/{event.source}",
                "type": f"portcall.{event.type}",
                "time": event.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
                **({"subject": subject} if subject else {}),
                "datacontenttype": "application/json",
                "data": event.model_dump(mode="json", exclude={"raw"}, exclude_none=True),
            },
            "application/cloudevents+json",
        )


def _subject(event: RegistryEvent) -> str:
    """Give `prod/app:v1` for a single tag, else `prod/app@sha256:...`, else the repository."""
    repository = event.repository or event.project or ""
    if repository and len(event.tags) == 1:
        return f"{repository}:{event.tags[0]}"
    return f"{repository}@{event.digest}" if repository and event.digest else repository
