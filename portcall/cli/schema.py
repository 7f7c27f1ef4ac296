"""The command `schema`: what editors need to check and complete the files of `apply`."""

import json

import typer

from portcall.formats.known import load_formats
from portcall.manifest_schema import manifest_schema
from portcall.sources.kinds import load_kinds


def schema() -> None:
    """Print the JSON Schema of the files that `apply` reads."""
    typer.echo(schema_text(), nl=False)


def schema_text() -> str:
    """Give the schema, with the kinds and formats of the packages that are installed here."""
    found = manifest_schema(load_kinds(), load_formats())
    return json.dumps(found, indent=2) + "\n"
