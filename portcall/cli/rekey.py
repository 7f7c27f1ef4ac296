"""The command `rekey`: all stored secrets are encrypted anew, with the newest key.

Ended at any point it may be run again: until it is done, the old key stays where it is.
"""

import asyncio
from pathlib import Path

from pydantic import SecretStr

from portcall.adapters.database import add_key, drop_old_keys, key_file, open_database
from portcall.adapters.database.secret_key import VARIABLE
from portcall.adapters.locks import try_lock
from portcall.cli.up import DataDir
from portcall.errors import ConfigurationError
from portcall.settings import Settings, load_settings


def rekey(data_dir: DataDir = None) -> None:
    """Encrypt all stored secrets with the newest key of PORTCALL_SECRET_KEY, or with a new one.

    Where the key lives in the data directory, a new one is made; API and workers go on meanwhile.
    """
    settings = load_settings(data_dir=data_dir)
    if settings.secret_key:
        _with_newest(settings, settings.secret_key)
    else:
        _with_new(settings, key_file(settings.data_dir))


def _with_newest(settings: Settings, keys: SecretStr) -> None:
    if "," not in keys.get_secret_value():
        raise ConfigurationError(
            f"{VARIABLE} holds one key alone: put the new one before it (new,old) for all"
            " processes, restart them, then run this again. docs/database.md has the steps."
        )
    print(_renewed(settings, keys))
    print(f"{VARIABLE} may be the new key alone now, for all processes.")


def _with_new(settings: Settings, path: Path) -> None:
    if not settings.resolved_database_url.startswith("sqlite"):
        raise ConfigurationError(f"Set {VARIABLE} to the new key and the old one: new,old.")
    if not path.exists():
        raise ConfigurationError(f"There is no key in {path}: nothing was encrypted yet.")
    with try_lock(path.with_suffix(".lock")) as mine:
        if not mine:
            raise ConfigurationError(f"Another `portcall rekey` is running on {path.parent}.")
        said = _renewed(settings, add_key(path))
        drop_old_keys(path)
    print(said)
    print(f"The key in {path} is a new one: back it up; the old one opens only older backups.")


def _renewed(settings: Settings, keys: SecretStr) -> str:
    count = asyncio.run(_renew(settings.resolved_database_url, keys))
    return f"The secrets of {count} sources and targets are encrypted with the newest key."


async def _renew(url: str, keys: SecretStr) -> int:
    async with open_database(url, keys) as database:
        return await database.store.renew_secrets()
