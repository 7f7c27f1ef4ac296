"""The options that several commands share, and how their words are read."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from portcall.durations import parse_duration
from portcall.errors import InvalidInputError

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]
Url = Annotated[
    str | None,
    typer.Option("--url", help="Where the API answers; else PORTCALL_URL.", show_default=False),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        help="The admin token; else PORTCALL_ADMIN_TOKEN, else what `portcall up` wrote.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="How many at most.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Wide = Annotated[bool, typer.Option("--wide", help="One line each, nothing folded.")]

OfSource = Annotated[str | None, typer.Option("--source", help="The source's name.")]
OfEventType = Annotated[
    str | None, typer.Option("--event-type", help="The event's type, such as artifact.pushed.")
]
OfRepository = Annotated[
    str | None, typer.Option("--repository", help="The repository; may end in *.")
]
OfTag = Annotated[str | None, typer.Option("--tag", help="One of the event's tags.")]
OfDigest = Annotated[str | None, typer.Option("--digest", help="The digest: sha256:<hex>.")]
OfPolicy = Annotated[str | None, typer.Option("--policy", help="The policy's name.")]
OfTarget = Annotated[str | None, typer.Option("--target", help="The target; may end in *.")]
OfEvent = Annotated[str | None, typer.Option("--event-id", help="The event's id.")]
OfOutcome = Annotated[
    str | None,
    typer.Option("--outcome", help="How it stands, such as delivered, retrying or exhausted."),
]
OfHttpStatus = Annotated[
    int | None, typer.Option("--http-status", help="The last attempt's HTTP status.")
]
Since = Annotated[
    str | None, typer.Option("--since", help="From then on: RFC 3339, or 2h for two hours ago.")
]
Until = Annotated[str | None, typer.Option("--until", help="Before then; written like --since.")]


def moment(value: str | None, now: datetime | None = None) -> str | None:
    """Read RFC 3339 or a duration ago (`2h`); give RFC 3339."""
    if value is None:
        return None
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        try:
            when = (now or datetime.now(UTC)) - parse_duration(value)
        except ValueError:
            raise InvalidInputError(
                f"{value!r} is not a time: write 2026-07-30T12:00:00Z, or 2h for two hours ago."
            ) from None
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")
