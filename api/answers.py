"""What intake answers: to a sender, and to whoever replays an inbox entry."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field


class AcceptedEvent(BaseModel):
    """One event that is safe: its workflow has `started`, or it is `waiting` in the inbox."""

    id: str
    duplicate: bool
    state: Literal["started", "waiting"]


class Parked(BaseModel):
    """What was not understood: kept at `/api/v1/inbox/{id}`, to be replayed."""

    id: str
    reason: str


class NotificationAnswer(BaseModel):
    """What became of each event; `ignored` counts those that the source's rules drop.

    `reply` is what a sender that asks for consent gets instead of all this.
    """

    events: list[AcceptedEvent] = []
    parked: Parked | None = None
    ignored: int = 0
    reply: Mapping[str, Any] | None = Field(default=None, exclude=True)
