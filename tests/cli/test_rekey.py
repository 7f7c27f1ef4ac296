"""`portcall rekey` on a real database, beside a process that has it open."""

import asyncio
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from typer.testing import CliRunner

from portcall.adapters.database import (
    Database,
    add_key,
    key_file,
    load_or_create_secret_key,
    migrate,
    open_database,
    the_secret_key,
)
from portcall.adapters.locks import try_lock
from portcall.auth import BearerAuth
from portcall.cli.main import app
from portcall.errors import ConfigurationError, PortcallError
from portcall.policies import Target
from tests.cli.conftest import Ran

Rekey = Callable[..., Awaitable[Ran]]


@pytest.fixture
async def url(tmp_path: Path) -> str:
    url = f"sqlite+aiosqlite:///{tmp_path / 'portcall.db'}"
    await migrate(url)
    return url


@pytest.fixture
def rekey(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Rekey:
    monkeypatch.chdir(tmp_path)

    def run(**environment: str) -> Ran:
        result = CliRunner().invoke(
            app, ["rekey", "--data-dir", str(tmp_path)], env=environment, prog_name="portcall"
        )
        if isinstance(result.exception, PortcallError):
            return Ran(result.exception.exit_code, result.stdout, result.exception.message)
        if result.exception:
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    async def run_beside(**environment: str) -> Ran:
        return await asyncio.to_thread(run, **environment)  # it has a loop of its own

    return run_beside


def opened(url: str, tmp_path: Path):
    return open_database(url, the_secret_key(None, url, tmp_path))


async def keep(database: Database, token: str) -> None:
    auth = BearerAuth(token=token)
    await database.store.targets.put(Target(name="ci", url="https://ci.example", auth=auth))


async def token_of(database: Database) -> str:
    return (await database.store.targets.get("ci")).spec.auth.token.get_secret_value()


def keys_in(tmp_path: Path) -> list[str]:
    return key_file(tmp_path).read_text().strip().split(",")


async def test_a_new_key_takes_the_old_ones_place_and_who_has_the_database_open_goes_on(
    url: str, tmp_path: Path, rekey: Rekey
) -> None:
    async with opened(url, tmp_path) as running, opened(url, tmp_path) as writing:
        await keep(running, "first")
        [old] = keys_in(tmp_path)
        ran = await rekey()
        assert (ran.code, ran.err) == (0, "")
        assert "of 1 sources and targets" in ran.out
        [new] = keys_in(tmp_path)
        assert new != old
        assert await token_of(running) == "first"
        await keep(writing, "second")
        assert await token_of(running) == "second"
    async with opened(url, tmp_path) as restarted:
        assert await token_of(restarted) == "second"
    with pytest.raises(ConfigurationError):
        async with open_database(url, SecretStr(old)):
            pass
    assert stat.S_IMODE(key_file(tmp_path).stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir() if "secret.key-" in file.name] == []


async def test_no_key_lies_about_after_an_exchange_that_was_killed_while_it_wrote(
    tmp_path: Path, rekey: Rekey, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Nothing is tidied up after it."""

    def killed(*_: object) -> None:
        raise Killed

    load_or_create_secret_key(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(Killed):
            add_key(key_file(tmp_path))
    assert (await rekey()).code == 0
    assert {path.name for path in tmp_path.iterdir()} - before == {"secret.lock"}
    assert stat.S_IMODE(key_file(tmp_path).stat().st_mode) == 0o600


@pytest.mark.parametrize("reached", ["the new key is in the file", "half is encrypted anew"])
async def test_an_exchange_that_was_cut_short_is_taken_up_again(
    url: str, tmp_path: Path, rekey: Rekey, reached: str
) -> None:
    async with opened(url, tmp_path) as database:
        await keep(database, "first")
    [old] = keys_in(tmp_path)
    both = add_key(key_file(tmp_path))
    if reached == "half is encrypted anew":
        async with open_database(url, both) as database:
            await database.store.targets.renew_secrets()
    new, left = keys_in(tmp_path)
    assert left == old
    async with opened(url, tmp_path) as database:  # as it would be found after a restart
        assert await token_of(database) == "first"
    assert (await rekey()).code == 0
    assert keys_in(tmp_path) == [new]
    async with opened(url, tmp_path) as database:
        assert await token_of(database) == "first"


async def test_what_is_written_between_is_readable_when_the_old_key_is_gone(
    url: str, tmp_path: Path, rekey: Rekey
) -> None:
    async with opened(url, tmp_path) as running:
        add_key(key_file(tmp_path))
        await keep(running, "written with the newest key")
        new, _ = keys_in(tmp_path)
    async with open_database(url, SecretStr(new)) as it:
        assert await token_of(it) == "written with the newest key"
    assert (await rekey()).code == 0


async def test_the_keys_of_the_environment_stay_with_the_user(
    url: str, tmp_path: Path, rekey: Rekey
) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    async with open_database(url, SecretStr(old)) as database:
        await keep(database, "first")
    refused = await rekey(PORTCALL_SECRET_KEY=old)
    assert refused.code == 2
    assert "new,old" in refused.err
    ran = await rekey(PORTCALL_SECRET_KEY=f"{new},{old}")
    assert ran.code == 0
    assert "PORTCALL_SECRET_KEY may be the new key alone now" in ran.out
    async with open_database(url, SecretStr(new)) as database:
        assert await token_of(database) == "first"
    wrong = await rekey(PORTCALL_SECRET_KEY="another,still another")
    assert (wrong.code, "is not the key" in wrong.err) == (2, True)


async def test_what_stands_in_the_way_is_told_and_nothing_is_changed(
    tmp_path: Path, rekey: Rekey
) -> None:
    nothing = await rekey()
    assert (nothing.code, "There is no key in" in nothing.err) == (2, True)
    load_or_create_secret_key(tmp_path)
    before = keys_in(tmp_path)
    with try_lock(tmp_path / "secret.lock"):
        busy = await rekey()
    assert (busy.code, "Another `portcall rekey`" in busy.err) == (2, True)
    elsewhere = await rekey(PORTCALL_DATABASE_URL="postgresql://db.example/portcall")
    assert (elsewhere.code, "Set PORTCALL_SECRET_KEY" in elsewhere.err) == (2, True)
    assert keys_in(tmp_path) == before
