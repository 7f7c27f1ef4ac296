"""A block of conditions on an event: what a policy matches, and what it excludes.

`TEXT_FIELDS` says where each textual condition looks; the index and the explanation read
the same table.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from pydantic import Field

from portcall.conditions.text import TextCondition
from portcall.events import RegistryEvent
from portcall.spec import EventTypePattern, Name, Spec

Values = tuple[str, ...]


def _one(value: str | None) -> Values:
    return (value,) if value else ()


TEXT_FIELDS: Mapping[str, Callable[[RegistryEvent], Values]] = {
    "project": lambda event: _one(event.project),
    "repository": lambda event: _one(event.repository),
    "tag": lambda event: event.tags,
    "digest": lambda event: _one(event.digest),
    "registry": lambda event: _one(event.registry),
    "media_type": lambda event: _one(event.media_type),
    "artifact_type": lambda event: _one(event.artifact_type),
    "platform": lambda event: event.platforms,
    "actor": lambda event: _one(event.actor),
    "visibility": lambda event: _one(event.visibility),
}
"""Each field of `Conditions` that is a condition on text, and its values in an event."""


class Conditions(Spec):
    """All conditions given must hold; one that is absent holds for every event."""

    event_types: Annotated[list[EventTypePattern], Field(min_length=1, max_length=100)] | None = (
        None
    )
    sources: Annotated[list[Name], Field(min_length=1, max_length=100)] | None = None
    project: TextCondition | None = None
    repository: TextCondition | None = None
    tag: TextCondition | None = None
    digest: TextCondition | None = None
    registry: TextCondition | None = None
    media_type: TextCondition | None = None
    artifact_type: TextCondition | None = None
    platform: TextCondition | None = None
    actor: TextCondition | None = None
    visibility: TextCondition | None = None


Verification = Literal["verified", "unverified", "unchecked"]


class Match(Conditions):
    """What a policy wants.

    `tagged` is by default true for pushes, so that the images of an index and untagged pushes
    stay quiet, and of no matter for other types. `verification` is what may have come of
    asking the registry about the event's claim.
    """

    tagged: bool | None = None
    verification: Annotated[list[Verification], Field(min_length=1)] = ["verified", "unchecked"]
