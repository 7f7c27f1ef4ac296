"""What users write: sources, targets and policies, one model for API, YAML and database."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from portcall.auth import BasicAuth, NoAuth, SourceAuth, TargetAuth
from portcall.conditions.block import Match
from portcall.conditions.exclusions import Exclusions, check_exclusions
from portcall.durations import Duration
from portcall.gathering import Group
from portcall.mapping import FieldMapping
from portcall.receiving import Breaker, Proxy, Rate, Tls
from portcall.signing import check_secret
from portcall.spec import (
    Description,
    EventTypePattern,
    HeaderFields,
    HeaderValue,
    HttpUrl,
    Name,
    Secret,
    Spec,
    Url,
    fault,
)


class Ignore(Spec):
    """Events of a source that are dropped on arrival: globs over type and media type."""

    event_types: list[EventTypePattern] = ["blob.*"]
    media_types: list[Annotated[str, StringConstraints(max_length=255)]] = []


class RegistryAccess(Spec):
    """How to ask the registry itself (OCI distribution spec): its URL and, if need be, who asks."""

    url: HttpUrl
    auth: Annotated[NoAuth | BasicAuth, Field(discriminator="type")] = NoAuth()
    skip_cert_verify: bool = False


class Source(Spec):
    """A registry that sends to `POST /notifications/{name}`.

    `mapping` belongs to the kinds `custom` and `cloudevents`. With `verify` the registry is
    asked about every event before anything is delivered. One that sent nothing for
    `silent_after` is reported as `source.silent`.
    """

    name: Name
    kind: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,50}$")]
    description: Description = ""
    enabled: bool = True
    auth: SourceAuth
    strict: bool = False
    ignore: Ignore = Ignore()
    mapping: FieldMapping | None = None
    verify: RegistryAccess | None = None
    silent_after: Annotated[Duration, Field(ge=timedelta(minutes=1))] | None = None
    managed_by: Name | None = None


def _signing_secret(value: SecretStr) -> SecretStr:
    if value.get_secret_value() != str(value):  # the mask: the API puts the stored one there
        check_secret(value.get_secret_value())
    return value


SigningSecret = Annotated[Secret, AfterValidator(_signing_secret)]


WhileDisabled = Literal["skip", "hold"]
"""What becomes of events while it is disabled: skipped, or delivered once it is enabled again."""


class RetiringSecret(Spec):
    """A signing secret that was replaced: it signs as well, until then."""

    secret: SigningSecret
    until: AwareDatetime


class Target(Spec):
    """A webhook endpoint.

    `secrets` sign every request (Standard Webhooks), and so do `retiring_secrets` for a while;
    `hub_secret` signs as GitHub does (`X-Hub-Signature-256`). `max_concurrent` and `rate` hold
    over all workers. After `disable_after` of nothing but failures it is disabled; None: never.
    """

    name: Name
    url: Url
    description: Description = ""
    enabled: bool = True
    while_disabled: WhileDisabled = "skip"
    headers: HeaderFields = {}
    auth: TargetAuth = NoAuth()
    secrets: Annotated[list[SigningSecret], Field(max_length=5)] = []
    timeout: Annotated[Duration, Field(gt=timedelta(), le=timedelta(minutes=5))] = timedelta(
        seconds=15
    )
    skip_cert_verify: bool = False
    retiring_secrets: Annotated[list[RetiringSecret], Field(max_length=10)] = []
    hub_secret: Secret | None = None
    tls: Tls | None = None
    proxy: Proxy | None = None
    max_concurrent: Annotated[int, Field(ge=1, le=1000)] | None = None
    rate: Rate | None = None
    breaker: Breaker | None = Breaker()
    disable_after: Annotated[Duration, Field(ge=timedelta(minutes=1))] | None = timedelta(days=5)
    managed_by: Name | None = None


_RETRY_ON = re.compile(r"network|timeout|[1-5][0-9][0-9]|[345]xx")


def _retry_on(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _known_retry_on(value: str) -> str:
    if not _RETRY_ON.fullmatch(value):
        raise ValueError("one of: network, timeout, a status such as 429, or 4xx, 5xx")
    return value


RetryOn = Annotated[
    str,
    BeforeValidator(_retry_on),
    AfterValidator(_known_retry_on),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": f"^({_RETRY_ON.pattern})$"},
                {"type": "integer", "minimum": 100, "maximum": 599},
            ]
        },
        mode="validation",
    ),
]


_GROWING = ("initial_interval", "backoff_coefficient", "maximum_interval", "maximum_attempts")


class RetryPolicy(Spec):
    """When a failed attempt is repeated: Temporal's names, then ours.

    The default is ten attempts over three days, after Standard Webhooks. At most 50
    attempts, so that a delivery's history stays under Temporal's limit of 50 MiB. `schedule`
    lists the waits instead. With `reconnect` a first attempt that found no connection is made
    again at once, which counts as no attempt.
    """

    initial_interval: Duration = timedelta(seconds=5)
    backoff_coefficient: Annotated[float, Field(ge=1, le=100)] = 5.0
    maximum_interval: Duration = timedelta(hours=22)
    maximum_attempts: Annotated[int, Field(ge=1, le=50)] = 10
    expires_after: Duration = timedelta(days=3)
    schedule: Annotated[list[Duration], Field(min_length=1, max_length=49)] | None = None
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.1
    reconnect: bool = True
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

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        # By value: what was stored names every field.
        for name in _GROWING if self.schedule else ():
            if getattr(self, name) != RetryPolicy.model_fields[name].default:
                raise fault([name], "not beside schedule, which lists the waits")
        return self


class MessageTemplate(Spec):
    """The text of the format `template`, and the content type by which values are escaped."""

    body: Annotated[str, Field(min_length=1, max_length=16_000)]
    content_type: Annotated[HeaderValue, Field(min_length=1, max_length=255)] = "application/json"


class Policy(Spec):
    """Which events go to which targets, in which format, with which retry.

    `group` gathers events into one message; with `ordered` a target gets those of a repository
    one after another.
    """

    name: Name
    description: Description = ""
    enabled: bool = True
    while_disabled: WhileDisabled = "skip"
    match: Match = Match()
    exclude: Exclusions = []
    targets: Annotated[list[Name], Field(min_length=1, max_length=50)]
    format: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,50}$")] = "default"
    template: MessageTemplate | None = None
    retry: RetryPolicy = RetryPolicy()
    group: Group | None = None
    ordered: bool = False
    managed_by: Name | None = None

    @model_validator(mode="after")
    def _no_target_twice(self) -> Self:
        if len(set(self.targets)) != len(self.targets):
            raise fault(["targets"], "a target is named twice")
        return self

    @model_validator(mode="after")
    def _template_is_used(self) -> Self:
        if self.template and self.format != "template":
            raise fault(["template"], "belongs to the format template")
        return self

    @model_validator(mode="after")
    def _groups_have_their_place_in_line(self) -> Self:
        if self.ordered and self.group and "repository" not in self.group.by:
            raise fault(["group", "by"], "needs repository: with ordered, order is kept for each")
        return self

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        check_exclusions(self.match, self.exclude)
        return self


def is_holding(spec: Spec | None) -> bool:
    """Whether a policy or target is switched off and keeps what arrives meanwhile."""
    return isinstance(spec, Policy | Target) and not spec.enabled and spec.while_disabled == "hold"
