"""What goes wrong for a newcomer is one clear message and an exit code, never a stack trace."""

import asyncio
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from portcall.adapters.processes import free_port
from tests.cli.processes import PORTS, environment, parts_of, portcall
from tests.fixtures.temporal import StartTemporal

NOWHERE = "postgresql://somebody:planted-password@127.0.0.1:9/portcall"


def _refusal(ran: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    """Give the exit code and the message, having looked at its form."""
    assert ran.stderr.startswith("error: "), ran.stderr
    assert "Traceback" not in ran.stderr + ran.stdout
    return ran.returncode, ran.stderr.removeprefix("error: ")


@pytest.mark.parametrize(
    ("command", "setting", "value"),
    [
        ("up", "PORTCALL_PORT", "eighty"),
        ("init", "PORTCALL_LOG_RETENTION", "a month"),
        ("api", "PORTCALL_PORT", "70000"),
        ("worker", "PORTCALL_ALLOWED_NETWORKS", "10.0.0.0/8,home"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, command: str, setting: str, value: str) -> None:
    code, message = _refusal(portcall(command, home=tmp_path, **{setting: value}))
    assert code == 2
    assert message.startswith(f"{setting}: ")
    assert message.count("\n") == 1


def test_a_data_directory_that_cannot_be_written_names_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, message = _refusal(portcall("up", "--data-dir", "file/data", home=tmp_path))
    assert code == 2
    assert "(Not a directory); name another with --data-dir or PORTCALL_DATA_DIR" in message


def test_temporals_port_in_use_names_its_option(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = portcall("up", *PORTS, "--temporal-port", port, home=tmp_path)
    code, message = _refusal(ran)
    assert code == 2
    assert message.endswith("choose another port with --temporal-port\n")


def test_without_any_way_to_temporal_all_ways_are_named(tmp_path: Path) -> None:
    ran = portcall(
        "up",
        *PORTS,
        home=tmp_path,
        PATH=str(tmp_path),
        PORTCALL_CACHE_DIR=str(tmp_path / "cache"),
        HTTPS_PROXY="http://127.0.0.1:9",
    )
    assert ran.returncode == 2
    _, _, message = ran.stderr.partition("\nerror: ")
    for way in ("TEMPORAL_ADDRESS", "on PATH", "downloading it failed", "Docker", "Go"):
        assert way in message


@pytest.mark.usefixtures("temporal_program")
def test_a_database_that_cannot_be_reached_ends_up_and_stops_temporal(tmp_path: Path) -> None:
    ran = portcall("up", *PORTS, home=tmp_path, PORTCALL_DATABASE_URL=NOWHERE)
    code, message = _refusal(ran)
    assert code == 3
    assert "127.0.0.1:9/portcall is not available" in message
    assert "planted-password" not in message
    assert parts_of(tmp_path) == {}


def test_a_database_url_that_is_none_names_the_setting(tmp_path: Path) -> None:
    code, message = _refusal(portcall("init", home=tmp_path, PORTCALL_DATABASE_URL="mysql://x"))
    assert code == 2
    assert message.startswith("PORTCALL_DATABASE_URL must look like")


def test_a_temporal_that_does_not_answer_is_said_with_its_address(tmp_path: Path) -> None:
    code, message = _refusal(portcall("init", home=tmp_path, TEMPORAL_ADDRESS="127.0.0.1:9"))
    assert code == 3
    assert message.startswith("Temporal does not answer at 127.0.0.1:9")


async def test_init_waits_for_a_temporal_that_comes_later(
    start_temporal: StartTemporal, tmp_path: Path
) -> None:
    port = free_port()
    command = [sys.executable, "-m", "portcall.cli.main", "init", "--wait", "40"]
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment(tmp_path, TEMPORAL_ADDRESS=f"127.0.0.1:{port}"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    await asyncio.sleep(2)
    assert process.returncode is None
    (tmp_path / "temporal").mkdir()
    await start_temporal(tmp_path / "temporal", port=port)
    out, err = await process.communicate()
    assert process.returncode == 0, err
    assert "database: tables are up to date" in out.decode()
    assert "Temporal: retention 1d → 30d" in out.decode()


def test_a_bug_is_one_line_too_unless_somebody_wants_to_see_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    ran = portcall("init", home=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: Portcall failed: UnicodeDecodeError")
    assert "Traceback" in portcall("init", home=tmp_path, PORTCALL_DEBUG="1").stderr


def test_an_unknown_command_is_wrong_usage(tmp_path: Path) -> None:
    ran = portcall("upp", home=tmp_path)
    assert ran.returncode == 2
    assert "No such command" in ran.stderr


def test_an_interrupted_command_ends_with_130(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-m", "portcall.cli.main", "policies", "list", "--url", url],
            env=environment(tmp_path, PORTCALL_ADMIN_TOKEN="any"),
            stderr=subprocess.PIPE,
            # Where the tests run in the background, a shell has made them deaf to it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        )
        with process:
            connection, _ = silent.accept()
            with connection:
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in err


def test_the_version_is_said(tmp_path: Path) -> None:
    assert portcall("--version", home=tmp_path).stdout.startswith("portcall 0.")
