"""What a target says of its receiver: how fast, through which proxy, with which certificates."""

import re
from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema, model_validator

from portcall.auth import BasicAuth, NoAuth
from portcall.durations import Duration
from portcall.spec import HttpUrl, Secret, Spec

_RATE = re.compile(r"([1-9][0-9]{0,4})/([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def per_second(rate: str) -> float:
    """Give the requests a second that `10/s`, `100/m` or `5/h` allows."""
    found = _RATE.fullmatch(rate)
    if not found:
        raise ValueError("write a rate like 10/s, 100/m or 5/h")
    return int(found[1]) / _SECONDS[found[2]]


def _is_rate(value: str) -> str:
    per_second(value)
    return value


Rate = Annotated[
    str,
    AfterValidator(_is_rate),
    WithJsonSchema({"type": "string", "pattern": f"^{_RATE.pattern}$", "examples": ["10/s"]}),
]

Pem = Annotated[str, StringConstraints(min_length=1, max_length=200_000)]


class Tls(Spec):
    """Certificates in PEM: the client's own with its key, and the authorities to trust instead."""

    client_cert: Pem | None = None
    client_key: Annotated[Secret, Field(max_length=20_000)] | None = None
    ca: Pem | None = None

    @model_validator(mode="after")
    def _a_pair(self) -> Self:
        if (self.client_cert is None) != (self.client_key is None):
            raise ValueError("client_cert and client_key belong together")
        return self


class Proxy(Spec):
    """An HTTP proxy that connects on (`CONNECT`, RFC 9110, section 9.3.6)."""

    url: HttpUrl
    auth: Annotated[NoAuth | BasicAuth, Field(discriminator="type")] = NoAuth()


class Breaker(Spec):
    """When a target is paused: after so many failures in a row, from `pause` up to the longest.

    After a pause one delivery tries; if that fails too, the next pause is twice as long.
    """

    failures: Annotated[int, Field(ge=1, le=10_000)] = 10
    pause: Annotated[Duration, Field(ge=timedelta(milliseconds=100))] = timedelta(seconds=10)
    longest_pause: Duration = timedelta(minutes=5)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.longest_pause < self.pause:
            raise ValueError("longest_pause is shorter than pause")
        return self
