"""The command `apply`: files say what there shall be; the difference is shown, then made so."""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from portcall.cli.client import connect
from portcall.cli.documents import Fault
from portcall.cli.manifest import read_resources
from portcall.cli.options import Token, Url, Yes
from portcall.cli.plan import Step, make_plan
from portcall.cli.tables import printable, screen
from portcall.errors import ConfigurationError, PortcallError

_SIGNS = {"created": ("+", "green"), "updated": ("~", "yellow"), "unchanged": ("=", "dim")}


def apply(
    *,
    file: Annotated[
        list[str],
        typer.Option("--file", "-f", help="A YAML file, - for stdin; may be given repeatedly."),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the difference, change nothing.")
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="With --dry-run: 1 if there is a difference.")
    ] = False,
    yes: Yes = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Create and update sources, targets and policies from YAML files.

    Everything is validated before anything is written; nothing is ever deleted.
    """
    resources, faults = read_resources({name: _text(name) for name in file}, os.environ)
    try:
        with connect(url, token) as api:
            steps, wrong = make_plan(api, resources)
            unread = {fault.place[:2] for fault in faults}  # what stands there is not what is meant
            _refuse([*faults, *(fault for fault in wrong if fault.place[:2] not in unread)])
            changes = _show(steps)
            if dry_run or not changes:
                raise typer.Exit(1 if changes and exit_code else 0)
            if not yes and sys.stdin.isatty():
                typer.confirm("Apply?", abort=True)
            for step in changes:
                step.write(api)
                print(f"{step.result} {printable(step.resource.title)}")
    except PortcallError:
        _refuse(faults)
        raise


def _text(name: str) -> str:
    try:
        if name == "-":
            return sys.stdin.buffer.read().decode("utf-8-sig")
        return Path(name).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{name}: not UTF-8 text.") from None
    except OSError as error:
        raise ConfigurationError(f"{name}: {(error.strerror or str(error)).lower()}.") from None


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        console = screen(stderr=True)
        for fault in sorted(faults):
            console.print(Text(printable(fault)), soft_wrap=True)
        console.print(Text(f"{len(faults)} wrong; nothing was changed.", style="red"))
        raise typer.Exit(2)


def _show(steps: Sequence[Step]) -> list[Step]:
    """Print the difference; give the steps that change something."""
    console = screen()
    for step in steps:
        sign, style = _SIGNS[step.result]
        console.print(Text(printable(f"{sign} {step.resource.title}"), style=style), soft_wrap=True)
        for detail in step.details:
            console.print(Text(printable(f"    {detail}")), soft_wrap=True)
    count = Counter(step.result for step in steps)
    created, updated = count["created"], count["updated"]
    print(f"{created} to create, {updated} to update, {count['unchanged']} unchanged.")
    return [step for step in steps if step.result != "unchanged"]
