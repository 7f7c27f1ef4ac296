"""The commands `targets health`, `enable` and `ping`: how receivers are doing, and trying them."""

import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from portcall.attempts import Outcome
from portcall.cli.client import ApiClient, connect, path, understood
from portcall.cli.exchanges import print_facts
from portcall.cli.options import Json, Name, Token, Url, Wide
from portcall.cli.pages import print_delivery
from portcall.cli.tables import coloured, print_json, print_table, printable, screen
from portcall.log import DeliveryDetail

POLL_SECONDS = 0.5
IN_ONE_CALL = "20s"
"""How long the API waits for a test event; a request of ours lasts half a minute at most."""


def health(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", show_default=False)] = None,
    *,
    wide: Wide = False,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Say how all targets are doing, or one with its figures and what waits for it."""
    with connect(url, token) as api:
        if name is None:
            items, _ = api.items("target-health", sys.maxsize)
        else:
            item = api.json("GET", path("targets", name, "health"))
    if name is None:
        print_json(items) if as_json else _print_all(items, wide=wide)
    elif as_json:
        print_json(item)
    else:
        print_health(item)


def enable(name: Name, as_json: Json = False, url: Url = None, token: Token = None) -> None:
    """Begin anew with one target, whoever disabled it; what is held or queued goes on."""
    with connect(url, token) as api:
        answer = api.json("POST", path("targets", name, "enable"))
    if as_json:
        print_json(answer)
        return
    how = {"disabled": "is enabled now", "healthy": "is enabled already"}
    print(f"target {printable(name)} {how.get(answer['was'], 'begins anew')}.")
    again = answer["redeliver"]
    if again:
        count = "what" if answer["failed"] is None else f"{answer['failed']} deliveries that"
        since = again["failed_since"]
        print(f"To send again {count} failed since {since}:")
        print(f"  portcall deliveries redeliver --target {name} --failed-since {since}")


def ping(
    name: Name,
    *,
    format_: Annotated[
        str, typer.Option("--format", help="How the test event is written.")
    ] = "default",
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Send a test event to one target and show the exchange; exit code 1 if it did not arrive."""
    with connect(url, token) as api:
        question = {"format": format_, "wait": IN_ONE_CALL}
        begun = api.json("POST", path("targets", name, "ping"), json=question)
        item = _ended(api, begun["id"])
    delivery = understood(DeliveryDetail, item)
    if as_json:
        print_json(item)
    else:
        print_delivery(delivery)
    if delivery.outcome is not Outcome.DELIVERED:
        raise typer.Exit(1)


def states(api: ApiClient) -> Mapping[str, str]:
    """Give where each target stands that is not healthy and that no user has disabled."""
    items, _ = api.items("target-health", sys.maxsize)
    unwell = (i for i in items if i["state"] != "healthy" and i["disabled_by"] != "user")
    return {item["name"]: item["state"] for item in unwell}


def _ended(api: ApiClient, identity: str) -> Any:
    """Ask until the delivery is over: a slow receiver may take longer than one call."""
    with screen(stderr=True).status("Waiting for the answer"):
        while True:
            item = api.json("GET", path("deliveries", identity))
            if item["outcome"] != Outcome.DELIVERING:
                return item
            time.sleep(POLL_SECONDS)


def _print_all(items: list[dict[str, Any]], *, wide: bool) -> None:
    rows = [
        [
            item["name"],
            coloured(item["state"]),
            _when(item["since"]),
            str(item["failures"]),
            item["reason"] or "",
        ]
        for item in items
    ]
    print_table(("NAME", "STATE", "SINCE", "FAILURES", "REASON"), rows, wide=wide)


def print_health(item: Mapping[str, Any]) -> None:
    """Print one target: where it stands and why, then the figures, then what waits."""
    line = coloured(item["state"])
    by, reason = _by(item["disabled_by"]), item["reason"]
    why = (f" {by}" if by else "") + (f": {reason}" if reason else "")
    screen().print(line.append(printable(why), style="default"), soft_wrap=True)
    backlog = item["backlog"]
    waiting = [f"{count} {state}" for state, count in (backlog or {}).items() if count]
    print_facts(
        {
            "Since": _when(item["since"]),
            "Failures in a row": str(item["failures"] or ""),
            "Paused until": _when(item["paused_until"]),
            "Last delivered": _when(item["last_success_at"]),
            "Last failed": _when(item["last_failure_at"]),
            "Last error": item["last_error"],
            "Last hour": _figures(item["last_hour"]),
            "Last day": _figures(item["last_day"]),
            "Waiting": ", ".join(waiting)
            or ("nothing" if backlog else "not known while Temporal is away"),
        }
    )
    if item["state"] == "disabled":
        print("\nWhat you can do")
        print(f"  portcall targets enable {item['name']}")


def _by(who: str | None) -> str:
    return f"by {'Portcall' if who == 'portcall' else 'a user'}" if who else ""


def _figures(share: Mapping[str, Any]) -> str:
    if not share["attempts"]:
        return "no attempts"
    count = share["attempts"]
    said = f"{count} attempt{'' if count == 1 else 's'}, {share['success_share']:.1%} delivered"
    if share["p50_ms"] is None:
        return said
    times = " / ".join(f"{share[f'p{p}_ms']:.0f}" for p in (50, 90, 99))
    return f"{said}; answered in {times} ms (p50 / p90 / p99)"


def _when(moment: str | None) -> str:
    return f"{moment[:19]}Z" if moment else ""
