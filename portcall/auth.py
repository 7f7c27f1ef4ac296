"""How a sender proves who it is, and how Portcall does to a target."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from portcall.spec import HeaderName, HeaderSecret, HttpUrl, Secret, Spec

TOKEN_TIMEOUT = timedelta(seconds=10)
"""How long the request for an OAuth 2.0 access token may take."""


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


class HmacAuth(Spec):
    """A signature over the raw body, keyed with `secret` (RFC 2104).

    Where it stands and how it is written belongs to the kind of source; what is given here
    goes before that, and a kind without a signature of its own needs `header`.
    """

    type: Literal["hmac"] = "hmac"
    secret: Secret
    header: HeaderName | None = None
    algorithm: Literal["sha1", "sha256", "sha512"] | None = None
    encoding: Literal["hex", "base64"] | None = None
    prefix: Annotated[str, StringConstraints(max_length=50)] | None = None


class OidcAuth(Spec):
    """A JWT in `Authorization: Bearer`, signed by `issuer` (OpenID Connect Core 1.0).

    `audience` must be among the token's `aud`; `email`, where given, must be its `email` with
    `email_verified` true.
    """

    type: Literal["oidc"] = "oidc"
    issuer: HttpUrl = "https://accounts.google.com"
    audience: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    email: Annotated[str, StringConstraints(min_length=3, max_length=320)] | None = None


class OAuth2Auth(Spec):
    """A bearer token from `token_url` by client credentials (RFC 6749, section 4.4).

    The client proves itself in the `header` (Basic) or in the `body` (section 2.3.1).
    """

    type: Literal["oauth2"] = "oauth2"
    token_url: HttpUrl
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    client_secret: Secret
    scope: Annotated[str, StringConstraints(max_length=1000)] | None = None
    audience: Annotated[str, StringConstraints(max_length=1000)] | None = None
    client_auth: Literal["header", "body"] = "header"


SourceAuth = Annotated[
    NoAuth | BearerAuth | BasicAuth | HeaderAuth | QueryAuth | HmacAuth | OidcAuth,
    Field(discriminator="type"),
]
TargetAuth = Annotated[
    NoAuth | BearerAuth | BasicAuth | HeaderAuth | OAuth2Auth, Field(discriminator="type")
]
