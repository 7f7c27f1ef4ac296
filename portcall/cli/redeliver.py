"""The command `deliveries redeliver`: one delivery again, or all that failed."""

import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console

from portcall.attempts import Outcome
from portcall.cli.client import ApiClient, connect, path, understood
from portcall.cli.options import (
    Json,
    OfDigest,
    OfEvent,
    OfEventType,
    OfHttpStatus,
    OfOutcome,
    OfPolicy,
    OfRepository,
    OfSource,
    OfTag,
    OfTarget,
    Since,
    Token,
    Until,
    Url,
    Yes,
    moment,
)
from portcall.cli.pages import print_verdict
from portcall.cli.progress import shown_progress
from portcall.cli.tables import print_json, printable, screen
from portcall.errors import InvalidInputError
from portcall.log import DeliveryDetail, DeliverySummary
from portcall.redeliveries import FailedCount, Redelivery, RedeliveryState

OPEN = (Outcome.DELIVERING, Outcome.RETRYING, Outcome.QUEUED, Outcome.WAITING)
POLL_SECONDS = 0.5


def redeliver(
    identity: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="As `deliveries list` shows it.", show_default=False),
    ] = None,
    *,
    source: OfSource = None,
    event_type: OfEventType = None,
    event_id: OfEvent = None,
    repository: OfRepository = None,
    tag: OfTag = None,
    digest: OfDigest = None,
    policy: OfPolicy = None,
    target: OfTarget = None,
    outcome: OfOutcome = None,
    http_status: OfHttpStatus = None,
    since: Since = None,
    until: Until = None,
    failed_since: Annotated[
        str | None,
        typer.Option("--failed-since", help="That ended from then on; written like --since."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many there are; send nothing.")
    ] = False,
    yes: Yes = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Of one: until it has ended; exit code 1 if it failed.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why, for the Web UI.", show_default=False)
    ] = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Send one delivery again, or all that failed and fit the options, oldest first.

    Each goes from its first attempt, with its target as it is now. Without --outcome all that
    were given up are meant. Exit code 1 if one could not be sent again.
    """
    wanted = {
        "source": source, "event_type": event_type, "event_id": event_id,
        "repository": repository, "tag": tag, "digest": digest, "policy": policy,
        "target": target, "outcome": outcome, "http_status": http_status,
        "since": moment(since), "until": moment(until), "failed_since": moment(failed_since),
    }  # fmt: skip
    wanted = {name: value for name, value in wanted.items() if value is not None}
    why = {"reason": reason} if reason else {}
    if (identity is None) is not bool(wanted) or (wanted and wait) or (identity and dry_run):
        raise InvalidInputError(
            "Give either the ID of one delivery, perhaps with --wait, "
            "or which to send again, such as --target ci --since 2h, perhaps with --dry-run."
        )
    with connect(url, token) as api:
        if identity is not None:
            _one(api, identity, why, wait=wait, as_json=as_json)
        elif dry_run:
            _count(api, wanted, as_json=as_json)
        else:
            _many(api, wanted, why, yes=yes, as_json=as_json)


def _one(
    api: ApiClient, identity: str, why: Mapping[str, str], *, wait: bool, as_json: bool
) -> None:
    answer = api.json("POST", path("deliveries", identity, "redeliver"), json=why or None)
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


def _counted(api: ApiClient, wanted: Mapping[str, Any]) -> FailedCount:
    answer = api.json("POST", "redeliveries", json={**wanted, "dry_run": True})
    return understood(FailedCount, answer)


def _count(api: ApiClient, wanted: Mapping[str, Any], *, as_json: bool) -> None:
    found = _counted(api, wanted)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        print(f"{_as_words(found)} would be sent again.")


def _as_words(found: FailedCount) -> str:
    many = "delivery" if found.count == 1 else "deliveries"
    return f"{'' if found.exact else 'At most '}{found.count} {many}"


def _many(
    api: ApiClient,
    wanted: Mapping[str, Any],
    why: Mapping[str, str],
    *,
    yes: bool,
    as_json: bool,
) -> None:
    if not yes and sys.stdin.isatty():
        found = _counted(api, wanted)
        typer.confirm(f"Send {_as_words(found).lower()} again?", abort=True)
    answer = api.json("POST", "redeliveries", json={**wanted, **why})
    ended = _followed(api, understood(Redelivery, answer))
    if as_json:
        print_json(ended.model_dump(mode="json"))
    else:
        state = "" if ended.state is RedeliveryState.DONE else f" ({ended.state})"
        said = "Nothing that failed fits" if ended.total == 0 else ended.sentence(ended.total or 0)
        print(f"{said}{state}")
        if ended.problem:
            print(printable(ended.problem), file=sys.stderr)
    if ended.failed or ended.state is not RedeliveryState.DONE:
        raise typer.Exit(1)


def _followed(api: ApiClient, begun: Redelivery) -> Redelivery:
    """Ask until it is over; it goes on by itself where we are interrupted."""
    place, now = path("redeliveries", begun.id), begun
    try:
        with shown_progress() as show:
            while now.state is RedeliveryState.RUNNING:
                show(_bar(now))
                time.sleep(POLL_SECONDS)
                now = understood(Redelivery, api.json("GET", place))
    except KeyboardInterrupt:
        Console(stderr=True).print(
            f"It goes on: GET /api/v1/{place} tells how far, POST /api/v1/{place}/cancel ends it.",
            soft_wrap=True,
        )
        raise
    return now


def _bar(now: Redelivery, width: int = 30) -> str:
    if now.total is None:
        return "counting what failed"
    done = round(width * min(1.0, now.done / max(1, now.total)))
    return f"{'█' * done}{'░' * (width - done)} {now.sentence(now.total)}"
