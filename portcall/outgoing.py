"""Makes the request of an attempt out of a target and a message: headers, credential, signature."""

import base64
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from importlib.metadata import version
from urllib.parse import urlsplit

from portcall.attempts import Headers
from portcall.auth import BasicAuth, BearerAuth, HeaderAuth, OAuth2Auth, TargetAuth
from portcall.formats.format import Message
from portcall.policies import Target
from portcall.ports import OutgoingRequest
from portcall.signing import HUB_SIGNATURE, hub_signature, signature_headers

_OURS = frozenset(
    {
        "accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "te",
        "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
"""Headers that frame the request (RFC 9112); a target may set any other, except signatures."""


def outgoing_request(
    target: Target, message: Message, message_id: str, now: datetime, token: str | None = None
) -> OutgoingRequest:
    """Give the request. The target's headers give way to its credential, and that to ours.

    `token` is the access token where the target's credential is OAuth 2.0.
    """
    return OutgoingRequest(
        url=target.url,
        headers=_merged(
            (("User-Agent", user_agent()), ("Accept", "*/*")),
            (("Content-Type", message.content_type),),
            message.headers,
            _allowed(target.headers.items()),
            _allowed(auth_headers(target.auth, token)),
            (
                ("Host", urlsplit(target.url).netloc.rpartition("@")[2]),
                # A compressed answer could not be searched for secrets, nor read in the log.
                ("Accept-Encoding", "identity"),
                ("Content-Length", str(len(message.body))),
            ),
            signature_headers(message_id, now, message.body, live_secrets(target, now)),
            _hub_headers(target, message.body),
        ),
        body=message.body,
        timeout=target.timeout,
        skip_cert_verify=target.skip_cert_verify,
        pool=target.name,
        tls=target.tls,
        proxy=target.proxy,
    )


def live_secrets(target: Target, now: datetime) -> list[str]:
    """Give the secrets that sign, newest first: those in use, then those not yet retired."""
    retiring = (retired.secret for retired in target.retiring_secrets if retired.until > now)
    return [secret.get_secret_value() for secret in (*target.secrets, *retiring)]


def auth_headers(auth: TargetAuth, token: str | None = None) -> Headers:
    """Give the header that a credential makes, OAuth 2.0's with its access token."""
    match auth:
        case OAuth2Auth() if token:
            return (("Authorization", f"Bearer {token}"),)
        case BearerAuth(token=fixed):
            return (("Authorization", f"Bearer {fixed.get_secret_value()}"),)
        case BasicAuth(username=username, password=password):
            pair = f"{username}:{password.get_secret_value()}".encode()
            return (("Authorization", f"Basic {base64.b64encode(pair).decode()}"),)
        case HeaderAuth(name=name, value=value):
            return ((name, value.get_secret_value()),)
    return ()


@cache
def user_agent() -> str:
    """Give `Portcall/<version>`."""
    return f"Portcall/{version('portcall')}"


def _hub_headers(target: Target, body: bytes) -> Headers:
    if target.hub_secret is None:
        return ()
    return ((HUB_SIGNATURE, hub_signature(target.hub_secret.get_secret_value(), body)),)


def is_ours(name: str) -> bool:
    """Whether Portcall sets this header itself, so that a target's own is not sent."""
    return name.lower() in _OURS or name.lower().startswith("webhook-")


def _allowed(headers: Iterable[tuple[str, str]]) -> Headers:
    return tuple((name, value) for name, value in headers if not is_ours(name))


def _merged(*layers: Headers) -> Headers:
    """Give each header once, as the last layer that has it says."""
    headers = {name.lower(): (name, value) for layer in layers for name, value in layer}
    return tuple(headers.values())
