"""Every refusal and failure as a problem document (RFC 9457), rendered in one place.

The caller's values are never echoed: they may be secrets.
"""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from portcall.errors import InvalidInputError, PortcallError
from portcall.spec import IN_WORDS

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "5"
"""Seconds after which asking again may help, where something is away."""

_TIME_IN_WORDS = "write a time like 2026-07-30T12:00:00Z"
_TYPES_IN_WORDS = {
    "bool_parsing": "one of: true, false",
    "bool_type": "one of: true, false",
    "datetime_from_date_parsing": _TIME_IN_WORDS,
    "datetime_parsing": _TIME_IN_WORDS,
    "datetime_type": _TIME_IN_WORDS,
    "dict_type": "write a mapping, {name: value}",
    "list_type": "write a list, [one, another]",
    "model_attributes_type": "write a mapping, {name: value}",
    "model_type": "write a mapping, {name: value}",
    "string_type": "write text, and in quotes what YAML reads as a number",
}

log = structlog.get_logger(__name__)


class FieldError(BaseModel):
    """A field as users write it (`match.repository.regex`) and what is wrong with it."""

    field: str
    message: str


class Problem(BaseModel):
    """A problem document (RFC 9457); further members depend on the problem."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Declare, for OpenAPI, the statuses that an endpoint answers with a problem document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in statuses
    }


def problem(
    status: int, title: str, detail: str, headers: Mapping[str, str] | None = None, **extra: Any
) -> JSONResponse:
    """Render a problem document."""
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail, **extra}
    return JSONResponse(document, status, headers, media_type=MEDIA_TYPE)


def invalid(errors: Sequence[Mapping[str, str]]) -> InvalidInputError:
    """Give the error for wrong fields, whose sentence names the first of them."""
    shown = "; ".join(f"{e['field'] or 'the body'}: {e['message']}" for e in errors[:3])
    more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
    return InvalidInputError(shown + more, errors)


def install(app: FastAPI) -> None:
    """Let the application answer every error with a problem document."""
    app.add_exception_handler(PortcallError, _expected)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _expected(_: Request, error: Any) -> JSONResponse:
    headers = {
        401: {"WWW-Authenticate": 'Bearer realm="portcall"'},
        503: {"Retry-After": RETRY_AFTER},
    }
    return problem(
        error.status, error.title, error.message, headers.get(error.status), **error.problem
    )


async def _http(_: Request, error: Any) -> JSONResponse:
    title = HTTPStatus(error.status_code).phrase
    return problem(error.status_code, title, error.detail, error.headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("unexpected error", method=request.method, path=request.url.path, exc_info=error)
    return problem(500, "Portcall failed", "An unexpected error; the log of the API says more.")


async def _validation(request: Request, error: Any) -> JSONResponse:
    for fault in error.errors():
        if fault["type"] == "json_invalid":
            where = f"at position {fault['loc'][-1]}: {fault['ctx']['error']}"
            return problem(400, "Not JSON", f"The body is not JSON {where}.")
        if fault["loc"] == ("body",) and isinstance(error.body, bytes):
            return problem(400, "Not JSON", "Send JSON, with Content-Type: application/json.")
    return await _expected(request, invalid(field_errors(error.errors(), error.body)))


def field_errors(faults: Iterable[Mapping[str, Any]], body: Any) -> list[dict[str, str]]:
    """Give pydantic's faults as users see them, each once, without the values that they sent."""
    found = {
        (
            _field(fault["loc"][1:], body if fault["loc"][0] == "body" else None)
            + (".type" if fault["type"] in ("union_tag_not_found", "union_tag_invalid") else ""),
            _message(fault),
        ): None
        for fault in faults
    }
    return [{"field": field, "message": message} for field, message in found]


def _field(path: Sequence[str | int], value: Any) -> str:
    """Write a path with dots, without what pydantic puts in of its own: tags and `[key]`."""
    names: list[str] = []
    tag = None
    for part in path:
        if part == "[key]" or (tag is not None and part == tag):
            tag = None
            continue
        names.append(str(part))
        value = _child(value, part)
        tag = value.get("type") if isinstance(value, dict) else None
    return ".".join(names)


def _child(value: Any, part: str | int) -> Any:
    try:
        return value[part]
    except (KeyError, IndexError, TypeError):
        return None


def _message(fault: Mapping[str, Any]) -> str:
    match fault["type"]:
        case "missing" | "union_tag_not_found":
            return "is missing"
        case "too_short" | "string_too_short" if fault["ctx"]["min_length"] == 1:
            return "is empty"
        case "extra_forbidden":
            return "unknown field"
        case "union_tag_invalid":
            return f"one of: {fault['ctx']['expected_tags']}"
        case kind:
            words = _TYPES_IN_WORDS.get(kind) or IN_WORDS.get(fault.get("ctx", {}).get("pattern"))
            return words or str(fault["msg"]).removeprefix("Value error, ")
