"""What filling in a template copies, told to `while_filling` before it is done.

A text of the event may stand in a template a thousand times: what is made of it in one step is in
the memory at the same time.
"""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import wraps
from typing import Any

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

LARGEST = 256 * 1024
"""Characters that a template may make."""

CONCAT, COPY = "_concat", "_copy"
_LIKE_A_NUMBER = 8

while_filling: ContextVar[Callable[[int], None]] = ContextVar(
    "while_filling", default=lambda _copied: None
)
"""What is told how many characters are copied; it raises TemplateError where it is too much."""


class Told(NodeTransformer):
    """Makes filters, which are watched, of what else copies texts."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja's name
        """Put together by `concat`."""
        self.generic_visit(node)
        texts = nodes.List(node.nodes).set_lineno(node.lineno)
        return nodes.Filter(texts, CONCAT, [], [], None, None).set_lineno(node.lineno)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802 - Jinja's name
        """Tell of a slice, which is a copy."""
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        return nodes.Filter(node, COPY, [], [], None, None).set_lineno(node.lineno)


def watched(made: Callable[..., Any], *, copies: bool) -> Callable[..., Any]:
    """Make a filter or a test that tells of itself, and of what it `copies` of its arguments."""

    @wraps(made)  # with the marks by which Jinja knows what it takes
    def watched(*args: Any, **kwargs: Any) -> Any:
        while_filling.get()(0)
        return made(*map(told, args), **kwargs) if copies else made(*args, **kwargs)

    return watched


def told(value: Any) -> Any:
    """Tell how many characters the value has, before it is copied."""
    tell, parts = while_filling.get(), [value]
    while parts:
        match parts.pop():
            case str() as text:
                tell(len(text))
            case Mapping() as mapping:
                parts += [*mapping.keys(), *mapping.values()]
            case list() | tuple() as values:
                parts += values
            case _:
                tell(_LIKE_A_NUMBER)
    return value


def of_number(test: Callable[..., bool]) -> Callable[..., bool]:
    """Answer for numbers alone: of a text, `%` makes another one of any length."""

    def holds(value: Any, *args: Any) -> bool:
        return isinstance(value, int | float) and test(value, *args)

    return holds


def concat(values: Sequence[Any]) -> str:
    """Do what `~` does."""
    return "".join(bounded_texts(values, "~"))


def bounded_texts(values: Sequence[Any], maker: str, between: int = 0) -> list[str]:
    """Give the texts that are to be put together; raise ValueError where they are too long."""
    texts, size = [], 0
    for value in values:
        texts.append(str(told(value)))
        size += len(texts[-1]) + between
        if size > LARGEST:
            raise ValueError(f"{maker} makes more than {LARGEST} characters")
    return texts
