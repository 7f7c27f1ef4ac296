"""Durations as people write them (`5s`, `1h30m`, `3d`), as timedeltas inside."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
LONGEST = timedelta(days=3650)


def parse_duration(value: Any) -> Any:
    """Turn `1h30m` or a number of seconds into a timedelta; raise ValueError otherwise."""
    if isinstance(value, timedelta):
        duration = value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value <= LONGEST.total_seconds():
            raise ValueError("a duration lies between 0 and 3650d")
        duration = timedelta(seconds=value)
    elif isinstance(value, str) and len(value) <= 64 and _WHOLE.fullmatch(value):
        seconds = sum(float(n) * _UNITS[unit].total_seconds() for n, unit in _PART.findall(value))
        if seconds > LONGEST.total_seconds():
            raise ValueError("a duration lies between 0 and 3650d")
        duration = timedelta(seconds=seconds)
    else:
        raise ValueError("write a duration like 500ms, 5s, 10m, 6h, 3d or 1h30m")
    if not timedelta() <= duration <= LONGEST:
        raise ValueError("a duration lies between 0 and 3650d")
    return duration


def format_duration(duration: timedelta) -> str:
    """Give the shortest form that `parse_duration` reads back to the same millisecond."""
    left = round(duration.total_seconds() * 1000)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def about(duration: timedelta) -> str:
    """Give it for people: to the second where it is one or more."""
    seconds = duration.total_seconds()
    return format_duration(timedelta(seconds=round(seconds)) if seconds >= 1 else duration)


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string"}, {"type": "number", "minimum": 0}],
            "description": "units d, h, m, s, ms; a number counts seconds",
            "examples": ["5s", "6h", "3d", "1h30m"],
        },
        mode="validation",
    ),
    WithJsonSchema({"type": "string"}, mode="serialization"),
]
