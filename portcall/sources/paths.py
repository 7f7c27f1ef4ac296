"""Evaluates JMESPath expressions within bounds: what they cost is counted before it is done.

Without that, forty characters can ask for more memory than there is: each `[@,@][]` doubles
a list, each `join('', [@,@])` a text.
"""

from collections.abc import Callable, Mapping
from typing import Any

from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

from portcall.errors import NotificationError
from portcall.mapping import compile_path

STEPS = 300_000
"""For one notification: four times what a mapping of 15 fields takes for 1000 events."""
_CHARACTERS = 64
"""Of text that cost as much as one step."""


class Paths:
    """Evaluates the expressions of one notification; together they have `STEPS`."""

    def __init__(self, steps: int = STEPS) -> None:
        """Begin with all steps left."""
        self._left = steps
        self._interpreter = _Interpreter(self._spend)

    def find(self, field: str, expression: str, value: Any) -> Any:
        """Give what the expression finds; raise NotificationError that names the field."""
        try:
            found = self._interpreter.visit(compile_path(expression).parsed, value)
            _weigh([found], self._spend)
            return found
        except _TooCostlyError:
            why, reason = "asks for too much of this notification", "too_costly"
        except (JMESPathError, ArithmeticError, TypeError, ValueError) as error:
            why, reason = f"fails: {' '.join(str(error).split())[:200]}", "wrong_type"
        raise NotificationError(
            f"{field}: the expression {expression!r} {why}.", reason=reason, field=field
        )

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise _TooCostlyError


class _TooCostlyError(Exception):
    """There are no steps left."""


class _Interpreter(TreeInterpreter):  # type: ignore[misc]
    """Counts every node that is visited, and what lists, functions and comparisons take."""

    def __init__(self, spend: Callable[[int], None]) -> None:
        super().__init__()
        self._spend = spend
        self._functions = _Functions(spend)
        self.COMPARATOR_FUNC = {
            name: self._counting(compare)
            for name, compare in TreeInterpreter.COMPARATOR_FUNC.items()
        }

    def visit(self, node: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        self._spend(1)
        result = super().visit(node, *args, **kwargs)
        if isinstance(result, list):
            self._spend(len(result) // 8)
        return result

    def visit_flatten(self, node: Mapping[str, Any], value: Any) -> Any:
        base = self.visit(node["children"][0], value)
        if isinstance(base, list):
            self._spend(sum(len(item) for item in base if isinstance(item, list)))
        return super().visit_flatten({"children": [{"type": "literal", "value": base}]}, value)

    def _counting(self, compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def counted(left: Any, right: Any) -> Any:
            _weigh([left, right], self._spend)
            return compare(left, right)

        return counted


class _Functions(Functions):  # type: ignore[misc]
    """Counts all that is in the arguments of a function, and the length of what it joins."""

    def __init__(self, spend: Callable[[int], None]) -> None:
        self._spend = spend

    def call_function(self, function_name: str, resolved_args: list[Any]) -> Any:
        _weigh(resolved_args, self._spend)
        match function_name, resolved_args:
            case "join", [str(separator), list(items)]:
                self._spend(len(separator) * len(items) // _CHARACTERS)
        return super().call_function(function_name, resolved_args)


def _weigh(values: list[Any], spend: Callable[[int], None]) -> None:
    """Spend one step for every value in there, and more for long text."""
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        spend(1)
        if isinstance(value, str):
            spend(len(value) // _CHARACTERS)
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
