"""The commands `deliveries`: the log of what was sent, and sending it again."""

import time
from typing import Annotated

import typer

from portcall.attempts import Outcome
from portcall.cli.client import ApiClient, connect, path, understood
from portcall.cli.listing import add_list
from portcall.cli.options import Json, Token, Url
from portcall.cli.pages import print_deliveries, print_delivery, print_verdict
from portcall.cli.tables import print_json, printable, screen
from portcall.log import DeliveryDetail, DeliverySummary

OPEN = (Outcome.DELIVERING, Outcome.RETRYING, Outcome.QUEUED, Outcome.WAITING)
POLL_SECONDS = 0.5

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


@deliveries.command("redeliver")
def redeliver(
    *,
    identity: Id,
    wait: Annotated[
        bool, typer.Option("--wait", help="Until it has ended; exit code 1 if it failed again.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why, for the Web UI.", show_default=False)
    ] = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Send one delivery again, from its first attempt, with the target as it is now."""
    with connect(url, token) as api:
        body = {"reason": reason} if reason else None
        answer = api.json("POST", path("deliveries", identity, "redeliver"), json=body)
        begun = understood(DeliverySummary, answer)
        ended = _ended(api, identity, begun.run_id) if wait else None
    if as_json:
        print_json(answer if ended is None else ended.model_dump(mode="json"))
    elif ended is None:
        print(f"Sending again: {printable(identity)}")
    else:
        print_verdict(ended)
    if ended and ended.outcome is not Outcome.DELIVERED:
        raise typer.Exit(1)


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


def _ended(api: ApiClient, identity: str, run_id: str) -> DeliveryDetail:
    """Ask until the run that the redelivery began is over."""
    with screen(stderr=True).status("Waiting for the delivery to end") as progress:
        while True:
            item = api.json("GET", path("deliveries", identity))
            delivery = understood(DeliveryDetail, item)
            if delivery.run_id == run_id and delivery.outcome not in OPEN:
                return delivery
            progress.update(f"{delivery.outcome}, {delivery.attempts} attempts so far")
            time.sleep(POLL_SECONDS)
