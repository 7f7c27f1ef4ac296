"""Lost updates: entity tags, `If-Match` and `If-None-Match` (RFC 9110, section 13.1)."""

from typing import Annotated, Any

from fastapi import Header

from portcall.errors import PreconditionError
from portcall.ports import Stored

IfMatch = Annotated[
    str | None, Header(description="the ETag that was read; 412 where it is another by now")
]
IfNoneMatch = Annotated[str | None, Header(description="`*`: 412 where there is one already")]
ETAG = {"headers": {"ETag": {"schema": {"type": "string"}, "description": "the version, quoted"}}}


def etag(stored: Stored[Any]) -> str:
    """Give the entity tag of a version (RFC 9110, section 8.8.3)."""
    return f'"{stored.version}"'


def wanted_version(
    stored: Stored[Any] | None, if_match: str | None, if_none_match: str | None = None
) -> int | None:
    """Give the version that a change depends on, 0 for none there, None for whichever.

    Raise PreconditionError where it is another already.
    """
    here = {"*", etag(stored)} if stored else set()
    if if_match is not None and not here & _tags(if_match):
        raise PreconditionError("If-Match names another version than the stored one.")
    if if_none_match is not None and here & _tags(if_none_match):
        raise PreconditionError("If-None-Match names the stored version.")
    if if_match is None and if_none_match is None:
        return None
    return stored.version if stored else 0


def _tags(header: str) -> set[str]:
    return {tag.strip() for tag in header.split(",")}
