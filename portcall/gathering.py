"""What a policy says of several events together: one message for a group, or one after another."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from portcall.durations import Duration
from portcall.spec import Spec

GroupField = Literal["source", "project", "repository", "event_type", "digest", "actor"]


class Group(Spec):
    """Gather events that agree in `by` into one message: for `window`, at most `max` of them."""

    by: Annotated[list[GroupField], Field(max_length=6)] = ["repository"]
    window: Annotated[Duration, Field(ge=timedelta(milliseconds=100), le=timedelta(days=1))] = (
        timedelta(seconds=30)
    )
    max: Annotated[int, Field(ge=2, le=100)] = 50
