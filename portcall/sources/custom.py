"""Reads any JSON by the mapping in the source's own configuration: the kind `custom`."""

from typing import Any

from portcall.errors import NotificationError
from portcall.ids import derived_id
from portcall.mapping import FieldMapping
from portcall.sources.envelope import EVENTS_LIMIT
from portcall.sources.fields import Part, as_object, bounded_depth, read_json, write_json
from portcall.sources.kind import MappingUse, Notification, Parsed, Refusal
from portcall.sources.mapped import MappedEvents


class Custom:
    """The kind `custom`."""

    kind = "custom"
    body_limit = 1024 * 1024
    signature = None
    mapping_use: MappingUse = "required"

    def parse(self, notification: Notification) -> Parsed:
        """Give the event, or one for each that `events` finds; one that is wrong stops no other."""
        mapping = notification.mapping
        if mapping is None:
            raise NotificationError(
                "The source has no mapping.", reason="missing_field", field="mapping"
            )
        with bounded_depth():
            return _read(notification, read_json(notification.body), mapping)


def _read(notification: Notification, body: Any, mapping: FieldMapping) -> Parsed:
    reader = MappedEvents(notification, Custom.kind, mapping)
    if mapping.events is None:
        item = as_object(body).members
        identity = derived_id([notification.source, notification.body])
        return Parsed((reader.read(item, notification.body, identity=identity),))
    events, refusals = [], []
    for index, item in enumerate(_listed(reader.find_events(body))):
        try:
            members = Part({str(index): item}, "mapping.events").required_part(str(index)).members
            raw = write_json(members)
            identity = derived_id([notification.source, raw])
            events.append(reader.read(members, raw, identity=identity))
        except NotificationError as error:
            # With the whole body, in which the mapping can find the event again.
            refusals.append(Refusal(error, notification.body))
    return Parsed(tuple(events), tuple(refusals))


def _listed(found: Any) -> list[Any]:
    items = [found] if isinstance(found, dict) else found
    part = Part({"events": items}, "mapping")
    if items is None:
        part.missing("events")
    if not isinstance(items, list):
        part.wrong("events", "a list of events")
    if len(items) > EVENTS_LIMIT:
        message = f"mapping.events gives more than {EVENTS_LIMIT} events."
        raise NotificationError(message, reason="too_many", field="mapping.events")
    return items
