"""An event as expressions see it: every fact has a value, and none is large."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from portcall.conditions.details import attribute_text, percent_used
from portcall.events import Quota, RegistryEvent, Replication, Retention, Scan, Value

LONGEST_LIST = 256
LARGEST_ATTRIBUTES = 16 * 1024
"""Characters of all attributes, as JSON; those for which there is no room are left out."""

DEEPEST_ATTRIBUTE = 3

TEXTS: Mapping[str, str] = {
    "event_type": "type",
    "source": "source",
    "kind": "kind",
    "native_type": "native_type",
    "registry": "registry",
    "project": "project",
    "repository": "repository",
    "digest": "digest",
    "media_type": "media_type",
    "artifact_type": "artifact_type",
    "actor": "actor",
    "visibility": "visibility",
}
"""The facts that are text, and their names in an event."""

_PARTS: Mapping[str, type[Value]] = {
    "scan": Scan,
    "replication": Replication,
    "quota": Quota,
    "retention": Retention,
}

PART_MEMBERS: Mapping[str, Sequence[str]] = {
    name: (*part.model_fields, *(("percent",) if part is Quota else ()))
    for name, part in _PARTS.items()
}
"""The members of each fact that is a map."""


def facts(event: RegistryEvent) -> dict[str, Any]:
    """Give all facts; what the event does not say is empty, or 0."""
    return {
        **{name: _plain(getattr(event, field) or "") for name, field in TEXTS.items()},
        **{name: _part(getattr(event, name) or part()) for name, part in _PARTS.items()},
        "tags": _plain(event.tags),
        "platforms": _plain(event.platforms),
        "size": _plain(event.size or 0),
        "occurred_at": event.occurred_at,
        "received_at": event.received_at,
        "attributes": _attributes(event.attributes),
    }


def _part(part: Value) -> dict[str, Any]:
    known = {}
    for name, field in type(part).model_fields.items():
        empty = 0 if int in get_args(field.annotation) else ""
        value = getattr(part, name)
        known[name] = _plain(empty if value is None else value)
    if isinstance(part, Quota):
        known["percent"] = percent_used(part) or 0.0
    return known


def _attributes(given: Mapping[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    room = LARGEST_ATTRIBUTES
    for name, value in given.items():
        plain = _plain(value)
        room -= len(name) + len(json.dumps(plain))
        if room >= 0:
            known[name] = plain
    return known


def _plain(value: Any, depth: int = 1) -> Any:
    """Cut a value to what CEL knows and to what is quick to look at."""
    match value:
        case str():
            return attribute_text(value)
        case None | bool() | float():
            return value
        case int():
            return value if -(2**63) <= value < 2**63 else float(value)
        case list() | tuple() if depth < DEEPEST_ATTRIBUTE:
            return [_plain(item, depth + 1) for item in value[:LONGEST_LIST]]
        case dict() if depth < DEEPEST_ATTRIBUTE:
            return {
                attribute_text(str(key)): _plain(item, depth + 1) for key, item in value.items()
            }
        case _:
            return attribute_text(value)
