"""Reads what Azure Container Registry sends: its own webhooks, and its events by Event Grid.

A webhook's body is one event of the CNCF distribution without the envelope. Event Grid sends
lists of events, in its own schema or as CloudEvents, with the same object in `data`.
"""

from typing import Any

from portcall.events import RegistryEvent
from portcall.ids import plain_id
from portcall.sources.distribution import Distribution
from portcall.sources.envelope import parse_list
from portcall.sources.fields import Part, as_object, bounded_depth, fitting, read_json
from portcall.sources.kind import Notification, Parsed
from portcall.sources.repeats import id_by_time

_ACTIONS = {
    "imagepushed": "push",
    "imagedeleted": "delete",
    "chartpushed": "chart_push",
    "chartdeleted": "chart_delete",
}
_TYPES = {
    "push": "artifact.pushed",
    "quarantine": "artifact.quarantined",
    "chart_push": "chart.pushed",
    "chart_delete": "chart.deleted",
}
_GRID = "microsoft.eventgrid."


class Acr(Distribution):
    """The kind `acr`."""

    kind = "acr"
    uncertain = ()

    def parse(self, notification: Notification) -> Parsed:
        """Give the events; a ping gives none, Event Grid's question for consent the answer."""
        with bounded_depth():
            body = read_json(notification.body)
            if code := _validation_code(body):
                return Parsed(reply={"validationResponse": code})
            if isinstance(body, list):
                return parse_list(
                    notification, body, lambda item, raw: self._event(notification, item, raw)
                )
            event = self._event(notification, as_object(body), notification.body)
            return Parsed((fitting(event),) if event else ())

    def identity(self, notification: Notification, item: Part, raw: bytes) -> str:
        """Give the event's id, which copies of Azure's webhooks leave out."""
        native = item.name("id")
        return plain_id(native) if native else id_by_time(notification, raw)

    def type_of(self, action: str, target: Part) -> str:
        """Say what an action is in Portcall's words; there are no events of blobs."""
        return _TYPES.get(action.lower()) or super().type_of(action, target)

    def facts(self, item: Part) -> dict[str, str | None]:
        """Give what only describes the event, and a chart's name and version."""
        target = item.part("target")
        return super().facts(item) | {
            "chart_name": target.text("name"),
            "chart_version": (target.text("version") or "").removesuffix(".tgz") or None,
            "location": item.text("location"),
            "connected_registry": item.part("connectedRegistry").text("name"),
            "topic": item.text("topic", 2048),
        }

    def _event(self, notification: Notification, item: Part, raw: bytes) -> RegistryEvent | None:
        grid_type = item.name("eventType", "type") or ""
        if grid_type.lower().startswith(_GRID):
            return None
        event = _unwrapped(item, grid_type) if grid_type else item
        if event.required_name("action").lower() == "ping":
            return None
        return self.read(notification, event, raw)


def _validation_code(body: Any) -> str | None:
    """Give the code that Event Grid wants back before it sends to a new subscription."""
    first = body[0] if isinstance(body, list) and body else body
    item = Part({"0": first}).part("0")
    if (item.text("eventType") or "").lower() != f"{_GRID}subscriptionvalidationevent":
        return None
    return item.required_part("data").required_name("validationCode")


def _unwrapped(item: Part, grid_type: str) -> Part:
    """Give `data` with what Event Grid alone says.

    Its own id is the event's: by its contract a repeat has the same, and no other event.
    """
    data = item.required_part("data")
    name = grid_type.rpartition(".")[2]
    times = (data.members, "timestamp"), (item.members, "eventTime"), (item.members, "time")
    around = {
        "id": item.required_name("id"),
        "action": data.name("action") or _ACTIONS.get(name.lower(), name),
        "timestamp": next((given for members, key in times if (given := members.get(key))), None),
        "topic": item.text("topic", 2048) or item.text("source", 2048),
    }
    return Part({**data.members, **around}, data.path)
