"""What every part of a spec is made of: the closed base, names, secrets, header fields."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    SecretStr,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from portcall.sensitive import SecretUrl, concealed_headers

_KEYS_LOOKED_AT = 100

_NAME = r"^[a-z0-9](?:[a-z0-9._-]{0,48}[a-z0-9])?$"
_NAME_IN_WORDS = "lower-case letters, digits, `.`, `_`, `-`; at most 50 characters"
_EVENT_TYPE = r"^[a-z0-9_.*-]+$"

IN_WORDS = {
    _NAME: _NAME_IN_WORDS,
    _EVENT_TYPE: "lower-case, such as artifact.pushed; `*` stands for any characters",
}
"""What people are told of a text that is not as the pattern says."""

Name = Annotated[
    str,
    StringConstraints(pattern=_NAME, max_length=50),
    Field(description=_NAME_IN_WORDS),
]
EventTypePattern = Annotated[str, StringConstraints(pattern=_EVENT_TYPE, max_length=100)]
Description = Annotated[str, Field(max_length=500)]
Secret = Annotated[
    SecretStr,
    Field(min_length=1, max_length=4096),
    WithJsonSchema({"type": "string", "description": "masked"}, mode="serialization"),
]


def fault(place: Sequence[str | int], message: str) -> ValidationError:
    """Make the error that names a place within what is being validated."""
    return ValidationError.from_exception_data("spec", [_details(place, "spec", message)])


def _details(
    place: Sequence[str | int], kind: str, message: str, context: Mapping[str, Any] | None = None
) -> InitErrorDetails:
    error = PydanticCustomError(kind, "{message}", {**(context or {}), "message": message})
    return InitErrorDetails(type=error, loc=tuple(place), input=None)


def faults(error: ValidationError) -> str:
    """Say in one line what is wrong with a spec, and where; its values are not in it."""
    found = [".".join(map(str, e["loc"])) + ": " + e["msg"] for e in error.errors()]
    return "; ".join(found[:3]) + (f" (and {len(found) - 3} more)" if len(found) > 3 else "")


class Spec(BaseModel):
    """A part of something that users write: frozen, and closed against typing errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="wrap")
    @classmethod
    def _nothing_misspelt(cls, value: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Say what was meant by a field that there is not, beside all else that is wrong."""
        meant = cls._meant(value)
        if not meant:
            return validate(value)
        found = [
            _details([key], "spec", f"unknown field, did you mean {name}?")
            for key, name in meant.items()
        ]
        try:
            validate({key: part for key, part in value.items() if str(key) not in meant})
        except ValidationError as error:
            found += [
                _details(other["loc"], other["type"], other["msg"], other.get("ctx"))
                for other in error.errors()
                if other["type"] != "missing" or other["loc"][0] not in meant.values()
            ]
        raise ValidationError.from_exception_data("spec", found)

    @classmethod
    def _meant(cls, value: Any) -> dict[str, str]:
        """Give the field that each misspelt one must have meant."""
        known = [field.alias or name for name, field in cls.model_fields.items()]
        meant = {}
        for key in islice(value, _KEYS_LOOKED_AT) if isinstance(value, dict) else ():
            if key not in known and key not in cls.model_fields:
                near = get_close_matches(str(key)[:50], known, n=1)
                if near:
                    meant[str(key)] = near[0]
                elif not any(name in value for name in known):
                    raise fault([str(key)], f"unknown field, one of: {', '.join(known)}")
        return meant


def _header_name(value: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", value):
        raise ValueError("not an HTTP header name (RFC 9110, section 5.1)")
    return value


def _header_value(value: str) -> str:
    if re.search(r"[^\t\x20-\x7e\x80-\xff]", value) or value != value.strip():
        raise ValueError("not an HTTP header value (RFC 9110, section 5.5)")
    return value


def _sendable(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text != text.strip() or re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("holds a line break, a control character or a space at its end")
    return value


def _shown_headers(headers: dict[str, str]) -> dict[str, str]:
    return {n: getattr(v, "shown", v) for n, v in concealed_headers(headers).items()}


def _shown_url(url: str) -> str:
    return SecretUrl(url).shown


HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str, StringConstraints(max_length=4096), AfterValidator(_header_value)]
HeaderFields = Annotated[
    dict[HeaderName, HeaderValue],
    Field(max_length=50),
    AfterValidator(concealed_headers),
    PlainSerializer(_shown_headers, return_type=dict[str, str], when_used="json"),
]
"""Headers; the values of those that are credentials by their names are not shown."""

HeaderSecret = Annotated[Secret, AfterValidator(_sendable)]
_SHOWN = PlainSerializer(_shown_url, return_type=str, when_used="json")
Url = Annotated[
    str, StringConstraints(min_length=1, max_length=2048), AfterValidator(SecretUrl), _SHOWN
]
"""Shown without what is a credential in it."""

HttpUrl = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[^\s]+$", max_length=2048),
    AfterValidator(SecretUrl),
    _SHOWN,
]
