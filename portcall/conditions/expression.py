"""One expression in CEL on an event's facts, for what no other condition can say.

Google's cel-cpp evaluates it. What could make that dear is no part of the language here: `exists`
inside another, joined texts, lists and maps of values that are not written down; `matches` is
Portcall's own, with a budget. `syntax.py` decides on what may be written, `facts.py` bounds the
facts.
"""

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints

from portcall.conditions.facts import PART_MEMBERS, TEXTS, facts
from portcall.conditions.patterns import compile_regex
from portcall.conditions.syntax import MATCHES, check_syntax, fault, with_own_matches
from portcall.events import RegistryEvent

LONGEST_EXPRESSION = 2000
MATCHING_BUDGET = 5_000_000
"""Characters times instructions that all `matches` of one evaluation may take: some 50 ms."""


class _Budget(threading.local):
    """What is left of the budget in the evaluation that this thread is at."""

    left = 0

    def matches(self, text: str, pattern: str) -> bool:
        """Find the pattern in the text, as CEL's own `matches` does."""
        compiled = compile_regex(pattern)
        self.left -= (len(text) + 1) * compiled.programsize
        if self.left < 0:
            raise ValueError("matches has too much to look through")
        return compiled.search(text) is not None


_budget = _Budget()

_LANGUAGE = """
name: portcall
stdlib:
  exclude_macros: [map, filter]
  exclude_functions:
    - name: matches
    - name: "_+_"
      overloads: [{id: add_string}, {id: add_bytes}, {id: add_list}]
"""


@lru_cache(maxsize=1)
def _cel() -> tuple[Any, Any]:
    """Give the library and our language in it, loaded when the first expression is read."""
    from cel_expr_python import cel  # noqa: PLC0415 - most commands need none

    kinds = cel.Type
    variables = {
        **dict.fromkeys(TEXTS, kinds.STRING),
        **dict.fromkeys(("tags", "platforms"), kinds.List(kinds.STRING)),
        **dict.fromkeys((*PART_MEMBERS, "attributes"), kinds.Map(kinds.STRING, kinds.DYN)),
        **dict.fromkeys(("occurred_at", "received_at"), kinds.TIMESTAMP),
        "size": kinds.INT,
    }
    matches = cel.Overload(
        "matches_within_budget",
        return_type=kinds.BOOL,
        parameters=[kinds.STRING, kinds.STRING],
        is_member=True,
        impl=_budget.matches,
    )
    language = cel.NewEnv(
        config=cel.NewEnvConfigFromYaml(_LANGUAGE),
        variables=variables,
        functions=[cel.FunctionDecl(MATCHES, [matches])],
    )
    return cel, language


@lru_cache(maxsize=20_000)
def compile_expression(expression: str) -> Any:
    """Compile an expression that gives true or false; raise ValueError with the position."""
    check_syntax(expression)
    cel, language = _cel()
    try:
        compiled = language.compile(with_own_matches(expression))
    except RuntimeError as error:
        raise ValueError(fault(expression, str(error))) from None
    given = compiled.return_type()
    if given not in (cel.Type.BOOL, cel.Type.DYN):
        raise ValueError(f"a CEL expression here gives true or false, this one {given.name()}")
    return compiled


def _compiles(expression: str) -> str:
    compile_expression(expression)
    return expression


Expression = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_EXPRESSION),
    AfterValidator(_compiles),
]


class IsTrue:
    """A condition that an expression came out true."""

    cost = 10

    def __init__(self, expression: str) -> None:
        self._expression = expression

    def holds(self, values: Sequence[str]) -> bool:
        """Whether it did."""
        return tuple(values) == ("true",)

    def __str__(self) -> str:
        return self._expression


class _Same:
    """An event as itself and nothing else, so that its facts are made once for all policies."""

    def __init__(self, event: RegistryEvent) -> None:
        self.event = event

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.event is self.event

    def __hash__(self) -> int:
        return id(self.event)


@lru_cache(maxsize=2)
def _activation(same: _Same) -> Any:
    return _cel()[1].Activation(facts(same.event))


def outcome(expression: str, event: RegistryEvent) -> Sequence[str]:
    """Give `true`, `false`, or what went wrong."""
    cel, _ = _cel()
    _budget.left = MATCHING_BUDGET
    try:
        value = compile_expression(expression).eval(_activation(_Same(event)))
    except (RuntimeError, ValueError) as error:
        return (_failed(str(error)),)
    if value.type() == cel.Type.BOOL:
        return ("true",) if value.value() else ("false",)
    if value.type() == cel.Type.ERROR:
        return (_failed(str(value.value())),)
    return (_failed(f"neither true nor false, but {value.type().name()}"),)


def _failed(reason: str) -> str:
    return f"error: {reason.partition(': ')[2] or reason}"
