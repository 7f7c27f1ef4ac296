"""What Harbor's API lists as webhook policies (`/projects/{name}/webhook/policies`), as values.

What is absent or null is read as Harbor writes it: Go leaves out what is empty or false.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from portcall.errors import InvalidInputError


def _text(value: Any) -> Any:
    return "" if value is None else value


def _list(value: Any) -> Any:
    return [] if value is None else value


Text = Annotated[str, BeforeValidator(_text)]
Credential = Annotated[str, BeforeValidator(_text), Field(repr=False)]


class HarborTarget(BaseModel):
    """One endpoint of a webhook policy."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    type: Text = "http"
    address: Credential = ""
    auth_header: Credential = ""
    skip_cert_verify: bool = False
    payload_format: Text = ""


class HarborPolicy(BaseModel):
    """One webhook policy of a project."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    id: int
    name: Text = ""
    description: Text = ""
    event_types: Annotated[list[str], BeforeValidator(_list)] = []
    targets: Annotated[list[HarborTarget], BeforeValidator(_list)] = []
    enabled: bool = False


Projects = Mapping[str, Sequence[HarborPolicy]]

_PROJECTS = TypeAdapter(dict[str, Annotated[list[HarborPolicy], BeforeValidator(_list)]])


def read_projects(value: Any, project: str | None) -> Projects:
    """Read one project's list, or an object with a list for each project's name.

    Raise InvalidInputError naming all that is wrong; `project` names the one of a list, and
    chooses one of an object.
    """
    if isinstance(value, list):
        if project is None:
            raise InvalidInputError("This is the list of one project: say which with --project.")
        value = {project: value}
    elif isinstance(value, dict) and project is not None:
        if project not in value:
            raise InvalidInputError(f"There is no project {project} in this file.")
        value = {project: value[project]}
    try:
        return _PROJECTS.validate_python(value)
    except ValidationError as error:
        raise InvalidInputError(
            "This is not what Harbor's API lists as webhook policies.",
            [
                {"field": ".".join(map(str, fault["loc"])), "message": fault["msg"]}
                for fault in error.errors(include_url=False, include_input=False)
            ],
        ) from None
