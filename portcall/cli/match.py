"""The command `match`: which policies would match an event, and why the others would not."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from portcall.cli.client import connect, understood
from portcall.cli.files import read_text
from portcall.cli.misses import print_misses
from portcall.cli.options import Json, Token, Url
from portcall.cli.tables import print_json, print_table
from portcall.errors import InvalidInputError
from portcall.matching import MatchResult

_MISSES_SHOWN = 20
"""The nearest ones; `--json` has more."""


def match(
    *,
    event_id: Annotated[
        str | None, typer.Option("--event", help="The id of an event in the log, whole.")
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", help="An event as JSON, - for stdin; options change its fields."),
    ] = None,
    event_type: Annotated[
        str | None,
        typer.Option("--type", help="The event's type; artifact.pushed where nothing says."),
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="The source that sent it.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="That source's kind.")] = None,
    project: Annotated[str | None, typer.Option("--project", help="The project.")] = None,
    repository: Annotated[
        str | None, typer.Option("--repository", help="The repository, without the host.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", help="A tag; may be given repeatedly.")
    ] = None,
    digest: Annotated[str | None, typer.Option("--digest", help="sha256:<hex>.")] = None,
    platform: Annotated[
        list[str] | None,
        typer.Option("--platform", help="Such as linux/amd64; may be given repeatedly."),
    ] = None,
    media_type: Annotated[
        str | None, typer.Option("--media-type", help="The manifest's media type.")
    ] = None,
    actor: Annotated[str | None, typer.Option("--actor", help="Who did it.")] = None,
    as_json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Try an event against the policies; nothing is sent. Exit code 1 if none matches."""
    given = {
        "type": event_type,
        "source": source,
        "kind": kind,
        "project": project,
        "repository": repository,
        "tags": tag,
        "digest": digest,
        "platforms": platform,
        "media_type": media_type,
        "actor": actor,
    }
    described = {name: value for name, value in given.items() if value is not None}
    with connect(url, token) as api:
        answer = api.json("POST", "policies/match", json=question(event_id, file, described))
    result = understood(MatchResult, answer)
    if as_json:
        print_json(answer)
    else:
        _print(result)
    if not result.matches:
        raise typer.Exit(1)


def question(
    event_id: str | None, file: str | None, described: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Say of which event is asked: one of the log, one of a file, or one in a few words."""
    if event_id is None:
        read = _event_in(file) if file is not None else {"type": "artifact.pushed"}
        return {"event": {**read, **described}}
    if file is not None or described:
        raise InvalidInputError("--event is a whole event: give nothing beside it.")
    return {"event_id": event_id}


def _event_in(file: str) -> Mapping[str, Any]:
    """Read an event, which may be the member `event` as in `portcall events show --json`."""
    try:
        read = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{file} is not JSON: {error}.") from None
    event = read.get("event", read) if isinstance(read, dict) else read
    if not isinstance(event, dict):
        raise InvalidInputError(f"{file} is not an event: write an object with at least type.")
    return event


def _print(result: MatchResult) -> None:
    if result.matches:
        rows = [[match.policy, match.target, match.format] for match in result.matches]
        print_table(("MATCHES", "TARGET", "FORMAT"), rows)
    else:
        print("No policy matches.")
    if result.misses or result.ruled_out:
        print()
        misses = [miss.model_dump() for miss in result.misses[:_MISSES_SHOWN]]
        more = len(result.misses) - len(misses) + result.more_misses
        print_misses(misses, more, result.ruled_out)
