"""The format `default`: the hook message of Harbor's webhook proposal, key for key.

Every key is always there; what the registry did not say is an empty string.
"""

from collections.abc import Sequence
from typing import Any

from portcall.events import RegistryEvent
from portcall.formats.format import Message, json_message
from portcall.formats.names import project_and_name, shouted

_EVENT_TYPES = {
    "artifact.pushed": "PUSH",
    "artifact.pulled": "PULL",
    "artifact.deleted": "DELETE",
    "tag.deleted": "DELETE",
    "chart.pushed": "UPLOAD",
    "chart.pulled": "DOWNLOAD",
    "chart.deleted": "DELETE",
}


class Default:
    """One item in `events` for each tag, or a single one where there is no tag."""

    name = "default"
    needs_raw = False

    def render(self, event: RegistryEvent) -> Message:
        """Give the hook message."""
        return self.render_group([event])

    def render_group(self, events: Sequence[RegistryEvent]) -> Message:
        """Give one hook message with the items of all."""
        items = [_item(event, tag) for event in events for tag in event.tags or ("",)]
        return json_message({"events": items})


def _item(event: RegistryEvent, tag: str) -> dict[str, Any]:
    project, name = project_and_name(event)
    return {
        "project": project,
        "repoName": name,
        "tag": tag,
        "fullName": event.repository or "",
        "triggerTime": int(event.occurred_at.timestamp() * 1000),
        "imageId": _image_id(event),
        "projectType": (event.visibility or "").upper(),
        "eventType": _EVENT_TYPES.get(event.type) or shouted(event),
    }


def _image_id(event: RegistryEvent) -> str:
    """Give the image's id where the source named one (`proposal`), else the manifest's digest."""
    image_id = event.attributes.get("image_id")
    return str(image_id or (event.digest or "").rpartition(":")[2])
