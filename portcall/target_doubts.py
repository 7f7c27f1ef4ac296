"""What is allowed of a target, but leaves its deliveries or its secrets less safe than meant.

That nothing is signed is no doubt: it is how everybody begins, and the list of targets shows it.
"""

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from portcall.auth import HeaderAuth, NoAuth, OAuth2Auth
from portcall.outgoing import is_ours
from portcall.policies import Target
from portcall.sensitive import is_sensitive, secrets_in_url
from portcall.signing import SHORTEST_KEY


def doubts(target: Target) -> list[str]:
    """Give what one should know, each beginning with its field."""
    return [
        *_doubts_of_connection(target),
        *_doubts_of_credentials(target),
        *_doubts_of_headers(target),
    ]


def _doubts_of_connection(target: Target) -> Iterator[str]:
    if target.skip_cert_verify:
        yield (
            "skip_cert_verify: anybody on the way can pose as the receiver and read what is sent;"
            " to trust a certificate of your own, give its authority in tls.ca"
        )
    if urlsplit(target.url).scheme == "http" and not _is_near(target.url):
        what = "the credential and the event are" if _has_credential(target) else "the event is"
        yield f"url: without TLS {what} readable on the way; use https://"
    if isinstance(target.auth, OAuth2Auth):
        token_url = target.auth.token_url
        if urlsplit(token_url).scheme == "http" and not _is_near(token_url):
            yield "auth.token_url: without TLS the client secret is readable on the way"


def _doubts_of_credentials(target: Target) -> Iterator[str]:
    hub = target.hub_secret
    if hub and len(hub.get_secret_value().encode()) < SHORTEST_KEY:
        yield f"hub_secret: shorter than {SHORTEST_KEY} bytes, it can be guessed from a signature"


def _doubts_of_headers(target: Target) -> Iterator[str]:
    for name in filter(is_ours, target.headers):
        yield f"headers.{name}: Portcall sets this header itself; yours is not sent"
    if isinstance(target.auth, HeaderAuth) and is_ours(target.auth.name):
        yield f"auth.name: Portcall sets {target.auth.name} itself; the credential is not sent"


def _has_credential(target: Target) -> bool:
    return (
        not isinstance(target.auth, NoAuth)
        or any(map(is_sensitive, target.headers))
        or any(secrets_in_url(target.url))
    )


def _is_near(url: str) -> bool:
    """Whether the host is this machine, or an address that only the own network has."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".internal", ".local"))
