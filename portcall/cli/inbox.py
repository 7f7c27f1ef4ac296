"""The commands `inbox`: what waits for Temporal, and what could not be understood."""

import sys
from typing import Annotated

import typer

from portcall.cli.client import connect, path
from portcall.cli.exchanges import print_body, print_facts
from portcall.cli.options import Json, Limit, Token, Url, Wide, Yes
from portcall.cli.tables import print_json, print_more, print_table, printable
from portcall.errors import InvalidInputError

inbox = typer.Typer(
    no_args_is_help=True, help="What waits for Temporal, and what could not be understood."
)

Id = Annotated[
    str, typer.Argument(metavar="ID", help="As `inbox list` shows it.", show_default=False)
]


@inbox.command("list")
def list_(
    *,
    state: Annotated[
        str | None, typer.Option("--state", help="waiting or parked; both unless given.")
    ] = None,
    limit: Limit = 50,
    wide: Wide = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """List the entries, newest first."""
    with connect(url, token) as api:
        items, more = api.items("inbox", limit, {"state": state})
    if as_json:
        print_json(items)
    else:
        columns = ("id", "received_at", "source", "state", "count", "size", "reason")
        rows = [[str(item[column]) for column in columns] for item in items]
        print_table([column.upper() for column in columns], rows, wide=wide)
    print_more(more)


@inbox.command("show")
def show(identity: Id, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Show one entry with the bytes that came."""
    with connect(url, token) as api:
        item = api.json("GET", path("inbox", identity))
    if as_json:
        print_json(item)
    else:
        headers = {f"< {name}": value for name, value in item.pop("headers").items()}
        body, encoding = item.pop("body"), item.pop("body_encoding")
        item["events"] = ", ".join(item["events"])
        print_facts({name: str(value) for name, value in item.items() if value} | headers)
        print_body(body, encoding)


@inbox.command("replay")
def replay(identity: Id, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Take one entry through intake again; exit code 1 if it is still not understood."""
    with connect(url, token) as api:
        try:
            answer = api.json("POST", path("inbox", identity, "replay"))
        except InvalidInputError as error:
            answer = {"events": [], "parked": {"id": identity, "reason": error.message}}
    if as_json:
        print_json(answer)
    else:
        for event in answer["events"]:
            again = " (known already)" if event["duplicate"] else ""
            print(printable(f"{event['state']} {event['id']}{again}"))
        if answer["parked"]:
            print(printable(f"Still not understood: {answer['parked']['reason']}"))
    if answer["parked"]:
        raise typer.Exit(1)


@inbox.command("delete")
def delete(identity: Id, yes: Yes = False, url: Url = None, token: Token = None) -> None:
    """Forget one entry for good."""
    with connect(url, token) as api:
        if not yes and sys.stdin.isatty():
            typer.confirm(f"Delete inbox entry {identity}?", abort=True)
        api.call("DELETE", path("inbox", identity))
    print(f"Deleted inbox entry {printable(identity)}.")
