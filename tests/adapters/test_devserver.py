import asyncio
import signal
import socket
import sys
from pathlib import Path

import pytest
from temporalio.client import Client

from portcall.adapters.devserver import start_dev_server
from portcall.errors import ConfigurationError
from tests.fixtures.temporal import StartTemporal


async def test_what_was_accepted_survives_a_kill(
    start_temporal: StartTemporal, tmp_path: Path
) -> None:
    server = await start_temporal(tmp_path)
    client = await Client.connect(server.address)
    await client.start_workflow("Nobody", id="kept", task_queue="none")
    await server.stop(0)
    assert server.process.returncode == -signal.SIGKILL

    again = await start_temporal(tmp_path, port=server.port)
    client = await Client.connect(again.address)
    assert (await client.get_workflow_handle("kept").describe()).id == "kept"


async def test_the_database_is_written_ahead(start_temporal: StartTemporal, tmp_path: Path) -> None:
    await start_temporal(tmp_path)
    assert (tmp_path / "temporal.db-wal").exists()


async def test_a_server_asked_to_stop_ends_in_good_order(
    temporal_program: Path, tmp_path: Path
) -> None:
    server = await start_dev_server(temporal_program, tmp_path)
    await server.stop()
    assert server.process.returncode == 0


async def test_the_web_ui_answers_where_it_is_said_to_be(
    temporal_program: Path, tmp_path: Path
) -> None:
    server = await start_dev_server(temporal_program, tmp_path, ui_port=0)
    try:
        assert server.ui_url
        reader, writer = await asyncio.open_connection("127.0.0.1", server.ui_port)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert b"200 OK" in await reader.readline()
        writer.close()
        await writer.wait_closed()
    finally:
        await server.stop(0)


async def test_a_server_that_ends_at_once_shows_the_end_of_its_log(
    temporal_program: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match="address already in use"):
            await start_dev_server(temporal_program, tmp_path, port=port)


async def test_a_program_that_never_answers_is_given_up(tmp_path: Path) -> None:
    program = tmp_path / "temporal"
    program.write_text("#!/bin/sh\necho still thinking\nexec sleep 60\n")
    program.chmod(0o755)
    with pytest.raises(ConfigurationError, match=r"does not answer(.|\n)*still thinking"):
        await start_dev_server(program, tmp_path, wait=0.5)


async def test_a_killed_parent_leaves_no_server_behind(
    temporal_program: Path, tmp_path: Path
) -> None:
    script = (
        "import asyncio, sys; from pathlib import Path\n"
        "from portcall.adapters.devserver import start_dev_server\n"
        "async def main():\n"
        "    server = await start_dev_server(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "    print(server.port, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, temporal_program, tmp_path, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout
    port = int(await parent.stdout.readline())
    assert _listens(port)
    parent.kill()
    await parent.communicate()
    for _ in range(100):
        if not _listens(port):
            return
        await asyncio.sleep(0.1)
    pytest.fail("the server outlived its parent")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
