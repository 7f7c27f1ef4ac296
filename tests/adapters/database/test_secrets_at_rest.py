import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import select, update

from portcall.adapters.database import (
    load_or_create_secret_key,
    open_database,
    the_secret_key,
)
from portcall.adapters.database.connections import Connections
from portcall.adapters.database.secret_key import SecretBox
from portcall.adapters.database.tables import sources, targets
from portcall.auth import BasicAuth, BearerAuth
from portcall.errors import ConfigurationError
from portcall.policies import Source, Target
from portcall.secrets import MASK

SIGNING = "whsec_" + "c2VjcmV0" * 4
OLD, NEW = SecretStr("old passphrase"), SecretStr("new passphrase")
BOTH = SecretStr("new passphrase, old passphrase")
SECRETS = {("auth", "token"): "s3cret", ("secrets", 0): "naïve ✓"}


async def fill(url: str, key: SecretStr) -> None:
    async with open_database(url, key) as database:
        await database.store.sources.put(
            Source(name="eu", kind="harbor", auth=BasicAuth(username="ann", password="planted-1"))
        )
        await database.store.targets.put(
            Target(
                name="ci",
                url="https://ci.example",
                auth=BearerAuth(token="planted-2"),
                secrets=[SIGNING],
            )
        )


async def test_a_stored_row_shows_the_mask_and_no_secret(clean_url: str) -> None:
    await fill(clean_url, OLD)
    connections = Connections(clean_url)
    async with connections.reading() as connection:
        rows = [(await connection.execute(select(table))).one() for table in (sources, targets)]
    await connections.engine.dispose()
    assert rows[0].spec["auth"] == {"type": "basic", "username": "ann", "password": MASK}
    assert rows[1].spec["secrets"] == [MASK]
    assert not [word for word in ("planted-1", "planted-2", SIGNING) if word in repr(rows)]


async def test_no_secret_is_in_a_sqlite_file(tmp_path: Path, clean_sqlite_url: str) -> None:
    await fill(clean_sqlite_url, OLD)
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"https://ci.example" in everything
    assert b"planted" not in everything
    assert SIGNING.encode() not in everything


async def test_another_key_is_refused_at_the_start_by_the_name_of_its_variable(
    clean_url: str,
) -> None:
    await fill(clean_url, OLD)
    with pytest.raises(ConfigurationError, match="PORTCALL_SECRET_KEY"):
        async with open_database(clean_url, NEW):
            pass


async def test_an_old_key_can_be_dropped_after_the_secrets_were_renewed(clean_url: str) -> None:
    await fill(clean_url, OLD)
    async with open_database(clean_url, BOTH) as database:
        before = await database.store.targets.get("ci")
        await database.store.renew_secrets()
    async with open_database(clean_url, NEW) as database:
        assert await database.store.targets.get("ci") == before
        assert (await database.store.sources.get("eu")).spec.auth.password == SecretStr("planted-1")


async def test_a_snapshot_opens_no_secret(clean_url: str) -> None:
    await fill(clean_url, OLD)
    async with open_database(clean_url, OLD) as database:
        connections = Connections(clean_url)
        async with connections.changing() as connection:
            await connection.execute(update(targets).values(secrets=b"not to be read"))
        await connections.engine.dispose()
        await database.store.snapshot()
        with pytest.raises(ConfigurationError):
            await database.store.targets.get("ci")


def test_a_fernet_key_is_used_as_it_is() -> None:
    key = Fernet.generate_key()
    sealed = SecretBox(SecretStr(key.decode())).seal(SECRETS)
    assert b"s3cret" in Fernet(key).decrypt(sealed)


@settings(max_examples=10, deadline=None)
@given(st.text(min_size=1).filter(lambda text: text.strip() and "," not in text))
def test_any_text_is_a_passphrase(passphrase: str) -> None:
    sealed = SecretBox(SecretStr(passphrase)).seal(SECRETS)
    assert SecretBox(SecretStr(passphrase)).open(sealed) == SECRETS


def test_the_newest_key_seals_and_each_key_opens() -> None:
    sealed = SecretBox(BOTH).seal(SECRETS)
    assert SecretBox(NEW).open(sealed) == SECRETS
    assert SecretBox(BOTH).open(SecretBox(OLD).seal(SECRETS)) == SECRETS
    with pytest.raises(ConfigurationError):
        SecretBox(OLD).open(sealed)
    with pytest.raises(ConfigurationError):
        SecretBox(OLD).renew(sealed)


def test_what_has_no_secrets_needs_no_key() -> None:
    assert SecretBox(OLD).seal({}) is None
    assert SecretBox(NEW).open(None) == {}


@pytest.mark.parametrize("key", ["", " ", "a,,b", ","])
def test_an_empty_key_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match="PORTCALL_SECRET_KEY"):
        SecretBox(SecretStr(key))


def test_the_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    key = load_or_create_secret_key(tmp_path / "data")
    assert load_or_create_secret_key(tmp_path / "data") == key
    files = list((tmp_path / "data").iterdir())
    assert [file.name for file in files] == ["secret.key"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    SecretBox(key)


def test_all_who_make_the_key_file_at_once_get_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(load_or_create_secret_key, [tmp_path] * 8))
    assert len({key.get_secret_value() for key in keys}) == 1


def test_a_key_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret.key").touch()
    with pytest.raises(ConfigurationError, match=r"secret\.key is empty"):
        load_or_create_secret_key(tmp_path)
    with pytest.raises(ConfigurationError, match=r"secret\.key/secret\.key"):
        load_or_create_secret_key(tmp_path / "secret.key")


def test_the_key_that_was_set_is_taken_and_a_file_serves_sqlite_alone(tmp_path: Path) -> None:
    assert the_secret_key(OLD, "sqlite:///portcall.db", tmp_path) == OLD
    assert list(tmp_path.iterdir()) == []
    made = the_secret_key(None, "sqlite:///portcall.db", tmp_path)
    assert load_or_create_secret_key(tmp_path) == made
    with pytest.raises(ConfigurationError, match="Set PORTCALL_SECRET_KEY"):
        the_secret_key(None, "postgresql://localhost/portcall", tmp_path)
