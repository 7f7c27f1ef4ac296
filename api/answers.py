"""What intake answers: to a sender, and to whoever replays an inbox entry."""

from typing import Literal

from pydantic import BaseModel


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
    """What became of each event; `ignored` counts those that the source's rules drop."""

    events: list[AcceptedEvent] = []
    parked: Parked | None = None
    ignored: int = 0
