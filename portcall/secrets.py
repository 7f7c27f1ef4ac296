"""Splits a spec into what may be shown and its secrets, and puts the two together again.

A secret is whatever is a `SecretStr` or `Concealed`, wherever it stands; what is shown reads
`MASK` there. Encrypting is left to the database.
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


class Concealed(str):
    """Text that is a secret, in whole or in part, and is used like any other text.

    JSON, and whatever prints its `repr`, gets what may be shown.
    """

    __slots__ = ()

    @property
    def shown(self) -> str:
        """What may be shown of it."""
        return MASK

    @property
    def is_masked(self) -> bool:
        """Whether this is what was shown, sent back."""
        return self == MASK

    def filled(self, known: str) -> str:
        """Put in what is masked here, from what is known."""
        return known if self == MASK else self

    def __repr__(self) -> str:
        return repr(self.shown)


def shown(value: str) -> str:
    """Give what may be shown of a text that is a secret."""
    return value.shown if isinstance(value, Concealed) else MASK


def split(spec: BaseModel) -> tuple[dict[str, Any], dict[Path, str]]:
    """Give the spec as JSON values with the mask in place of secrets, and the secrets by path."""
    public = spec.model_dump(mode="json", by_alias=True)
    found = dict(_secrets(spec.model_dump(by_alias=True), ()))
    for path, value in found.items():
        _place(public, path, shown(value))
    return public, found


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
    masked = {path: secret for path, secret in secrets.items() if _is_masked(secret)}
    filled = dict(_filled(masked, known))
    unknown = [".".join(map(str, path)) for path in masked if path not in filled]
    if unknown:
        raise InvalidInputError(
            f"No secret is stored for {', '.join(unknown)}: give it in clear.",
            [{"field": f, "message": "the mask, but no secret is stored"} for f in unknown],
        )
    if not filled:
        return new
    return join(type(new), public, {**secrets, **filled})


def _is_masked(secret: str) -> bool:
    return secret.is_masked if isinstance(secret, Concealed) else secret == MASK


def _filled(masked: Secrets, known: Secrets) -> Iterator[tuple[Path, str]]:
    """Give the masked secrets with what is known put in, as far as it is known."""
    for path, secret in masked.items():
        if path in known and isinstance(secret, Concealed):
            filled = type(secret)(secret.filled(known[path]))
            if not filled.is_masked:
                yield path, filled
        elif path in known:
            yield path, known[path]


def _children(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)


def _secrets(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, SecretStr):
        yield path, value.get_secret_value()
    if isinstance(value, Concealed) and (value.is_masked or value.shown != value):
        yield path, value
    for key, child in _children(value):
        yield from _secrets(child, (*path, key))


def _place(values: Any, path: Path, value: str) -> None:
    *parents, last = path
    for step in parents:
        values = values[step]
    values[last] = value
