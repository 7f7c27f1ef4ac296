"""What a dry run answers: which fields of a spec would change, never their values."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel


class Change(BaseModel):
    """What a dry run found: the fields that would change, dotted, never their values."""

    result: Literal["created", "updated", "unchanged"]
    changed: list[str] = []


def changes(old: BaseModel | None, new: BaseModel) -> Change:
    """Say which fields differ, by dotted names; a list is one field."""
    if old is None:
        return Change(result="created")
    before, after = (dict(_leaves(spec.model_dump(exclude_none=True), ())) for spec in (old, new))
    changed = sorted(
        path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    )
    return Change(result="updated" if changed else "unchanged", changed=changed)


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, (*path, key))
    else:
        yield ".".join(path), value
