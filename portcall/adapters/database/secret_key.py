"""Encrypts secrets at rest with the keys in `PORTCALL_SECRET_KEY`, newest first.

A Fernet key is used as it is; any other text is a passphrase that scrypt makes a key from.
Where an installation has no such variable, the key lives in a file of the data directory, and
who uses it notices when it is exchanged there.
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


class FileKey(SecretStr):
    """A key as it was read from a file, in which it may be exchanged."""

    def __init__(self, secret_value: str, path: Path) -> None:
        super().__init__(secret_value)
        self.path = path


class SecretBox:
    """Seals and opens the secrets of a spec."""

    def __init__(self, secret_key: SecretStr) -> None:
        self._path = secret_key.path if isinstance(secret_key, FileKey) else None
        self._keys = secret_key.get_secret_value()
        self._fernet = _keys_of(self._keys)

    def seal(self, secrets: Secrets) -> bytes | None:
        """Encrypt secrets with the newest key; None where there are none.

        Sealed within the transaction that writes, nothing can be sealed with a key that
        `portcall rekey` has done with.
        """
        if not secrets:
            return None
        self._look_again()
        return self._fernet.encrypt(json.dumps(list(secrets.items())).encode())

    def open(self, sealed: bytes | None) -> Secrets:
        """Decrypt secrets; raise ConfigurationError where no key fits."""
        if sealed is None:
            return {}
        plain = self._opened(sealed)
        return {tuple(path): secret for path, secret in json.loads(plain)}

    def renew(self, sealed: bytes) -> bytes:
        """Encrypt sealed secrets again, with the newest key."""
        try:
            return self._fernet.rotate(sealed)
        except InvalidToken:
            raise _wrong_key() from None

    def _opened(self, sealed: bytes) -> bytes:
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            if not self._look_again():
                raise _wrong_key() from None
        return self._opened(sealed)

    def _look_again(self) -> bool:
        """Read the key's file again; say whether it has changed."""
        if self._path is None:
            return False
        try:
            keys = _read(self._path)
        except ConfigurationError:
            return False  # what was read before serves until the file is back
        if keys == self._keys:
            return False
        self._keys, self._fernet = keys, _keys_of(keys)
        return True


def the_secret_key(given: SecretStr | None, database_url: str, data_dir: Path) -> SecretStr:
    """Give the key that was set; an installation on SQLite may keep its own in a file."""
    if given is not None:
        return given
    if not database_url.startswith("sqlite"):
        raise ConfigurationError(f"Set {VARIABLE}: it encrypts the secrets in the database.")
    return load_or_create_secret_key(data_dir)


def load_or_create_secret_key(data_dir: Path) -> FileKey:
    """Read the key in `secret.key`, made on first use and readable by its owner alone."""
    path = key_file(data_dir)
    try:
        if not path.exists():
            _create(path)
    except OSError as error:
        raise _unusable(path, error) from error
    return FileKey(_read(path), path)


def key_file(data_dir: Path) -> Path:
    """Give where an installation keeps its own key."""
    return data_dir / "secret.key"


def add_key(path: Path) -> FileKey:
    """Put a new key before the one in the file, unless there are several already.

    Several are what an exchange leaves behind that did not come to its end.
    """
    keys = _read(path)
    if len(keys.split(",")) == 1:
        keys = f"{Fernet.generate_key().decode()},{keys}"
        _replace(path, keys)
    return FileKey(keys, path)


def drop_old_keys(path: Path) -> None:
    """Leave the newest key alone in the file."""
    _replace(path, _read(path).split(",")[0].strip())


def _read(path: Path) -> str:
    try:
        key = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, error) from error
    if not key:
        raise ConfigurationError(f"{path} is empty: restore it, or set {VARIABLE}.")
    return key


def _unusable(path: Path, error: Exception) -> ConfigurationError:
    return ConfigurationError(f"Cannot use the secret key in {path}: {error}.")


def _replace(path: Path, keys: str) -> None:
    """Write the file anew, whole or not at all, also where the power fails.

    One name for what is not yet whole: of a process that was killed no keys are left behind.
    """
    name = path.with_name(".secret.key-new")
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(keys + "\n")
            file.flush()
            os.fsync(file.fileno())
        name.replace(path)
    except OSError as error:
        name.unlink(missing_ok=True)
        raise _unusable(path, error) from error
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _create(path: Path) -> None:
    """Make the file whole or not at all: of two processes at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent) as file:
        file.write(Fernet.generate_key() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)


def _keys_of(text: str) -> MultiFernet:
    keys = [key.strip() for key in text.split(",")]
    if not all(keys):
        raise ConfigurationError(f"{VARIABLE} must be one or more keys separated by commas.")
    return MultiFernet([_fernet(key) for key in keys])


def _fernet(key: str) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:
        derived = Scrypt(salt=_SALT, length=32, n=2**14, r=8, p=1).derive(key.encode())
        return Fernet(base64.urlsafe_b64encode(derived))


def _wrong_key() -> ConfigurationError:
    return ConfigurationError(f"{VARIABLE} is not the key that stored secrets are encrypted with.")
