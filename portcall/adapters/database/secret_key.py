"""Encrypts secrets at rest with the keys in `PORTCALL_SECRET_KEY`, newest first.

A Fernet key is used as it is; any other text is a passphrase that scrypt makes a key from.
Where an installation has no such variable, the key lives in a file of the data directory.
"""

import base64
import contextlib
import json
import os
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import SecretStr

from portcall.errors import ConfigurationError
from portcall.secrets import Secrets

VARIABLE = "PORTCALL_SECRET_KEY"
# Fixed, so that the passphrase alone opens the database: every installation has its own.
_SALT = b"portcall: secrets at rest"


class SecretBox:
    """Seals and opens the secrets of a spec."""

    def __init__(self, secret_key: SecretStr) -> None:
        keys = [key.strip() for key in secret_key.get_secret_value().split(",")]
        if not all(keys):
            raise ConfigurationError(f"{VARIABLE} must be one or more keys separated by commas.")
        self._fernet = MultiFernet([_fernet(key) for key in keys])

    def seal(self, secrets: Secrets) -> bytes | None:
        """Encrypt secrets with the newest key; None where there are none."""
        if not secrets:
            return None
        return self._fernet.encrypt(json.dumps(list(secrets.items())).encode())

    def open(self, sealed: bytes | None) -> Secrets:
        """Decrypt secrets; raise ConfigurationError where no key fits."""
        if sealed is None:
            return {}
        try:
            plain = self._fernet.decrypt(sealed)
        except InvalidToken:
            raise _wrong_key() from None
        return {tuple(path): secret for path, secret in json.loads(plain)}

    def renew(self, sealed: bytes) -> bytes:
        """Encrypt sealed secrets again, with the newest key."""
        try:
            return self._fernet.rotate(sealed)
        except InvalidToken:
            raise _wrong_key() from None


def the_secret_key(given: SecretStr | None, database_url: str, data_dir: Path) -> SecretStr:
    """Give the key that was set; an installation on SQLite may keep its own in a file."""
    if given is not None:
        return given
    if not database_url.startswith("sqlite"):
        raise ConfigurationError(f"Set {VARIABLE}: it encrypts the secrets in the database.")
    return load_or_create_secret_key(data_dir)


def load_or_create_secret_key(data_dir: Path) -> SecretStr:
    """Read the key in `secret.key`, made on first use and readable by its owner alone."""
    path = data_dir / "secret.key"
    try:
        if not path.exists():
            _create(path)
        key = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"Cannot use the secret key in {path}: {error}.") from error
    if not key:
        raise ConfigurationError(f"{path} is empty: restore it, or set {VARIABLE}.")
    return SecretStr(key)


def _create(path: Path) -> None:
    """Make the file whole or not at all: of two processes at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent) as file:
        file.write(Fernet.generate_key() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)


def _fernet(key: str) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:
        derived = Scrypt(salt=_SALT, length=32, n=2**14, r=8, p=1).derive(key.encode())
        return Fernet(base64.urlsafe_b64encode(derived))


def _wrong_key() -> ConfigurationError:
    return ConfigurationError(f"{VARIABLE} is not the key that stored secrets are encrypted with.")
