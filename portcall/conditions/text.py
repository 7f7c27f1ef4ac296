"""Conditions on text: a pattern, a list, a range of versions, and what is built of these.

All are compiled when read, so that a wrong one cannot be saved. Patterns are anchored at both
ends, as in Prometheus.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from portcall.conditions.patterns import LONGEST_PATTERN, compile_regex, glob_to_regex
from portcall.conditions.versions import LONGEST_RANGE, check_range, is_in_range
from portcall.spec import Spec

LONGEST_CHOICE = 500
DEEPEST = 5
"""How deep conditions may stand in one another."""

Form = Literal["regex", "glob", "in", "semver", "not", "any"]
FORMS: tuple[Form, ...] = ("regex", "glob", "in", "semver", "not", "any")

_COST: Mapping[Form, int] = {"in": 0, "glob": 1, "regex": 1, "semver": 2}
_WILD = frozenset("*?[]{}()|^\\")


def _regex(pattern: str) -> str:
    compile_regex(pattern)
    return pattern


def _glob(pattern: str) -> str:
    compile_regex(glob_to_regex(pattern))
    return pattern


def _quoted(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        raise ValueError("put it in quotes: else YAML reads 1.10 as a number, no as false")  # noqa: TRY004 - pydantic takes no TypeError
    return value


Pattern = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_PATTERN)]
Choice = Annotated[
    str, BeforeValidator(_quoted), StringConstraints(min_length=1, max_length=LONGEST_CHOICE)
]


class TextCondition(Spec):
    """Exactly one of `regex`, `glob`, `in`, `semver`, `not` and `any`.

    A list in its place means `any`, of plain texts `in`; a plain text means `in` with it alone.
    """

    model_config = ConfigDict(populate_by_name=True)

    regex: Annotated[Pattern, AfterValidator(_regex)] | None = None
    glob: Annotated[Pattern, AfterValidator(_glob)] | None = None
    in_: Annotated[list[Choice], Field(min_length=1, max_length=10_000)] | None = Field(
        default=None, alias="in"
    )
    semver: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_RANGE)] | None = None
    prereleases: bool = False
    not_: "TextCondition | None" = Field(default=None, alias="not")
    any_: "Annotated[list[TextCondition], Field(min_length=1, max_length=100)] | None" = Field(
        default=None, alias="any"
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Let the short forms stand in the schema of what is read."""
        schema = handler(core_schema)
        whole = handler.resolve_ref_schema(schema)
        if handler.mode == "validation" and "properties" in whole:
            written_out = dict(whole)
            alternatives = written_out["properties"]["any"]["anyOf"][0]
            alone = {"type": "string", "minLength": 1, "maxLength": LONGEST_CHOICE}
            whole.clear()
            whole["anyOf"] = [written_out, alternatives, alone]
        return schema

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        _refuse_too_deep(value)
        if isinstance(value, str):
            return {"in": [_plain(value)]}
        if isinstance(value, list):
            texts = [_plain(item) for item in value if isinstance(item, str)]
            return {"in": texts} if texts and len(texts) == len(value) else {"any": value}
        if isinstance(value, bool | int | float):
            return _quoted(value)
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self._given()) != 1:
            raise ValueError(f"give exactly one of: {', '.join(FORMS)}")
        if self.prereleases and self.semver is None:
            raise ValueError("prereleases belongs to semver")
        if self.semver is not None:
            check_range(self.semver, self.prereleases)
        return self

    @model_serializer
    def _as_given(self) -> Any:
        if self.any_ is not None:
            return self.any_
        written = {self.form: self._wanted}
        return {**written, "prereleases": True} if self.prereleases else written

    def _given(self) -> dict[Form, Any]:
        forms = (self.regex, self.glob, self.in_, self.semver, self.not_, self.any_)
        return {form: value for form, value in zip(FORMS, forms, strict=True) if value is not None}

    @property
    def form(self) -> Form:
        """Which of the forms was given."""
        return next(iter(self._given()))

    @cached_property
    def _wanted(self) -> Any:
        return self._given()[self.form]

    @cached_property
    def _choices(self) -> frozenset[str]:
        return frozenset(self.in_ or ())

    @cached_property
    def cost(self) -> int:
        """How dear it is to ask, in no unit."""
        inner = [*(self.any_ or ()), *([self.not_] if self.not_ else ())]
        return max((c.cost for c in inner), default=_COST.get(self.form, 0))

    def holds(self, values: Sequence[str]) -> bool:
        """Whether one of the values, the whole of it, satisfies the condition.

        `not` holds where none does what it denies, so also where there is no value.
        """
        if self.not_ is not None:
            return not self.not_.holds(values)
        if self.any_ is not None:
            return any(condition.holds(values) for condition in self.any_)
        return any(map(self._fits, values))

    def _fits(self, value: str) -> bool:
        if self.in_ is not None:
            return value in self._choices
        if self.semver is not None:
            return is_in_range(value, self.semver, self.prereleases)
        pattern = self.regex if self.regex is not None else glob_to_regex(self.glob or "")
        return compile_regex(pattern).fullmatch(value) is not None

    def __str__(self) -> str:
        """Describe the condition as people write it."""
        return self._text

    @cached_property
    def _text(self) -> str:
        if self.in_ is not None:
            return "in: " + ", ".join(self.in_[:20]) + (", …" if len(self.in_) > 20 else "")
        if self.any_ is not None:
            return " or ".join(f"({c})" if c.any_ else str(c) for c in self.any_)
        more = ", prereleases" if self.prereleases else ""
        return f"{self.form}: {self._wanted}{more}"


def _plain(text: str) -> str:
    """Refuse a text that was meant as a pattern, but does not say of which sort."""
    if _WILD.isdisjoint(text):
        return text
    quoted = text if len(text) <= 50 else text[:49] + "…"
    raise ValueError(
        f'say how to read it: {{glob: "{quoted}"}}, {{regex: "…"}}, or {{in: […]}} letter by letter'
    )


def _refuse_too_deep(value: Any) -> None:
    level = _inner([value])
    for _ in range(DEEPEST + 1):
        inner = [item for part in level for item in _inner(part)]
        if not inner:
            return
        level = inner
    raise ValueError(f"conditions stand in one another deeper than {DEEPEST} levels")


def _inner(value: Any) -> list[Any]:
    found = value
    if isinstance(value, dict):
        alternatives = value.get("any")
        found = [value.get("not"), *(alternatives if isinstance(alternatives, list) else ())]
    return [item for item in found if isinstance(item, dict | list)]
