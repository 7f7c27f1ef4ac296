"""What a dry run answers: which fields of a spec would change, never their values."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel


class Change(BaseModel):
    """What a dry run found: the fields that would change, dotted, never their values.

    `warnings` say what is allowed, but can hardly be meant, each with its field.
    """

    result: Literal["created", "updated", "unchanged"]
    changed: list[str] = []
    warnings: list[str] = []


def changes(old: BaseModel | None, new: BaseModel, warnings: Sequence[str] = ()) -> Change:
    """Say which fields differ, by dotted names; a list is one field."""
    if old is None:
        return Change(result="created", warnings=list(warnings))
    before, after = (dict(_leaves(spec.model_dump(exclude_none=True), ())) for spec in (old, new))
    changed = sorted(
        path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    )
    result: Literal["updated", "unchanged"] = "updated" if changed else "unchanged"
    return Change(result=result, changed=changed, warnings=list(warnings))


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, (*path, key))
    else:
        yield ".".join(path), value
