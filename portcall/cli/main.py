"""The command `portcall`: which commands there are, and how each one fails."""

import importlib
import os
import signal
import sys
from importlib.metadata import version
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup

from portcall.errors import PortcallError


class Entry(NamedTuple):
    """A command before it is loaded: what the overview says, and where it is."""

    help: str
    place: str


COMMANDS = {
    "up": Entry("Run all of Portcall on a data directory: Temporal, API, worker.", "up:up"),
    "demo": Entry("Show the main job on a real registry, in a minute.", "demo.command:demo"),
    "apply": Entry("Bring sources, targets and policies to what YAML files say.", "apply:apply"),
    "export": Entry("Write what there is as the files that apply reads.", "export:export"),
    "import": Entry("Take over another registry's webhooks.", "import_harbor:commands"),
    "schema": Entry("Print the JSON Schema of those files, for editors.", "schema:schema"),
    "sources": Entry("The registries that may send: look, switch, delete.", "resources:sources"),
    "targets": Entry("The webhook endpoints: look, switch, delete.", "resources:targets"),
    "policies": Entry("Which events go where: look, switch, delete.", "resources:policies"),
    "match": Entry("Say which policies want an event, and why others do not.", "match:match"),
    "try": Entry("Say what a notification would become.", "trying:try_notification"),
    "events": Entry("What registries reported.", "events:events"),
    "inbox": Entry("What waits for Temporal, and what was not understood.", "inbox:inbox"),
    "deliveries": Entry("What was sent, every request and response.", "deliveries:deliveries"),
    "api": Entry("Run the API alone.", "run:api"),
    "worker": Entry("Run a worker alone.", "run:worker"),
    "init": Entry("Prepare the database and Temporal's namespace.", "init:init"),
    "rekey": Entry("Encrypt all stored secrets with a new key.", "rekey:rekey"),
}

_EPILOG = (
    "Exit codes: 0 done; 1 the answer is no, or Portcall has a bug; 2 wrong usage, settings or"
    " input; 3 something is away, try again; 4 refused: not found, in conflict, not allowed;"
    " 130 interrupted. PORTCALL_DEBUG=1 shows where an error arose."
)


class _LazyGroup(TyperGroup):
    """Loads the one command that runs: the overview needs none of them."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - as the group calls it
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        entry = COMMANDS.get(cmd_name)
        return TyperCommand(cmd_name, help=entry.help) if entry else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, found, rest = super().resolve_command(ctx, args)
        return name, load(name) if name and found else found, rest


def load(name: str) -> Any:
    """Give the command itself: a group of commands, or a function that is one."""
    module, _, attribute = COMMANDS[name].place.partition(":")
    found = getattr(importlib.import_module(f"portcall.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    alone = typer.Typer(add_completion=False)
    alone.command(name)(found)
    return typer.main.get_command(alone)


app = typer.Typer(
    cls=_LazyGroup, no_args_is_help=True, epilog=_EPILOG, pretty_exceptions_enable=False
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"portcall {version('portcall')}")
        raise typer.Exit


@app.callback()
def _portcall(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Say which.")
    ] = False,
) -> None:
    """Durable, searchable, resendable webhooks for container registries, on Temporal."""


def main() -> None:
    """Run the command line and end the process."""
    try:
        _run()
    except SystemExit as ended:
        if "temporalio.bridge" not in sys.modules:
            raise
        # Imported here: most commands never load what runs servers.
        from portcall.adapters.processes import leave  # noqa: PLC0415

        leave(ended)


def _run() -> None:
    """Run a command; an error is one message and an exit code, never a stack trace."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        app()
    except PortcallError as error:
        _fail(error, error.message, error.exit_code)
    except Exception as error:  # noqa: BLE001 - a stack trace helps nobody at a terminal
        message = f"Portcall failed: {type(error).__name__}: {error}"
        _fail(error, f"{message} (PORTCALL_DEBUG=1 shows where)", 1)


def _fail(error: Exception, message: str, code: int) -> None:
    if os.environ.get("PORTCALL_DEBUG"):
        raise error
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print("[bold red]error:[/]", end=" ")
    console.print(message, markup=False)
    for fault in getattr(error, "problem", {}).get("errors", ()):
        console.print(f"  {fault['field']}: {fault['message']}", markup=False)
    sys.exit(code)


if __name__ == "__main__":
    main()
