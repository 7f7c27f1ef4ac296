"""Signs a message as Standard Webhooks 1.0.0 says, with every live secret of a target.

Where the secrets come from and when they are exchanged is left to the target.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime

from portcall.attempts import Headers

PREFIX = "whsec_"


def signing_key(secret: str) -> bytes:
    """Give the key that `whsec_<base64>` stands for; raise ValueError naming the fault."""
    if not secret.startswith(PREFIX):
        raise ValueError(f"a signing secret starts with {PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"what follows {PREFIX} is not base64") from None
    if not 24 <= len(key) <= 64:
        raise ValueError(f"a signing secret is base64 of 24 to 64 bytes, this one of {len(key)}")
    return key


def check_secret(secret: str) -> None:
    """Raise ValueError naming the fault in the form of a signing secret."""
    signing_key(secret)


def signature_headers(
    message_id: str, now: datetime, body: bytes, secrets: Iterable[str]
) -> Headers:
    """Give `webhook-id`, `webhook-timestamp` and, with secrets, `webhook-signature`.

    With several secrets there are several signatures, so that a receiver may change to the
    new secret at any time. The library `standardwebhooks` signs text only; a registry's own
    bytes need not be UTF-8, so it serves the tests as judge instead.
    """
    timestamp = str(int(now.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = [
        "v1," + base64.b64encode(_hmac(signing_key(secret), signed)).decode() for secret in secrets
    ]
    headers = (("webhook-id", message_id), ("webhook-timestamp", timestamp))
    return (*headers, ("webhook-signature", " ".join(signatures))) if signatures else headers


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, hashlib.sha256)
