"""Splits a notification of several events: one that is wrong does not stop the others."""

from collections.abc import Callable, Mapping
from typing import Any

from portcall.errors import NotificationError
from portcall.events import RegistryEvent
from portcall.sources.fields import Part, fitting, write_json
from portcall.sources.kind import Notification, Parsed, Refusal

EVENTS_LIMIT = 1000


def parse_each(
    notification: Notification,
    envelope: Part,
    read: Callable[[Part, bytes], RegistryEvent | None],
    shared: Mapping[str, str] | None = None,
) -> Parsed:
    """Read each of `events` with its own bytes; `read` gives None for a test ping.

    The only event of a notification keeps the body as it came. One of several keeps an
    envelope of its own with the `shared` members, which can be parsed again by itself.
    """
    items = envelope.members.get("events") or []
    if not isinstance(items, list):
        envelope.wrong("events", "a list")
    return _parse_items(
        notification, items, read, lambda item: {**(shared or {}), "events": [item]}, "events"
    )


def parse_list(
    notification: Notification,
    items: list[Any],
    read: Callable[[Part, bytes], RegistryEvent | None],
) -> Parsed:
    """Read each of a body that is a list, with its own bytes: a list of that one."""
    return _parse_items(notification, items, read, lambda item: [item], "")


def _parse_items(
    notification: Notification,
    items: list[Any],
    read: Callable[[Part, bytes], RegistryEvent | None],
    alone: Callable[[Any], Any],
    path: str,
) -> Parsed:
    if len(items) > EVENTS_LIMIT:
        message = f"{path or 'The body'} holds more than {EVENTS_LIMIT} events."
        raise NotificationError(message, reason="too_many", field=path)
    events, refusals = [], []
    for index, item in enumerate(items):
        raw = notification.body if len(items) == 1 else write_json(alone(item))
        try:
            event = read(Part({str(index): item}, path).required_part(str(index)), raw)
            events += [fitting(event)] if event else []
        except NotificationError as error:
            refusals.append(Refusal(error, raw))
    return Parsed(tuple(events), tuple(refusals))
