"""The command `list` of both logs: the same filters, one page after the other, newest first."""

from collections.abc import Callable, Sequence

import typer

from portcall.cli.client import ModelT, connect, understood
from portcall.cli.options import (
    Json,
    Limit,
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
    Wide,
    moment,
)
from portcall.cli.tables import print_json, print_more


def add_list(
    app: typer.Typer, log: str, model: type[ModelT], show: Callable[[Sequence[ModelT], bool], None]
) -> None:
    """Give an app the command that searches a log."""

    @app.command("list", help=f"Search the {log}, newest first.")
    def list_(
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
        limit: Limit = 50,
        wide: Wide = False,
        as_json: Json = False,
        url: Url = None,
        token: Token = None,
    ) -> None:
        wanted = {
            "source": source, "event_type": event_type, "event_id": event_id,
            "repository": repository, "tag": tag, "digest": digest, "policy": policy,
            "target": target, "outcome": outcome, "http_status": http_status,
            "since": moment(since), "until": moment(until),
        }  # fmt: skip
        with connect(url, token) as api:
            items, more = api.items(log, limit, wanted)
        if as_json:
            print_json(items)
        else:
            show([understood(model, item) for item in items], wide)
        print_more(more)
