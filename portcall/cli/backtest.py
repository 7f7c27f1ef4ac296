"""The command `policies backtest`: what a policy would have matched, before it is switched on."""

import os
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from portcall.backtest import Backtest
from portcall.cli.client import ApiClient, connect, path, understood
from portcall.cli.files import read_texts
from portcall.cli.manifest import read_manifest
from portcall.cli.nouns import POLICY
from portcall.cli.options import Json, Name, Token, Url
from portcall.cli.progress import shown_progress
from portcall.cli.tables import print_json, print_table, when
from portcall.errors import InvalidInputError

IN_ONE_CALL = 1000


def backtest(
    name: Name,
    *,
    days: Annotated[float, typer.Option("--days", help="How far back, in days.")] = 7,
    file: Annotated[
        str | None,
        typer.Option(
            "--file", "-f", help="Try the policy of this YAML file, - for stdin, unsaved."
        ),
    ] = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Say which events of the log a policy would have matched; nothing is sent.

    Exit code 1 if there is none.
    """
    question = {"days": days, "policy": declared(name, file) if file else None}
    with connect(url, token) as api:
        found = _ask(api, name, question)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _print(name, found)
    if not found.matched:
        raise typer.Exit(1)


def _ask(api: ApiClient, name: str, question: Mapping[str, Any]) -> Backtest:
    """Ask until all events are examined."""
    found: Backtest | None = None
    with shown_progress() as show:
        while found is None or found.next_cursor:
            more = {"since": str(found.since), "cursor": found.next_cursor} if found else {}
            asked = {**question, **more, "limit": IN_ONE_CALL}
            answer = api.json("POST", path("policies", name, "backtest"), json=asked)
            part = understood(Backtest, answer)
            found = found.plus(part) if found else part
            show(f"{found.examined} of {found.candidates} events examined, {found.matched} match")
    return found


def declared(name: str, file: str) -> Mapping[str, Any]:
    """Find the policy in a file as `apply` reads it."""
    manifest = read_manifest(read_texts([file]), os.environ)
    if manifest.faults:
        faults = [{"field": str(f.place), "message": f.message} for f in sorted(manifest.faults)]
        raise InvalidInputError(f"{file} cannot be understood.", faults)
    for resource in manifest.resources:
        if (resource.noun, resource.name) == (POLICY, name):
            return resource.spec
    raise InvalidInputError(f"{file} has no policy {name}.")


def _print(name: str, found: Backtest) -> None:
    total = found.examined + (found.ruled_out or 0)
    matched = f"{found.matched} of {total} events since {when(found.since)}"
    print(f"{name} would have matched {matched}.")
    if found.ruled_out:
        print(f"{found.ruled_out} are of other sources, types or repositories.")
    if found.misses:
        counts = ", ".join(f"{condition} {count}" for condition, count in found.misses.items())
        print(f"The first condition that the others fail: {counts}.")
    if found.samples:
        print()
        rows = [
            [when(s.received_at), s.type, s.repository or "-", ", ".join(s.tags), s.source, s.id]
            for s in found.samples
        ]
        print_table(("RECEIVED", "EVENT", "REPOSITORY", "TAGS", "SOURCE", "ID"), rows)
    if found.matched > len(found.samples):
        print(f"and {found.matched - len(found.samples)} more")
