"""Splits a spec into what may be shown and its secrets, and puts the two together again.

A secret is whatever is a `SecretStr`, wherever it stands; what is shown reads `MASK` there.
Encrypting is left to the database.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr

from portcall.errors import InvalidInputError

MASK = "**********"
"""How pydantic shows a secret, whatever its length."""

Path = tuple[str | int, ...]
Secrets = Mapping[Path, str]
ModelT = TypeVar("ModelT", bound=BaseModel)


def split(spec: BaseModel) -> tuple[dict[str, Any], dict[Path, str]]:
    """Give the spec as JSON values with the mask in place of secrets, and the secrets by path."""
    public = spec.model_dump(mode="json", by_alias=True)
    secrets = dict(_secrets(spec.model_dump(by_alias=True), ()))
    for path in secrets:
        _place(public, path, MASK)
    return public, secrets


def join(model: type[ModelT], public: Mapping[str, Any], secrets: Secrets) -> ModelT:
    """Give the spec that `split` took apart."""
    values = copy.deepcopy(dict(public))
    for path, secret in secrets.items():
        _place(values, path, secret)
    return model.model_validate(values)


def merge_masked(new: ModelT, old: ModelT | None) -> ModelT:
    """Take the old secret at the same path wherever the new spec sends the mask back.

    Raise InvalidInputError naming each field for which there is none.
    """
    public, secrets = split(new)
    known = split(old)[1] if old is not None else {}
    masked = [path for path, secret in secrets.items() if secret == MASK]
    unknown = [".".join(map(str, path)) for path in masked if path not in known]
    if unknown:
        raise InvalidInputError(
            f"No secret is stored for {', '.join(unknown)}: give it in clear.",
            [{"field": f, "message": "the mask, but no secret is stored"} for f in unknown],
        )
    if not masked:
        return new
    return join(type(new), public, secrets | {path: known[path] for path in masked})


def _children(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)


def _secrets(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, SecretStr):
        yield path, value.get_secret_value()
    for key, child in _children(value):
        yield from _secrets(child, (*path, key))


def _place(values: Any, path: Path, value: str) -> None:
    *parents, last = path
    for step in parents:
        values = values[step]
    values[last] = value
