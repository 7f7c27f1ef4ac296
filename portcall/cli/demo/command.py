"""The command `demo`: an installation that lives as long as the demo, away from any other."""

import os
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from portcall.adapters.tools import find_registry
from portcall.cli.demo.story import tell
from portcall.cli.installation import prepared
from portcall.cli.progress import shown_progress
from portcall.cli.up import TemporalPort, UiPort, start, until_stopped
from portcall.settings import Settings, load_settings


def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running until Ctrl-C.")] = False,
    temporal_port: TemporalPort = 0,
    ui_port: UiPort = 0,
) -> None:
    """Show the main job on real parts: a registry's push becomes a delivered, logged webhook.

    Everything runs on this machine, on free ports and in a directory that is removed again.
    """
    console = Console(soft_wrap=True, highlight=False)
    directory = Path(tempfile.mkdtemp(prefix="portcall-demo-"))
    with prepared(_settings(directory), temporal_port, ui_port) as installation:
        with shown_progress() as show:
            registry = find_registry(installation.settings.cache_dir, show)

        async def run() -> None:
            async with AsyncExitStack() as stack:
                await start(installation, console, stack)
                await tell(installation, registry, console, keep=keep)

        console.print("Portcall's main job, on real parts. Everything is in", str(directory))
        until_stopped(run, console)
    shutil.rmtree(directory)


def _settings(directory: Path) -> Settings:
    """Settle what a user's own settings must not decide; receivers are on loopback here."""
    os.environ["PORTCALL_ALLOWED_NETWORKS"] = "127.0.0.0/8"
    if os.environ.get("TEMPORAL_ADDRESS"):
        os.environ.setdefault("TEMPORAL_NAMESPACE", "portcall-demo")
    return load_settings(
        data_dir=directory,
        database_url=f"sqlite:///{directory / 'portcall.db'}",
        host="127.0.0.1",
        port=0,
        admin_token="demo",  # noqa: S106 - reachable on loopback alone, for a minute
    )
