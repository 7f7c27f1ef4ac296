"""Refuses exclusions that leave nothing of what a policy matches."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from portcall.conditions.asking import OneOf
from portcall.conditions.block import Conditions, Match
from portcall.conditions.text import TextCondition
from portcall.spec import fault


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, dict | Conditions) else value


class _OneOrMore:
    """Lets one block stand in the schema of what is read where a list of them may."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core_schema)
        return {"anyOf": [schema, schema["items"]]} if handler.mode == "validation" else schema


Exclusions = Annotated[
    list[Conditions], BeforeValidator(_listed), Field(max_length=50), _OneOrMore()
]

_OF_ONE_VALUE = ("in", "glob", "regex", "semver")


def check_exclusions(match: Match, exclude: Sequence[Conditions]) -> None:
    """Raise ValidationError naming a block that is empty, or that obviously covers the match."""
    for index, block in enumerate(exclude):
        if not block.asked:
            raise fault(
                ["exclude", index], "has no condition, so that it would exclude every event"
            )
        if _covers(block, match):
            raise fault(["exclude", index], "excludes every event that match wants")


def _covers(block: Conditions, match: Match) -> bool:
    wanted = {asked.path: asked.condition for asked in match.asked}
    return all(
        asked.path in wanted and _is_within(wanted[asked.path], asked.condition)
        for asked in block.asked
    )


def _is_within(narrow: Any, wide: Any) -> bool:
    """Whether all that satisfies the one obviously satisfies the other."""
    if isinstance(narrow, OneOf):
        return all(wide.holds([name]) for name in narrow.names)
    if isinstance(narrow, TextCondition) and narrow.in_ and wide.form in _OF_ONE_VALUE:
        return all(wide.holds([value]) for value in narrow.in_)
    return bool(narrow == wide)
