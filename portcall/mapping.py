"""A user's mapping from any JSON to an event: one JMESPath expression per field, no code.

Whether an expression can be read is decided here; `sources/custom.py` applies it.
"""

from functools import lru_cache
from typing import Annotated, Any

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, Field, StringConstraints

from portcall.spec import Spec


@lru_cache(maxsize=1000)
def compile_path(expression: str) -> Any:
    """Compile a JMESPath expression; raise ValueError saying what is wrong with it."""
    try:
        return jmespath.compile(expression)
    except JMESPathError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"not a JMESPath expression: {reason[:200]}") from None


def _compiles(expression: str) -> str:
    compile_path(expression)
    return expression


Path = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_compiles)]


class FieldMapping(Spec):
    """Where each of an event's fields stands in a notification.

    `events` finds the list of events in the body, else the body is one event; every other
    expression is applied to one event. Headers are not seen. `types` translates the sender's words
    for `type`; a word that is not in it becomes `<kind>.<word>`. `id` absent: the identity is
    derived from the event's own JSON.
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
    attributes: Annotated[dict[str, Path], Field(max_length=50)] = {}
