"""Refuses exclusions that leave nothing of what a policy matches."""

from collections.abc import Sequence
from typing import Any

from portcall.conditions.asking import OneOf
from portcall.conditions.block import Conditions, Match
from portcall.conditions.text import TextCondition
from portcall.spec import fault

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
