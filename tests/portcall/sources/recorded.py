"""Reads whole recorded notifications: the body, and the headers beside it."""

import json
from dataclasses import replace
from typing import Any

from portcall.events import RegistryEvent
from portcall.sources.kind import Notification, Parsed
from tests.portcall.sources.notifications import FILES, KINDS, RECEIVED


def recorded(kind: str, case: str, **changes: Any) -> Notification:
    file = FILES / kind / f"{case}.json"
    beside = file.with_suffix(".headers.json")
    headers = json.loads(beside.read_text()) if beside.exists() else {}
    return replace(Notification("eu", file.read_bytes(), headers, received_at=RECEIVED), **changes)


def content(kind: str, case: str) -> Any:
    return json.loads(recorded(kind, case).body)


def sent(kind: str, body: Any, headers: dict[str, str] | None = None) -> Notification:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Notification("eu", raw, headers or {}, received_at=RECEIVED)


def read(kind: str, notification: Notification) -> Parsed:
    return KINDS[kind].parse(notification)


def the_event(kind: str, notification: Notification) -> RegistryEvent:
    parsed = read(kind, notification)
    assert not parsed.refusals
    (event,) = parsed.events
    return event
