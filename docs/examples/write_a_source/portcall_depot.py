"""Reads what Depot, a registry that does not exist, sends: the kind `depot`."""

from portcall.events import RawOriginal, RegistryEvent
from portcall.ids import plain_id
from portcall.sources.fields import (
    Part,
    bounded_depth,
    fitting,
    known,
    own_type,
    read_object,
    tags_and_digest,
)
from portcall.sources.kind import BODY_LIMIT, MappingUse, Notification, Parsed, Signature

TYPES = {"stored": "artifact.pushed", "removed": "artifact.deleted"}


class Depot:
    """The kind `depot`."""

    kind = "depot"
    body_limit = BODY_LIMIT
    signature = Signature("X-Depot-Signature", prefix="sha256=")
    mapping_use: MappingUse = "none"

    def parse(self, notification: Notification) -> Parsed:
        """Give the event; Depot's test button gives none."""
        with bounded_depth():
            body = read_object(notification.body)
            if body.required_name("did") == "test":
                return Parsed()
            return Parsed((fitting(_read(notification, body)),))


def _read(notification: Notification, body: Part) -> RegistryEvent:
    word, thing = body.required_name("did"), body.required_part("thing")
    tags, digest = tags_and_digest(thing.names("labels"), thing.digest("checksum"))
    return RegistryEvent(
        id=plain_id(body.required_name("id")),
        source=notification.source,
        kind=Depot.kind,
        type=TYPES.get(word) or own_type(Depot.kind, word),
        native_type=word,
        occurred_at=body.moment("at", notification.received_at),
        received_at=notification.received_at,
        repository=thing.required_name("path"),
        tags=tags,
        digest=digest,
        size=thing.integer("bytes"),
        actor=body.text("by"),
        attributes=known(shelf=thing.text("shelf")),
        raw=RawOriginal.of(notification.body),
    )
