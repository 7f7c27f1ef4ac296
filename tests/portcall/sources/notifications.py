"""Recorded and written notifications, and short ways to have them parsed."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from portcall.events import RegistryEvent
from portcall.sources.kind import Notification, Parsed
from portcall.sources.kinds import load_kinds

FILES = Path(__file__).parents[2] / "fixtures" / "notifications"
KINDS = load_kinds()
RECEIVED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def body(kind: str, case: str) -> bytes:
    return (FILES / kind / f"{case}.json").read_bytes()


def cases(kind: str) -> list[str]:
    return sorted(file.stem for file in (FILES / kind).glob("*.json"))


def parse(kind: str, content: bytes | Any, source: str = "eu") -> Parsed:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return KINDS[kind].parse(Notification(source, raw, received_at=RECEIVED))


def only(kind: str, content: bytes | Any, source: str = "eu") -> RegistryEvent:
    parsed = parse(kind, content, source)
    assert not parsed.refusals
    (event,) = parsed.events
    return event


def facts(event: RegistryEvent, expected: dict[str, Any]) -> dict[str, Any]:
    """Give those facts of an event that are expected, to be compared in one go."""
    return {name: getattr(event, name) for name in expected}
