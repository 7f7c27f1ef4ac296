"""Conditions on numbers, on sizes in bytes, and on how severe a finding is."""

import math
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from portcall.spec import Spec


def _number(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not -(2**63) <= value < 2**63:
        raise ValueError("write a number, without quotes")
    return value


Number = Annotated[StrictInt | StrictFloat, BeforeValidator(_number)]
Count = Annotated[StrictInt, Field(ge=0, lt=2**63)]

_SIZE = r"\s*[0-9]{0,18}\.?[0-9]{1,18}\s*(([KMGTPEkmgtpe]i?)?[Bb]|[KMGTPEkmgtpe])?\s*"


def _size(value: Any) -> Any:
    # What stands behind a number and its unit, ByteSize passes over: 10,5MB would be 10 bytes.
    if isinstance(value, bool) or (isinstance(value, str) and not re.fullmatch(_SIZE, value)):
        raise ValueError("write a number of bytes, or for example 10MiB or 1.5GB")
    return value


Size = Annotated[
    ByteSize,
    BeforeValidator(_size),
    Field(lt=2**63),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": f"^{_SIZE}$"},
            ]
        },
        mode="validation",
    ),
]

_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "="}


class NumberCondition(Spec):
    """All comparisons that are given must hold: `gt`, `gte`, `lt`, `lte`, `eq`."""

    gt: Number | None = None
    gte: Number | None = None
    lt: Number | None = None
    lte: Number | None = None
    eq: Number | None = None

    @model_validator(mode="before")
    @classmethod
    def _says_how_to_compare(cls, value: Any) -> Any:
        if isinstance(value, str | int | float):
            raise ValueError("say how to compare: one or more of gt, gte, lt, lte, or eq")  # noqa: TRY004 - pydantic takes no TypeError
        return value

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if not self._given():
            raise ValueError("give one or more of: gt, gte, lt, lte, eq")
        if self._holds_nothing():
            raise ValueError(f"no such number is {self}")
        return self

    def _holds_nothing(self) -> bool:
        given = self._given()
        low = max(
            (v for name, v in given.items() if name in ("gt", "gte", "eq")), default=-math.inf
        )
        high = min(
            (v for name, v in given.items() if name in ("lt", "lte", "eq")), default=math.inf
        )
        return low > high or (low == high and not self._fits(low))

    @model_serializer
    def _as_given(self) -> dict[str, Any]:
        return self._given()

    def _given(self) -> dict[str, Any]:
        return {name: v for name in _SIGNS if (v := getattr(self, name)) is not None}

    @property
    def cost(self) -> int:
        """How dear it is to ask, in no unit."""
        return 0

    def holds(self, values: Sequence[float]) -> bool:
        """Whether one of the values passes every comparison."""
        return any(map(self._fits, values))

    def _fits(self, value: float) -> bool:
        return (
            (self.gt is None or value > self.gt)
            and (self.gte is None or value >= self.gte)
            and (self.lt is None or value < self.lt)
            and (self.lte is None or value <= self.lte)
            and (self.eq is None or value == self.eq)
        )

    def __str__(self) -> str:
        """Describe the condition: `>= 5 and < 10`."""
        return " and ".join(f"{_SIGNS[name]} {value}" for name, value in self._given().items())


class CountCondition(NumberCondition):
    """The same for whole numbers from 0 on."""

    gt: Count | None = None
    gte: Count | None = None
    lt: Count | None = None
    lte: Count | None = None
    eq: Count | None = None

    def _holds_nothing(self) -> bool:
        low = 0 if self.gt is None else self.gt + 1
        return not self._fits(max([low, *(v for v in (self.gte, self.eq) if v is not None)]))


class SizeCondition(CountCondition):
    """The same for bytes, which may be written `10MiB`."""

    gt: Size | None = None
    gte: Size | None = None
    lt: Size | None = None
    lte: Size | None = None
    eq: Size | None = None


UNKNOWN = "unknown"
SEVERITIES = ("none", "negligible", "low", "medium", "high", "critical")
"""From the least on; `unknown` has no place among them."""

_OTHER_WORDS = {
    "": UNKNOWN,
    "undefined": UNKNOWN,  # Amazon ECR, basic scanning
    "untriaged": UNKNOWN,  # Amazon Inspector
    "informational": "negligible",  # Amazon ECR
    "minimal": "negligible",
    "moderate": "medium",
    "important": "high",
    "defcon1": "critical",  # Quay, before Clair 4
}


def severity(word: str) -> str:
    """Give Portcall's word for a registry's; a word that nobody knows is `unknown`."""
    known = _OTHER_WORDS.get(word.strip().lower(), word.strip().lower())
    return known if known in SEVERITIES else UNKNOWN


def _known_severity(word: str) -> str:
    found = severity(word)
    if found == UNKNOWN and word.strip().lower() != UNKNOWN:
        near = get_close_matches(word.lower(), SEVERITIES, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ValueError(f"{hint}one of: {', '.join(SEVERITIES)}, {UNKNOWN}")
    return found


def _ranked(word: str) -> str:
    if word == UNKNOWN:
        raise ValueError(
            f"unknown is not more or less than another; one of: {', '.join(SEVERITIES)}"
        )
    return word


Severity = Annotated[str, StringConstraints(max_length=30), AfterValidator(_known_severity)]


class SeverityCondition(Spec):
    """Either `at_least` or `in`; registries' own words are understood in any case."""

    model_config = ConfigDict(populate_by_name=True)

    at_least: Annotated[Severity, AfterValidator(_ranked)] | None = None
    in_: Annotated[list[Severity], Field(min_length=1, max_length=20)] | None = Field(
        default=None, alias="in"
    )

    @model_validator(mode="before")
    @classmethod
    def _says_how_to_compare(cls, value: Any) -> Any:
        if isinstance(value, str | list):
            raise ValueError("say how to compare: {at_least: high} or {in: [high, critical]}")  # noqa: TRY004 - pydantic takes no TypeError
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.at_least is None) is (self.in_ is None):
            raise ValueError("give exactly one of: at_least, in")
        return self

    @model_serializer
    def _as_given(self) -> dict[str, Any]:
        return {"at_least": self.at_least} if self.at_least else {"in": self.in_}

    @property
    def cost(self) -> int:
        """How dear it is to ask, in no unit."""
        return 0

    def holds(self, values: Sequence[str]) -> bool:
        """Whether one of the values is as severe; what is unknown is not at least anything."""
        return any(severity(value) in self._wanted for value in values)

    @property
    def _wanted(self) -> Sequence[str]:
        if self.at_least is None:
            return self.in_ or ()
        return SEVERITIES[SEVERITIES.index(self.at_least) :]

    def __str__(self) -> str:
        """Describe the condition as people write it."""
        return f"at least {self.at_least}" if self.at_least else f"in: {', '.join(self.in_ or ())}"
