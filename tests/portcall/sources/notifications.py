"""Recorded and written notifications, and short ways to have them parsed.

`<kind>/<case>.json` is a body (with another ending, one that is not JSON). Beside it may stand
`<case>.headers.json`, `<case>.hint` and `<case>.mapping.json`.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from portcall.events import RegistryEvent
from portcall.mapping import FieldMapping
from portcall.sources.kind import Notification, Parsed
from portcall.sources.kinds import load_kinds

FILES = Path(__file__).parents[2] / "fixtures" / "notifications"
KINDS = load_kinds()
RECEIVED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BESIDE = (".headers.json", ".hint", ".mapping.json")


def cases(kind: str) -> list[str]:
    files = (FILES / kind).iterdir()
    return sorted(file.stem for file in files if not file.name.endswith(BESIDE))


def body(kind: str, case: str) -> bytes:
    files = (FILES / kind).glob(f"{case}.*")
    (file,) = (file for file in files if not file.name.endswith(BESIDE))
    return file.read_bytes()


def recorded(kind: str, case: str, **changes: Any) -> Notification:
    """Give a whole notification of the files: its body and what stands beside it."""
    headers, hint, mapping = (_beside(kind, case, ending) for ending in BESIDE)
    notification = Notification(
        "eu",
        body(kind, case),
        headers=json.loads(headers) if headers else {},
        hint=hint.strip() if hint else None,
        mapping=FieldMapping.model_validate_json(mapping) if mapping else None,
        received_at=RECEIVED,
    )
    return replace(notification, **changes)


def recording(kind: str, case: str) -> Any:
    """Give the JSON of a recorded body."""
    return json.loads(body(kind, case))


def _beside(kind: str, case: str, ending: str) -> str | None:
    file = FILES / kind / f"{case}{ending}"
    return file.read_text() if file.exists() else None


def sent(content: bytes | Any, headers: dict[str, str] | None = None) -> Notification:
    """Give a notification of this body, given as bytes or as JSON."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Notification("eu", raw, headers or {}, received_at=RECEIVED)


def parse(kind: str, content: Notification | bytes | Any, source: str = "eu") -> Parsed:
    notification = content if isinstance(content, Notification) else sent(content)
    return KINDS[kind].parse(replace(notification, source=source))


def only(kind: str, content: Notification | bytes | Any, source: str = "eu") -> RegistryEvent:
    parsed = parse(kind, content, source)
    assert not parsed.refusals
    (event,) = parsed.events
    return event


def facts(event: RegistryEvent, expected: dict[str, Any]) -> dict[str, Any]:
    """Give those facts of an event that are expected, to be compared in one go."""
    return {name: getattr(event, name) for name in expected}
