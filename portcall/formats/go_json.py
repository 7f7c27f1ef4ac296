"""Writes JSON as Go's `encoding/json` does, which Harbor uses: to the byte."""

import json
import re
from datetime import UTC, datetime
from typing import Any

_ESCAPED = re.compile("[<>&\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
NEVER = "0001-01-01T00:00:00Z"
"""How Go writes a time that was not set."""


def go_json(value: Any) -> bytes:
    """Give compact JSON: UTF-8, with what could end a script in HTML escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = _ESCAPED.sub(lambda char: f"\\u{ord(char[0]):04x}", text)
    return _SURROGATE.sub(r"\\ufffd", text).encode()


def go_time(moment: datetime | None) -> str:
    """Give RFC 3339 with as many digits of the second as there are."""
    if moment is None:
        return NEVER
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"
