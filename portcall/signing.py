"""Signs a message as Standard Webhooks 1.0.0 says, with every secret given, and as GitHub does.

A secret is `whsec_<base64>` (HMAC-SHA256, `v1`) or `whsk_<base64>` (an ed25519 private key,
`v1a`). Where the secrets come from and when they are exchanged is left to the target.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portcall.attempts import Headers

HUB_SIGNATURE = "X-Hub-Signature-256"
SHORTEST_KEY = 24
"""Bytes of a key that nobody finds from a message and its signature."""

_SEED = 32
_HMAC, _ED25519, _PUBLIC = "whsec_", "whsk_", "whpk_"


class SecretKind(StrEnum):
    """How a secret signs: the receiver has the same one, or only the public key to it."""

    HMAC = "hmac"
    ED25519 = "ed25519"


def kind_of(secret: str) -> SecretKind:
    """Say how a secret signs, by its prefix; raise ValueError where it is none."""
    if secret.startswith(_HMAC):
        return SecretKind.HMAC
    if secret.startswith(_ED25519):
        return SecretKind.ED25519
    if secret.startswith(_PUBLIC):
        raise ValueError(f"{_PUBLIC} is a public key, for the receiver: sign with its {_ED25519}")
    raise ValueError(f"a signing secret starts with {_HMAC} (HMAC) or {_ED25519} (ed25519)")


def signing_key(secret: str) -> bytes:
    """Give the key that a secret stands for, of ed25519 the seed; raise ValueError."""
    kind = kind_of(secret)
    prefix, _, encoded = secret.partition("_")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"what follows {prefix}_ is not base64") from None
    if kind is SecretKind.ED25519:
        return _seed(key)
    if not SHORTEST_KEY <= len(key) <= 64:
        raise ValueError(f"a signing secret is base64 of 24 to 64 bytes, this one of {len(key)}")
    return key


def check_secret(secret: str) -> None:
    """Raise ValueError naming the fault in the form of a signing secret."""
    signing_key(secret)


def new_secret(kind: SecretKind, chance: bytes) -> str:
    """Make a secret out of 32 random bytes; of ed25519 private and public key, as Svix has it."""
    if kind is SecretKind.HMAC:
        return _HMAC + base64.b64encode(chance).decode()
    return _ED25519 + base64.b64encode(chance + _public_bytes(chance)).decode()


def public_key(secret: str) -> str | None:
    """Give the `whpk_` by which a receiver verifies; None where it needs the secret itself."""
    if kind_of(secret) is SecretKind.HMAC:
        return None
    return _PUBLIC + base64.b64encode(_public_bytes(signing_key(secret))).decode()


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
    signatures = " ".join(_signature(secret, signed) for secret in secrets)
    headers = (("webhook-id", message_id), ("webhook-timestamp", timestamp))
    return (*headers, ("webhook-signature", signatures)) if signatures else headers


def hub_signature(secret: str, body: bytes) -> str:
    """Sign the raw body as GitHub does, for `X-Hub-Signature-256`."""
    return "sha256=" + _hmac(secret.encode(), body).hex()


def forms_of_key(secret: str) -> Iterator[bytes]:
    """Give the bytes by which a secret could be known again, besides its own text."""
    yield secret.partition("_")[2].encode()
    key = signing_key(secret)
    yield key
    if kind_of(secret) is SecretKind.ED25519:
        yield key + _public_bytes(key)


def _signature(secret: str, signed: bytes) -> str:
    key = signing_key(secret)
    if kind_of(secret) is SecretKind.HMAC:
        return "v1," + base64.b64encode(_hmac(key, signed)).decode()
    return (
        "v1a," + base64.b64encode(Ed25519PrivateKey.from_private_bytes(key).sign(signed)).decode()
    )


def _seed(key: bytes) -> bytes:
    if len(key) not in (_SEED, 2 * _SEED):
        raise ValueError(
            f"an ed25519 key is base64 of 32 bytes, or of 64 with the public key, not of {len(key)}"
        )
    if len(key) > _SEED and key[_SEED:] != _public_bytes(key[:_SEED]):
        raise ValueError("the second half of the ed25519 key is not the public key to the first")
    return key[:_SEED]


def _public_bytes(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, hashlib.sha256)
