import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from portcall.cli.tables import from_now
from tests.cli.conftest import TOKEN, Backend
from tests.cli.logs import delivery

WIDTH = 80


@pytest.fixture
def at_terminal(
    served: tuple[str, FastAPI], backend: Backend, tmp_path: Path
) -> Callable[..., tuple[int, str]]:
    """Run `portcall` with a terminal around it, which somebody types `keys` at."""

    def run_there(*arguments: str, keys: str = "", **changed: str) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        environment = {
            **os.environ,
            "PORTCALL_URL": served[0],
            "PORTCALL_ADMIN_TOKEN": TOKEN,
            "COLUMNS": str(WIDTH),
            "TERM": "xterm-256color",
            **changed,
        }
        environment.pop("NO_COLOR", None)
        process = subprocess.Popen(
            [sys.executable, "-m", "portcall.cli.main", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        os.close(theirs)
        os.write(ours, keys.encode())
        said = b""
        try:
            while part := os.read(ours, 65536):
                said += part
        except OSError:  # Linux ends a terminal whose other side is closed with EIO
            pass
        os.close(ours)
        return process.wait(), said.decode().replace("\r\n", "\n")

    return run_there


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_at_a_terminal_cells_are_folded_and_ids_stay_whole(at_terminal, backend: Backend):
    deliveries = [delivery(f"delivery:src:{n}{'0' * 60}:policy:target") for n in range(3)]
    repository = "team/" + "x" * 50 + "/app"
    backend.deliveries.found = [d.model_copy(update={"repository": repository}) for d in deliveries]
    code, said = at_terminal("deliveries", "list")
    assert code == 0
    assert "\x1b[31mexhausted" in said
    lines = [line.rstrip() for line in plain(said).splitlines()]
    ids = [line.split()[-1] for line in lines if ":target" in line]
    assert ids == [d.id for d in deliveries]
    assert all(len(line) <= WIDTH for line in lines if ":target" not in line)
    folded = re.sub(r"[^x]", "", plain(said).replace("exhausted", ""))
    assert len(folded) == 3 * 50


def test_at_a_terminal_that_is_wide_enough_a_row_is_one_line(at_terminal, backend: Backend):
    backend.deliveries.found = [delivery("delivery:s:1:p:t")]
    lines = plain(at_terminal("deliveries", "list", COLUMNS="200")[1]).splitlines()
    assert len(lines) == 2


def test_at_a_terminal_wide_gives_one_line_each(at_terminal, backend: Backend):
    backend.deliveries.found = [delivery(repository="a/" * 60)]
    lines = plain(at_terminal("deliveries", "list", "--wide")[1]).splitlines()
    assert len(lines) == 2
    assert lines[1].endswith(delivery().id)


@pytest.mark.parametrize(("key", "code", "names"), [("n", 1, []), ("y", 0, ["ci"])])
def test_at_a_terminal_apply_asks_first(
    at_terminal, backend: Backend, tmp_path: Path, key: str, code: int, names: list[str]
):
    (tmp_path / "f.yaml").write_text("target: {name: ci, url: 'https://ci.example'}")
    ended, said = at_terminal("apply", "-f", "f.yaml", keys=f"{key}\n")
    assert "Apply? [y/N]" in said
    assert (ended, list(backend.store.targets.rows)) == (code, names)


def test_at_a_terminal_apply_does_not_ask_who_said_yes(at_terminal, backend: Backend, tmp_path):
    (tmp_path / "f.yaml").write_text("target: {name: ci, url: 'https://ci.example'}")
    ended, said = at_terminal("apply", "-f", "f.yaml", "--yes")
    assert "Apply?" not in said
    assert (ended, list(backend.store.targets.rows)) == (0, ["ci"])


@pytest.mark.parametrize("words", [("targets", "delete", "ci"), ("inbox", "delete", "1")])
async def test_at_a_terminal_deleting_asks_first(at_terminal, backend: Backend, words):
    await backend.inbox.park("reg", "why", b"x", {}, None)
    ended, said = at_terminal(*words, keys="n\n")
    assert "[y/N]" in said
    assert ended == 1
    assert backend.inbox.entries


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (timedelta(days=2, hours=3), "in 2d"),
        (timedelta(hours=5, minutes=59), "in 5h"),
        (timedelta(seconds=61), "in 1m"),
        (timedelta(seconds=1.5), "in 1s"),
        (timedelta(), "now"),
        (timedelta(days=-3), "now"),
    ],
)
def test_a_time_ahead_is_said_in_its_largest_unit(ahead: timedelta, words: str):
    now = datetime(2026, 7, 30, tzinfo=UTC)
    assert from_now(now + ahead, now) == words
