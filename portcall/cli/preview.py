"""The command `policies preview`: what a policy's targets would be sent."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.text import Text

from portcall.attempts import RequestRecord
from portcall.cli.backtest import declared
from portcall.cli.client import connect, path, understood
from portcall.cli.exchanges import print_request
from portcall.cli.match import question
from portcall.cli.misses import print_misses
from portcall.cli.options import Json, Name, Token, Url
from portcall.cli.tables import print_json, screen


def preview(
    name: Name,
    *,
    event_id: Annotated[
        str | None, typer.Option("--event", help="The id of an event in the log, whole.")
    ] = None,
    event_file: Annotated[
        str | None,
        typer.Option("--event-file", help="An event as JSON, - for stdin."),
    ] = None,
    event_type: Annotated[
        str | None,
        typer.Option("--type", help="The event's type; artifact.pushed where nothing says."),
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="The source that sent it.")] = None,
    repository: Annotated[
        str | None, typer.Option("--repository", help="The repository, without the host.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", help="A tag; may be given repeatedly.")
    ] = None,
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
    """Show the request that an event would cause for each target; nothing is sent.

    Secrets are masked. Exit code 1 if one of them would not be sent.
    """
    given = {"type": event_type, "source": source, "repository": repository, "tags": tag}
    described = {name: value for name, value in given.items() if value is not None}
    asked = {**question(event_id, event_file, described), "policy": file and declared(name, file)}
    with connect(url, token) as api:
        answer = api.json("POST", path("policies", name, "preview"), json=asked)
    if as_json:
        print_json(answer)
    else:
        _print_requests(answer["requests"], "To {}")
        if grouped := answer.get("grouped"):
            print()
            _print_requests(grouped, "To {}, of several events")
        if answer["misses"]:
            print("\nThis would not be sent:")
            print_misses(answer["misses"], 0, {})
    if answer["misses"]:
        raise typer.Exit(1)


def _print_requests(requests: Sequence[Any], title: str) -> None:
    for number, shown in enumerate(requests):
        heading = "\n" * bool(number) + title.format(shown["target"])
        screen().print(Text(heading, style="bold"))
        print_request(understood(RequestRecord, shown["request"]))
