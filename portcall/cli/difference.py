"""How the difference between two versions of a spec is written, a line per field.

A secret is never written, and neither is what came from the environment: it reads «changed», or
«removed» where none is left.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from portcall.secrets import MASK

LONGEST = 200
"""Characters of a value at most; a pattern may have ten thousand."""

_SHORT = 60


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Give the dotted fields that differ; a list is one field."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    return sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))


def lines(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    changed: Sequence[str],
    is_hidden: Callable[[str], bool],
) -> tuple[str, ...]:
    """Write what each of the `changed` fields was and what it becomes."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    return tuple(
        f"{name}: "
        + ("«changed»" if is_hidden(name) else _change(before.get(name), after.get(name)))
        for name in changed
    )


def _change(old: Any, new: Any) -> str:
    before, after = _json(old), _json(new)
    if MASK in before + after:
        return "«changed»" if new else "«removed»"
    if isinstance(old, list) and isinstance(new, list) and len(before + after) > _SHORT:
        was, becomes = dict.fromkeys(map(_json, old)), dict.fromkeys(map(_json, new))
        parted = [f"+ {item}" for item in becomes if item not in was]
        parted += [f"- {item}" for item in was if item not in becomes]
        if parted:
            return _cut(", ".join(parted))
    return f"{_cut(before)} -> {_cut(after)}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _leaves(part, f"{name}.{key}" if name else str(key))
    elif value is not None:
        yield name, value
