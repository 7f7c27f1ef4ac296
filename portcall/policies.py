"""What users write: sources, targets and policies, one model for API, YAML and database."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from portcall.conditions import TextCondition
from portcall.durations import Duration
from portcall.signing import check_secret

Name = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,48}[a-z0-9])?$", max_length=50),
    Field(description="lower-case letters, digits, `.`, `_`, `-`; at most 50 characters"),
]
EventTypePattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.*-]+$", max_length=100)]
Secret = Annotated[
    SecretStr,
    Field(min_length=1, max_length=4096),
    WithJsonSchema({"type": "string", "description": "masked"}, mode="serialization"),
]


class Spec(BaseModel):
    """A part of something that users write: frozen, and closed against typing errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


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


HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str, StringConstraints(max_length=4096), AfterValidator(_header_value)]
HeaderSecret = Annotated[Secret, AfterValidator(_sendable)]


class NoAuth(Spec):
    """Anybody who knows the URL."""

    type: Literal["none"] = "none"


class BearerAuth(Spec):
    """`Authorization: Bearer <token>` (RFC 6750)."""

    type: Literal["bearer"] = "bearer"
    token: HeaderSecret


class BasicAuth(Spec):
    """`Authorization: Basic <base64>` (RFC 7617)."""

    type: Literal["basic"] = "basic"
    username: Annotated[str, Field(min_length=1, max_length=255)]
    password: Secret


class HeaderAuth(Spec):
    """A header of the user's choice with a secret value."""

    type: Literal["header"] = "header"
    name: HeaderName
    value: HeaderSecret


class QueryAuth(Spec):
    """A query parameter, for senders that can set nothing but a URL."""

    type: Literal["query"] = "query"
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}$")] = "key"
    value: Secret


SourceAuth = Annotated[
    NoAuth | BearerAuth | BasicAuth | HeaderAuth | QueryAuth, Field(discriminator="type")
]
TargetAuth = Annotated[NoAuth | BearerAuth | BasicAuth | HeaderAuth, Field(discriminator="type")]


class Ignore(Spec):
    """Events of a source that are dropped on arrival: globs over type and media type."""

    event_types: list[EventTypePattern] = ["blob.*"]
    media_types: list[Annotated[str, StringConstraints(max_length=255)]] = []


class Source(Spec):
    """A registry that sends to `POST /notifications/{name}`."""

    name: Name
    kind: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,50}$")]
    description: Annotated[str, Field(max_length=500)] = ""
    enabled: bool = True
    auth: SourceAuth
    strict: bool = False
    ignore: Ignore = Ignore()


def _signing_secret(value: SecretStr) -> SecretStr:
    if value.get_secret_value() != str(value):  # the mask: the API puts the stored one there
        check_secret(value.get_secret_value())
    return value


SigningSecret = Annotated[Secret, AfterValidator(_signing_secret)]


class Target(Spec):
    """A webhook endpoint. `secrets` sign every request (Standard Webhooks)."""

    name: Name
    url: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    description: Annotated[str, Field(max_length=500)] = ""
    enabled: bool = True
    headers: Annotated[dict[HeaderName, HeaderValue], Field(max_length=50)] = {}
    auth: TargetAuth = NoAuth()
    secrets: Annotated[list[SigningSecret], Field(max_length=5)] = []
    timeout: Annotated[Duration, Field(gt=timedelta(), le=timedelta(minutes=5))] = timedelta(
        seconds=15
    )
    skip_cert_verify: bool = False


class Match(Spec):
    """All conditions given must hold; one that is absent holds for every event."""

    event_types: Annotated[list[EventTypePattern], Field(min_length=1, max_length=100)] | None = (
        None
    )
    sources: Annotated[list[Name], Field(min_length=1, max_length=100)] | None = None
    repository: TextCondition | None = None
    tag: TextCondition | None = None


_RETRY_ON = re.compile(r"network|timeout|[1-5][0-9][0-9]|[345]xx")


def _retry_on(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _known_retry_on(value: str) -> str:
    if not _RETRY_ON.fullmatch(value):
        raise ValueError("one of: network, timeout, a status such as 429, or 4xx, 5xx")
    return value


RetryOn = Annotated[str, BeforeValidator(_retry_on), AfterValidator(_known_retry_on)]


class RetryPolicy(Spec):
    """When a failed attempt is repeated: Temporal's names, then ours.

    The default is ten attempts over three days, after Standard Webhooks. At most 50
    attempts, so that a delivery's history stays under Temporal's limit of 50 MiB.
    """

    initial_interval: Duration = timedelta(seconds=5)
    backoff_coefficient: Annotated[float, Field(ge=1, le=100)] = 5.0
    maximum_interval: Duration = timedelta(hours=22)
    maximum_attempts: Annotated[int, Field(ge=1, le=50)] = 10
    expires_after: Duration = timedelta(days=3)
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.1
    retry_on: Annotated[list[RetryOn], Field(max_length=100)] = [
        "network",
        "timeout",
        "408",
        "425",
        "429",
        "5xx",
    ]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.maximum_interval < self.initial_interval:
            raise ValueError("maximum_interval is shorter than initial_interval")
        return self


class Policy(Spec):
    """Which events go to which targets, in which format, with which retry."""

    name: Name
    description: Annotated[str, Field(max_length=500)] = ""
    enabled: bool = True
    match: Match = Match()
    targets: Annotated[list[Name], Field(min_length=1, max_length=50)]
    format: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,50}$")] = "default"
    retry: RetryPolicy = RetryPolicy()

    @model_validator(mode="after")
    def _no_target_twice(self) -> Self:
        if len(set(self.targets)) != len(self.targets):
            raise ValueError("a target is named twice")
        return self
