"""What Temporal's search can say of the events that a policy wants, before one of them is read.

It says less than the policy, never more: an event that matches is always among those found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

import re2

from portcall.conditions.patterns import glob_to_regex
from portcall.conditions.text import TextCondition
from portcall.ids import LONGEST_VALUE, cut
from portcall.policies import Policy
from portcall.search import quote

MOST_ALTERNATIVES = 100
"""Values and prefixes in one condition of a query; with more the condition is left out."""

_LOST = frozenset('"\\')
"""Characters that Temporal's search on SQL does not find again, however they are quoted."""


@dataclass(frozen=True)
class Bound:
    """A search attribute is one of `values`, or begins with one of `prefixes`."""

    attribute: str
    values: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    def allows(self, value: str | None) -> bool:
        """Whether a workflow with this value is found."""
        return value is not None and (value in self.values or value.startswith(self.prefixes))

    def __str__(self) -> str:
        """Write the condition of a query."""
        listed = f"{self.attribute} IN ({', '.join(map(quote, self.values))})"
        starts = [f"{self.attribute} STARTS_WITH {quote(prefix)}" for prefix in self.prefixes]
        return f"({' OR '.join([listed, *starts] if self.values else starts)})"


def bounds(policy: Policy) -> Sequence[Bound]:
    """Give what every event that the policy matches satisfies."""
    wanted = policy.match
    asked = {
        "Source": [_Start(name, whole=True) for name in wanted.sources or ()],
        "EventType": list(map(_of_type, wanted.event_types or ())),
        "Repository": list(_of_text(wanted.repository)) if wanted.repository else [],
    }
    found = (_bound(attribute, starts) for attribute, starts in asked.items() if starts)
    return [bound for bound in found if bound]


class _Start(NamedTuple):
    """How a value begins, or what it is where this is the whole of it."""

    text: str
    whole: bool


_ANYHOW = _Start("", whole=False)


def _bound(attribute: str, starts: Sequence[_Start]) -> Bound | None:
    found_for_sure = all(
        start.text.isprintable() and _LOST.isdisjoint(start.text) for start in starts
    )
    if _ANYHOW in starts or len(starts) > MOST_ALTERNATIVES or not found_for_sure:
        return None
    return Bound(
        attribute,
        tuple(cut(start.text) for start in starts if start.whole),
        tuple(cut(start.text) for start in starts if not start.whole),
    )


def _of_type(pattern: str) -> _Start:
    begin, star, _ = pattern.partition("*")
    return _Start(begin, whole=not star)


def _of_text(condition: TextCondition) -> Iterator[_Start]:
    if condition.in_ is not None:
        yield from (_Start(value, whole=True) for value in condition.in_)
    elif condition.any_ is not None:
        for alternative in condition.any_:
            yield from _of_text(alternative)
    elif condition.regex is not None:
        yield _Start(_prefix(condition.regex), whole=False)
    elif condition.glob is not None:
        yield _Start(_prefix(glob_to_regex(condition.glob)), whole=False)
    else:
        yield _ANYHOW


def _prefix(pattern: str) -> str:
    """Give what the least and the greatest text that the expression fits begin with."""
    options = re2.Options()
    options.log_errors = False
    try:
        anchored = re2.compile(rf"\A(?:{pattern})\z", options)
        least, greatest = anchored.possiblematchrange(LONGEST_VALUE)
    except re2.error:  # such as `a\Qb`, which quotes the parenthesis
        return ""
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(least, greatest, strict=False))
    return bytes(byte for byte, _ in alike).decode(errors="ignore")
