"""The language of templates: Jinja's, without what could run away.

No assignments, macros, calls or arithmetic: a text is made of the event's own texts and the
template's, once each, so that between two steps there is at most one pass over the template,
and every turn of a loop is a step. `while_filling` (`template_cost.py`) is told of each turn of a
loop that has an `if`, which puts out nothing where it does not hold, of filters, and of copies.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from jinja2 import (
    ChainableUndefined,
    Template,
    TemplateSyntaxError,
    Undefined,
    meta,
    nodes,
    pass_environment,
)
from jinja2.filters import FILTERS, do_unique
from jinja2.sandbox import SandboxedEnvironment
from jinja2.tests import test_divisibleby, test_even, test_lower, test_odd, test_upper
from markupsafe import Markup

from portcall.events import RegistryEvent
from portcall.formats.template_cost import (
    CONCAT,
    COPY,
    Told,
    bounded_texts,
    concat,
    of_number,
    told,
    watched,
)

_DEEPEST = 50
_DEEPEST_FILTER = 5
_LONGEST_SEPARATOR = 100
_TURN = "_turn"
_MEMBERS = RegistryEvent.model_fields.keys() - {"raw"}
_KNOWN = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.CondExpr,
    nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Getattr, nodes.Getitem, nodes.Slice,
    nodes.Filter, nodes.Test, nodes.Keyword, nodes.Compare, nodes.Operand, nodes.Concat,
    nodes.Not, nodes.And, nodes.Or,
)  # fmt: skip
_IN_LOOPS = (nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter)


class TemplateError(ValueError):
    """A template that cannot be used, or not for this event; the message names the line."""


@dataclass(frozen=True)
class Compiled:
    """A template that can be filled in; `parts` says how much one pass over it has to do."""

    template: Template
    parts: int


def compiled(env: SandboxedEnvironment, body: str) -> Compiled:
    """Read a template; raise TemplateError for what the language does not have."""
    try:
        template = env.parse(body)
        _refuse(template, _fault)
        # This folds constants, in the square of the depth: both are known to be small by now.
        undeclared = meta.find_undeclared_variables(template) - {"event", "events"}
        _refuse(template, lambda node: _undeclared(node, undeclared))
        for loop in template.find_all(nodes.For):
            loop.body.insert(0, nodes.Output([nodes.TemplateData("")], lineno=loop.lineno))
            if loop.test:
                turn = nodes.Filter(nodes.Const(True), _TURN, [], [], None, None)
                loop.test = nodes.And(turn, loop.test).set_lineno(loop.lineno)
        parts = sum(1 for _ in _all(template))
        return Compiled(env.from_string(Told().visit(template)), parts)
    except TemplateSyntaxError as error:
        raise TemplateError(f"line {error.lineno}: {error.message}") from None
    except (RecursionError, SyntaxError):
        raise TemplateError("it is nested too deeply") from None
    except TemplateError:
        raise
    except ValueError:  # Python reads and writes numbers of 4,300 digits
        raise TemplateError("it has a number that is too long") from None


def language(write: Callable[[Any], str]) -> SandboxedEnvironment:
    """Give the environment in which `write` makes text of the values that are put out."""
    env = SandboxedEnvironment(
        undefined=ChainableUndefined,
        optimized=False,
        finalize=lambda value: value if isinstance(value, Markup) else write(told(value)),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.globals.clear()
    filters = {name: FILTERS[name] for name in _FILTERS} | _OWN_FILTERS
    filters |= {_TURN: told, CONCAT: concat, COPY: told}
    env.filters = {
        name: watched(made, copies=name not in _COPIES_NOTHING) for name, made in filters.items()
    }
    env.tests |= _TESTS
    return env


def _all(node: nodes.Node, depth: int = 0) -> Iterator[nodes.Node]:
    if depth > _DEEPEST:
        raise TemplateError("it is nested too deeply")
    yield node
    for child in node.iter_child_nodes():
        yield from _all(child, depth + 1)


def _refuse(template: nodes.Template, fault_of: Callable[[nodes.Node], str | None]) -> None:
    for node in _all(template):
        if fault := fault_of(node):
            raise TemplateError(f"line {node.lineno}: {fault}")


def _undeclared(node: nodes.Node, names: set[str]) -> str | None:
    if isinstance(node, nodes.Name) and node.name in names:
        return f"there is no {node.name}, only event and events"
    return None


def _fault(node: nodes.Node) -> str | None:
    match node:
        case nodes.Getattr(node=nodes.Name(name="event"), attr=attr) if attr not in _MEMBERS:
            near = get_close_matches(attr, _MEMBERS, n=1)
            return f"event has no {attr}" + (f", did you mean {near[0]}?" if near else "")
        case nodes.For(recursive=True):
            return "a loop cannot be recursive"
        case nodes.For(iter=values) if not all(isinstance(n, _IN_LOOPS) for n in _all(values)):
            return "a loop goes over a member of the event, filters allowed"
        case nodes.Filter():
            return _filter_fault(node)
        case _ if not isinstance(node, _KNOWN):
            word = type(node).__name__.lower()
            return f"templates have no {word}: they have if, for, comparisons, ~ and filters"
    return None


def _filter_fault(node: nodes.Filter) -> str | None:
    if _depth(node) > _DEEPEST_FILTER:
        return f"more than {_DEEPEST_FILTER} filters at one value"
    if node.name == "tojson" and node.node and _has_json(node.node):
        return "tojson of what is JSON already"
    return None


def _depth(node: nodes.Node | None) -> int:
    """Count the filters within one another, wherever they stand in the expression."""
    inner = max((_depth(child) for child in node.iter_child_nodes()), default=0) if node else 0
    return inner + isinstance(node, nodes.Filter)


def _has_json(node: nodes.Node) -> bool:
    """Whether there is JSON in it, which doubles each time that it is written as JSON."""
    return any(isinstance(n, nodes.Filter) and n.name == "tojson" for n in _all(node))


def _json(value: Any) -> Markup:
    return Markup(json.dumps(None if isinstance(value, Undefined) else value))  # noqa: S704


def _join(values: Any, separator: str = "") -> str:
    if not isinstance(values, Sequence) or isinstance(values, str):
        values = () if isinstance(values, Undefined) or values is None else (values,)
    if len(separator) > _LONGEST_SEPARATOR:
        raise ValueError(f"a separator has at most {_LONGEST_SEPARATOR} characters")
    return separator.join(bounded_texts(values, "join", len(separator)))


def _split(text: Any, separator: str) -> list[str]:
    return str(text or "").split(separator)


@pass_environment
def _unique(*args: Any, **options: Any) -> list[Any]:
    return list(do_unique(*args, **options))  # a generator is neither joined nor written as JSON


_FILTERS = (
    "capitalize", "count", "d", "default", "first", "int", "last", "length", "lower", "sort",
    "string", "title", "trim", "truncate", "upper", "urlencode",
)  # fmt: skip
_COPIES_NOTHING = {"count", "d", "default", "first", "int", "join", "last", "length", CONCAT}
_TESTS: dict[str, Callable[..., Any]] = {
    "divisibleby": of_number(test_divisibleby),
    "even": of_number(test_even),
    "odd": of_number(test_odd),
    "lower": watched(test_lower, copies=True),
    "upper": watched(test_upper, copies=True),
}
_OWN_FILTERS: dict[str, Callable[..., Any]] = {
    "tojson": _json,
    "join": _join,
    "split": _split,
    "unique": _unique,
}
