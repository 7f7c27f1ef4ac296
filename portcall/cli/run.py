"""The commands `api` and `worker`: one part of Portcall alone, in this process."""

import os
import sys

from portcall.cli.up import DataDir, Host, Port
from portcall.settings import load_settings


def api(data_dir: DataDir = None, host: Host = None, port: Port = None) -> None:
    """Run the API alone; Temporal and the database are where the settings say."""
    _become("api", data_dir=data_dir, host=host, port=port)


def worker(data_dir: DataDir = None) -> None:
    """Run a worker alone; any number of them share the work."""
    _become("worker", data_dir=data_dir)


def _become(module: str, **options: object) -> None:
    load_settings(**options)
    given = {f"PORTCALL_{name.upper()}": str(value) for name, value in options.items() if value}
    command = [sys.executable, "-m", module]
    os.execve(sys.executable, command, {**os.environ, **given})  # noqa: S606 - needs no shell
