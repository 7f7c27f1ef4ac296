"""Where Harbor sends a webhook and what it shows there, as a target of ours does the same."""

import base64
import binascii
from typing import NamedTuple
from urllib.parse import unquote

from pydantic import SecretStr

from portcall.auth import BasicAuth, BearerAuth, HeaderAuth, NoAuth
from portcall.importing.harbor_list import HarborTarget


class Endpoint(NamedTuple):
    """What makes two of Harbor's targets one of ours. Only `url` may be shown."""

    url: str
    auth_header: str
    skip_cert_verify: bool


def endpoint(target: HarborTarget) -> Endpoint:
    """Read an address as Harbor does: one without a scheme is http, a user in it a credential."""
    address = target.address.strip()
    scheme, _, rest = (address if "://" in address else f"http://{address}").partition("://")
    authority, slash, path = rest.partition("/")
    user, _, host = authority.rpartition("@")
    return Endpoint(
        f"{scheme}://{host}{slash}{path}",
        target.auth_header.strip() or (f"Basic {_encoded(user)}" if user else ""),
        target.skip_cert_verify,
    )


def credential(where: Endpoint) -> NoAuth | BearerAuth | BasicAuth | HeaderAuth:
    """Give the credential that makes the very header that Harbor sends; raise ValueError."""
    if not where.auth_header:
        return NoAuth()
    scheme, _, rest = where.auth_header.partition(" ")
    if scheme == "Bearer" and rest and rest == rest.strip():
        return BearerAuth(token=SecretStr(rest))
    name, _, password = _decoded(rest).partition(":") if scheme == "Basic" else ("", "", "")
    if name and password:
        return BasicAuth(username=name, password=SecretStr(password))
    return HeaderAuth(name="Authorization", value=SecretStr(where.auth_header))


def _encoded(user: str) -> str:
    """Encode the user of a URL as an HTTP client does (RFC 7617)."""
    name, _, password = user.partition(":")
    return base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode()


def _decoded(pair: str) -> str:
    """Decode `user:password`, if encoding it again gives the same."""
    try:
        text = base64.b64decode(pair, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return text if base64.b64encode(text.encode()).decode() == pair else ""
