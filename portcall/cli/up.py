"""The command `up`: all of Portcall in one, until Ctrl-C."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from portcall.cli.installation import Installation, prepared, running
from portcall.settings import load_settings

DataDir = Annotated[
    Path | None,
    typer.Option(help="Where everything is kept; else PORTCALL_DATA_DIR.", show_default=False),
]
Host = Annotated[
    str | None, typer.Option(help="Where the API listens; else PORTCALL_HOST.", show_default=False)
]
Port = Annotated[
    int | None,
    typer.Option(help="The API's port, 0 for any; else PORTCALL_PORT.", show_default=False),
]
TemporalPort = Annotated[int, typer.Option(help="The embedded Temporal's port, 0 for any.")]
UiPort = Annotated[int, typer.Option(help="The port of its Web UI, 0 for any.")]


def up(
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
    temporal_port: TemporalPort = 7233,
    ui_port: UiPort = 8233,
) -> None:
    """Run all of Portcall on a data directory, until Ctrl-C.

    Temporal is embedded unless TEMPORAL_ADDRESS names another. Started again on the same
    directory it goes on where it was, deliveries that wait included.
    """
    settings = load_settings(data_dir=data_dir, host=host, port=port)
    console = Console(soft_wrap=True, highlight=False)
    with prepared(settings, temporal_port, ui_port) as installation:

        async def serve() -> None:
            async with AsyncExitStack() as stack:
                await start(installation, console, stack)
                _print_places(console, installation)
                await asyncio.Event().wait()

        until_stopped(serve, console)


async def start(installation: Installation, console: Console, stack: AsyncExitStack) -> None:
    """Start all parts, to be ended with the stack; what they complain about is printed."""
    with console.status("Starting Temporal, API and worker"):
        parts = running(installation, lambda text: console.print(text, markup=False))
        await stack.enter_async_context(parts)


def until_stopped(work: Callable[[], Awaitable[None]], console: Console) -> None:
    """Run until it ends or a signal asks to stop; a second signal ends it by force."""
    asyncio.run(_until_stopped(work, console))


async def _until_stopped(work: Callable[[], Awaitable[None]], console: Console) -> None:
    task = asyncio.ensure_future(work())
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if stopping:
            os._exit(128 + signal.SIGINT)  # the kernel ends the children with us
        stopping = True
        console.print("Stopping (Ctrl-C again: by force)")
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not stopping:
            raise


def _print_places(console: Console, installation: Installation) -> None:
    token = installation.settings.data_dir / "admin-token"
    shown = f"in {token}"
    if installation.is_new_token:
        shown = f"{installation.admin_token}\n           shown this once, kept in {token}"
    elif installation.settings.admin_token:
        shown = "as you set it"
    console.print(
        f"Portcall is running\n"
        f"  API      {installation.api_url} (reference: {installation.api_url}/docs)\n"
        f"  Web UI   {installation.ui_url or 'set PORTCALL_UI_URL to have links into it'}\n"
        f"  Data     {installation.settings.data_dir}\n"
        f"  Logs     {installation.logs}\n"
        f"  Token    {shown}\n"
        f"Ctrl-C stops all of it.",
        markup=False,
    )
