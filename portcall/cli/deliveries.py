"""The commands `deliveries`: the log of what was sent, and sending it again."""

from typing import Annotated

import typer

from portcall.cli.client import connect, path, understood
from portcall.cli.listing import add_list
from portcall.cli.options import Json, Token, Url
from portcall.cli.pages import print_deliveries, print_delivery
from portcall.cli.redeliver import redeliver
from portcall.cli.tables import print_json, printable
from portcall.log import DeliveryDetail, DeliverySummary

deliveries = typer.Typer(
    no_args_is_help=True, help="What was sent to targets, with every request and response."
)
add_list(deliveries, "deliveries", DeliverySummary, print_deliveries)

Id = Annotated[
    str, typer.Argument(metavar="ID", help="As `deliveries list` shows it.", show_default=False)
]


@deliveries.command("show")
def show(identity: Id, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Show one delivery: why it stands as it does, and every attempt's request and response."""
    with connect(url, token) as api:
        item = api.json("GET", path("deliveries", identity))
    if as_json:
        print_json(item)
    else:
        print_delivery(understood(DeliveryDetail, item))


deliveries.command("redeliver")(redeliver)


@deliveries.command("retry-now")
def retry_now(identity: Id, url: Url = None, token: Token = None) -> None:
    """Make the next attempt of a waiting delivery at once."""
    with connect(url, token) as api:
        api.call("POST", path("deliveries", identity, "retry-now"))
    print(f"Trying now: {printable(identity)}")


@deliveries.command("cancel")
def cancel(identity: Id, url: Url = None, token: Token = None) -> None:
    """Give up on a delivery that is not over yet."""
    with connect(url, token) as api:
        api.call("POST", path("deliveries", identity, "cancel"))
    print(f"Cancelled: {printable(identity)}")
