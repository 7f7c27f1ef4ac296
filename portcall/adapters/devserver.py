"""Runs Temporal's dev server durably on a data directory, as our own child process.

Where its program comes from is `tools.py`'s affair, what a namespace needs `provision.py`'s.
"""

import asyncio
import os
from asyncio.subprocess import Process
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client

from portcall.adapters.processes import free_port, start_server, stop_server
from portcall.errors import ConfigurationError

HOST = "127.0.0.1"
_SETTINGS = (
    "--log-level=warn",
    # A 2xx to a registry must survive a power cut.
    "--sqlite-pragma=journal_mode=WAL",
    "--sqlite-pragma=synchronous=FULL",
    # One process polls and serves: more partitions only make polls miss.
    "--dynamic-config-value=matching.numTaskqueueReadPartitions=1",
    "--dynamic-config-value=matching.numTaskqueueWritePartitions=1",
    # Task queues are shared among targets and repositories, not served first come.
    "--dynamic-config-value=matching.enableFairness=true",
    # The dev server would read them from the database for each check of a search attribute.
    "--dynamic-config-value=system.forceSearchAttributesCacheRefreshOnRead=false",
    # The log's lists are visibility queries; the default is meant for a shared cluster.
    "--dynamic-config-value=frontend.namespaceRPS.visibility=1000",
)


@dataclass(frozen=True)
class DevServer:
    """A running Temporal dev server."""

    process: Process
    port: int
    ui_port: int | None
    log: Path

    @property
    def address(self) -> str:
        """The gRPC address, as `TEMPORAL_ADDRESS` takes it."""
        return f"{HOST}:{self.port}"

    @property
    def ui_url(self) -> str | None:
        """Where its Web UI is, None without one."""
        return f"http://{HOST}:{self.ui_port}" if self.ui_port else None

    async def stop(self, grace: float = 10) -> None:
        """End it, by force after `grace` seconds (0: at once); what it has answered is on disk."""
        await stop_server(self.process, grace)


async def start_dev_server(
    program: Path, data_dir: Path, *, port: int = 0, ui_port: int | None = None, wait: float = 60
) -> DevServer:
    """Start a dev server on `data_dir` and wait until it answers; port 0 takes a free one.

    Without `ui_port` there is no Web UI. Raises ConfigurationError with the end of its log
    where it does not come up.
    """
    port = port or free_port(HOST)
    ui_port = free_port(HOST) if ui_port == 0 else ui_port
    ui = [f"--ui-port={ui_port}"] if ui_port else ["--headless"]
    log = data_dir / "temporal.log"
    command: list[str | Path] = [
        program, "server", "start-dev", f"--ip={HOST}", f"--port={port}", *ui, *_SETTINGS,
        f"--db-filename={data_dir / 'temporal.db'}",
    ]  # fmt: skip
    with log.open("ab") as output:
        env = {"GOGC": "400", **os.environ}
        process = await start_server(command, env=env, log=output)
    server = DevServer(process, port, ui_port, log)
    try:
        await _answers(server, wait)
    except BaseException:
        await server.stop(0)
        raise
    return server


async def _answers(server: DevServer, wait: float) -> None:
    ended = asyncio.create_task(server.process.wait())
    answered = asyncio.create_task(_connected(server.address))
    try:
        await asyncio.wait({ended, answered}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            raise ConfigurationError(_complaint(f"ended with {ended.result()}", server.log))
        if not answered.done():
            raise ConfigurationError(_complaint(f"does not answer after {wait:.0f} s", server.log))
    finally:
        ended.cancel()
        answered.cancel()


async def _connected(address: str) -> None:
    while True:
        try:
            await Client.connect(address)
            return
        except RuntimeError:
            await asyncio.sleep(0.1)


def _complaint(what: str, log: Path) -> str:
    end = log.read_bytes()[-4000:].decode(errors="replace").strip().splitlines()[-5:]
    return f"the embedded Temporal {what}; the end of {log}:" + "".join(f"\n  {x}" for x in end)
