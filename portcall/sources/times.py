"""Reads times that merely describe: one that is absent or cannot be read is None."""

from datetime import UTC, datetime

from portcall.errors import NotificationError
from portcall.sources.fields import Part

_NEVER = datetime.min.replace(tzinfo=UTC)


def described_time(part: Part, name: str) -> datetime | None:
    """Read a time as `Part.moment` does."""
    try:
        moment = part.moment(name, _NEVER)
    except NotificationError:
        return None
    return None if moment == _NEVER else moment
