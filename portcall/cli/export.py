"""The command `export`: what there is, as the files that `apply` reads."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from portcall.cli.client import ApiClient, connect
from portcall.cli.files import unusable, write_text
from portcall.cli.manifest import LABEL
from portcall.cli.nouns import NOUNS, POLICY, SOURCE, TARGET, Noun
from portcall.cli.options import Token, Url
from portcall.cli.schema import schema_text
from portcall.cli.tables import printable, screen
from portcall.cli.writing import SCHEMA_FILE, Entries, Variables, document, entry, masked
from portcall.spec import Spec


class Secrets(StrEnum):
    """What stands in place of a secret."""

    MASK = "mask"
    ENV = "env"


def export(
    *,
    sources: Annotated[bool, typer.Option("--sources", help="The sources alone.")] = False,
    targets: Annotated[bool, typer.Option("--targets", help="The targets alone.")] = False,
    policies: Annotated[bool, typer.Option("--policies", help="The policies alone.")] = False,
    managed_by: Annotated[
        str | None, typer.Option("--managed-by", help="Only what carries this label.")
    ] = None,
    secrets: Annotated[
        Secrets,
        typer.Option(
            "--secrets",
            help="mask: apply keeps what is stored. env: a variable for each, for elsewhere.",
        ),
    ] = Secrets.MASK,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="A file, or a directory for a file per kind."),
    ] = None,
    url: Url = None,
    token: Token = None,
) -> None:
    """Write sources, targets and policies as `apply` reads them: applied, they change nothing."""
    wanted = [
        noun
        for noun, chosen in ((SOURCE, sources), (TARGET, targets), (POLICY, policies))
        if chosen
    ]
    with connect(url, token) as api:
        found = {noun: _specs(api, noun, managed_by) for noun in wanted or NOUNS}
    variables = Variables()
    entries = {
        noun: [
            entry(spec, masked if secrets is Secrets.MASK else variables.of(noun, name))
            for name, spec in specs.items()
        ]
        for noun, specs in found.items()
    }
    if output and _is_directory(output):
        _write_directory(Path(output), entries, managed_by)
    else:
        hand_out(document(entries, managed_by), output)
    name_variables(variables)


def hand_out(text: str, output: str | None, *, private: bool = False) -> None:
    """Give a document to stdout or to a file; a private one is for its owner's eyes only."""
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_text(output, text, private=private)
        _say(f"Wrote {output}.")


def name_variables(variables: Variables) -> None:
    """Say on stderr what must be set before the document can be applied."""
    if variables.names:
        _say("Set these before you apply it:")
    for name in variables.names:
        _say(f"  {name}")


def _say(text: str) -> None:
    screen(stderr=True).print(Text(printable(text)), soft_wrap=True)


def _specs(api: ApiClient, noun: Noun, managed_by: str | None) -> dict[str, Spec]:
    items, _ = api.items(noun.plural, sys.maxsize)
    wanted = [item for item in items if managed_by in (None, item.get(LABEL))]
    return {item["name"]: noun.spec(item) for item in wanted}


def _is_directory(output: str) -> bool:
    return output.endswith("/") or Path(output).is_dir()


def _write_directory(directory: Path, entries: Entries, label: str | None) -> None:
    """Write a file per noun, and the schema beside them, so that editors find it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unusable(str(directory), error) from None
    for noun, specs in entries.items():
        hand_out(document({noun: specs}, label), str(directory / f"{noun.plural}.yaml"))
    hand_out(schema_text(), str(directory / SCHEMA_FILE))
