"""The commands `events`: what registries sent, and what became of it."""

from typing import Annotated

import typer

from portcall.cli.client import connect, path, understood
from portcall.cli.listing import add_list
from portcall.cli.options import Json, Token, Url
from portcall.cli.pages import print_event, print_events
from portcall.cli.tables import print_json
from portcall.log import EventDetail, EventSummary

events = typer.Typer(no_args_is_help=True, help="What registries sent, and what became of it.")
add_list(events, "events", EventSummary, print_events)


@events.command("show")
def show(
    identity: Annotated[
        str, typer.Argument(metavar="ID", help="As `events list` shows it.", show_default=False)
    ],
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Show one event: what the registry sent, its deliveries, which policies did not match."""
    with connect(url, token) as api:
        item = api.json("GET", path("events", identity))
    if as_json:
        print_json(item)
    else:
        print_event(understood(EventDetail, item))
