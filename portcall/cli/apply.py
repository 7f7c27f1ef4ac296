"""The command `apply`: files say what there shall be; the difference is shown, then made so."""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.text import Text

from portcall.cli.client import ApiClient, connect
from portcall.cli.documents import Fault
from portcall.cli.files import read_texts
from portcall.cli.manifest import Manifest, read_manifest
from portcall.cli.options import Token, Url, Yes
from portcall.cli.plan import Step, field_of, make_plan
from portcall.cli.tables import printable, screen
from portcall.errors import PortcallError

_SIGNS = {
    "created": ("+", "green"),
    "updated": ("~", "yellow"),
    "unchanged": ("=", "dim"),
    "deleted": ("-", "red"),
}

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the difference, change nothing.")]
ExitCode = Annotated[
    bool, typer.Option("--exit-code", help="With --dry-run: 1 if there is a difference.")
]


def apply(
    *,
    file: Annotated[
        list[str],
        typer.Option(
            "--file", "-f", help="A YAML file, a directory, - for stdin; may be given repeatedly."
        ),
    ],
    dry_run: DryRun = False,
    exit_code: ExitCode = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Delete what carries a managed_by of the files and is not in them."
        ),
    ] = False,
    yes: Yes = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Create and update sources, targets and policies from YAML files.

    Everything is validated before anything is written; without --prune nothing is deleted.
    """
    manifest = read_manifest(read_texts(file), os.environ)
    wishes = Wishes(dry_run=dry_run, exit_code=exit_code, prune=prune, yes=yes)
    bring_about(manifest, wishes, url, token)


@dataclass(frozen=True)
class Wishes:
    """How far to go."""

    dry_run: bool = False
    exit_code: bool = False
    prune: bool = False
    yes: bool = False


def bring_about(manifest: Manifest, wishes: Wishes, url: str | None, token: str | None) -> None:
    """Show the difference between what is declared and what there is, ask, and write."""
    try:
        with connect(url, token) as api:
            pruned_labels = manifest.labels if wishes.prune else None
            steps, wrong = make_plan(api, manifest.resources, pruned_labels)
            unread = {
                fault.place[:2] for fault in manifest.faults
            }  # not what is meant stands there
            told = [
                fault for fault in wrong if not fault.place.line or fault.place[:2] not in unread
            ]
            _refuse([*manifest.faults, *told])
            _show(steps)
            _write(api, [step for step in steps if step.result != "unchanged"], wishes)
    except PortcallError:
        _refuse(manifest.faults)
        raise


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        console = screen(stderr=True)
        for fault in sorted(faults):
            console.print(Text(printable(fault)), soft_wrap=True)
        console.print(Text(f"{len(faults)} wrong; nothing was changed.", style="red"))
        raise typer.Exit(2)


def _show(steps: Sequence[Step]) -> None:
    console = screen()
    for step in steps:
        sign, style = _SIGNS[step.result]
        console.print(Text(printable(f"{sign} {step.resource.title}"), style=style), soft_wrap=True)
        for detail in step.details:
            console.print(Text(printable(f"    {detail}")), soft_wrap=True)
        _warn(step, step.warnings)
    count = Counter(step.result for step in steps)
    deleted = f", {count['deleted']} to delete" if count["deleted"] else ""
    print(
        f"{count['created']} to create, {count['updated']} to update,"
        f" {count['unchanged']} unchanged{deleted}."
    )


def _warn(step: Step, warnings: Sequence[str]) -> None:
    for warning in warnings:
        place, title = step.resource.place(field_of(warning)), step.resource.title
        text = Text(printable(f"{place}: {title}: warning: {warning}"), style="yellow")
        screen(stderr=True).print(text, soft_wrap=True)


def _write(api: ApiClient, changes: Sequence[Step], wishes: Wishes) -> None:
    if wishes.dry_run or not changes:
        raise typer.Exit(1 if changes and wishes.exit_code else 0)
    if not wishes.yes and sys.stdin.isatty():
        typer.confirm("Apply?", abort=True)
    for step in changes:
        warnings = step.write(api)
        print(f"{step.result} {printable(step.resource.title)}")
        _warn(step, warnings)
