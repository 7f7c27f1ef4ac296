"""A user's mapping from any JSON to an event: one JMESPath expression per field, no code.

Whether an expression can be read is decided here; `sources/mapped.py` applies it.
"""

from functools import lru_cache
from typing import Annotated, Any

import jmespath
from jmespath.exceptions import ArityError, JMESPathError, UnknownFunctionError, VariadictArityError
from jmespath.functions import Functions
from pydantic import AfterValidator, Field, StringConstraints

from portcall.spec import Spec

_OPENING = "([{!&*"
_OPENINGS = 100
_DEPTH = 50
"""Of parts within parts of an expression: Python follows some hundred."""


@lru_cache(maxsize=1000)
def compile_path(expression: str) -> Any:
    """Compile a JMESPath expression; raise ValueError saying what is wrong with it."""
    if sum(map(expression.count, _OPENING)) > _OPENINGS:
        raise ValueError(f"more than {_OPENINGS} of the characters {_OPENING} in an expression")
    try:
        compiled = jmespath.compile(expression)
        _check_node(compiled.parsed, _DEPTH)
    except JMESPathError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"not a JMESPath expression: {reason[:200]}") from None
    return compiled


def _check_node(node: Any, depth: int) -> None:
    """Look for functions that there are not, which jmespath finds only when it calls them."""
    if not isinstance(node, dict):
        return
    if not depth:
        raise JMESPathError(f"its parts are nested more than {_DEPTH} deep")
    if node["type"] == "function_expression":
        _check_call(node["value"], len(node["children"]))
    for child in node["children"]:
        _check_node(child, depth - 1)


def _check_call(name: str, given: int) -> None:
    function = Functions.FUNCTION_TABLE.get(name)
    if function is None:
        raise UnknownFunctionError(f"Unknown function: {name}()")
    wanted = function["signature"]
    if wanted[-1].get("variadic"):
        if given < len(wanted):
            raise VariadictArityError(len(wanted), given, name)
    elif given != len(wanted):
        raise ArityError(len(wanted), given, name)


def _compiles(expression: str) -> str:
    compile_path(expression)
    return expression


Path = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_compiles)]


class FieldMapping(Spec):
    """Where each of an event's fields stands in a notification.

    `events` finds the list of events in the body, else the body is one event; every other
    expression is applied to one event. Headers are not seen. `types` translates the sender's words
    for `type`; a word that is neither in it nor a normalised name becomes `<kind>.<word>`. `id`
    absent: the identity is derived from the event's own JSON.
    """

    events: Path | None = None
    id: Path | None = None
    type: Path | None = None
    types: Annotated[
        dict[str, Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{1,100}$")]],
        Field(max_length=200),
    ] = {}
    occurred_at: Path | None = None
    registry: Path | None = None
    project: Path | None = None
    repository: Path | None = None
    tags: Path | None = None
    digest: Path | None = None
    media_type: Path | None = None
    artifact_type: Path | None = None
    platforms: Path | None = None
    size: Path | None = None
    visibility: Path | None = None
    actor: Path | None = None
    url: Path | None = None
    attributes: Annotated[
        dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}$")], Path],
        Field(max_length=50),
    ] = {}
