"""The command `match`: which policies would match an event, and why the others would not."""

from typing import Annotated

import typer

from portcall.cli.client import connect, understood
from portcall.cli.options import Json, Token, Url
from portcall.cli.pages import print_misses
from portcall.cli.tables import print_json, print_table
from portcall.matching import MatchResult


def match(
    *,
    event_type: Annotated[
        str, typer.Option("--type", help="The event's type.")
    ] = "artifact.pushed",
    source: Annotated[str, typer.Option("--source", help="The source that sent it.")] = "",
    repository: Annotated[
        str | None, typer.Option("--repository", help="The repository, without the host.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", help="A tag; may be given repeatedly.")
    ] = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Try an event against the policies; nothing is sent. Exit code 1 if none matches."""
    event = {"type": event_type, "source": source, "repository": repository, "tags": tag or []}
    with connect(url, token) as api:
        answer = api.json("POST", "policies/match", json={"event": event})
    result = understood(MatchResult, answer)
    if as_json:
        print_json(answer)
    else:
        _print(result)
    if not result.matches:
        raise typer.Exit(1)


def _print(result: MatchResult) -> None:
    if result.matches:
        rows = [[match.policy, match.target, match.format] for match in result.matches]
        print_table(("MATCHES", "TARGET", "FORMAT"), rows)
    else:
        print("No policy matches.")
    if result.misses or result.ruled_out:
        print()
        misses = [miss.model_dump() for miss in result.misses]
        print_misses(misses, result.more_misses, result.ruled_out)
