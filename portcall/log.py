"""What the log answers: events and deliveries as summaries in lists, whole on their page."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from portcall.attempts import AttemptRecord, EventOutcome, Outcome
from portcall.events import RegistryEvent, Value


class DeliverySummary(Value):
    """One delivery, as its newest run stands. `id` is its workflow id."""

    id: str
    event_id: str
    event_type: str = ""
    source: str = ""
    repository: str | None = None
    tags: tuple[str, ...] = ()
    digest: str | None = None
    policy: str = ""
    target: str = ""
    outcome: Outcome
    attempts: int = 0
    http_status: int | None = None
    started_at: datetime
    closed_at: datetime | None = None
    next_attempt_at: datetime | None = None
    run_id: str = ""
    temporal_url: str | None = None


class DeliveryDetail(DeliverySummary):
    """A delivery with every attempt over all its runs, oldest first.

    `reason` says why it ended, or why it is held, queued or waits for its turn, which it is from
    `held_since` or `queued_since` on.
    """

    reason: str | None = None
    held_since: datetime | None = None
    queued_since: datetime | None = None
    runs: tuple[str, ...] = ()
    attempt_records: tuple[AttemptRecord, ...] = ()


class EventSummary(Value):
    """One event.

    `deliveries` is the number of policy and target pairs that matched. In a list those of policies
    that gather are not among them: `groups` is the number of groups that it was given to.
    """

    id: str
    type: str
    source: str
    project: str | None = None
    repository: str | None = None
    tags: tuple[str, ...] = ()
    digest: str | None = None
    actor: str | None = None
    occurred_at: datetime | None = None
    received_at: datetime
    outcome: EventOutcome | None = None
    deliveries: int | None = None
    groups: int = 0
    run_id: str = ""
    temporal_url: str | None = None


class GroupSummary(Value):
    """What became of an event for a policy that gathers. `id` is the gathering workflow's.

    `gathering`: `until` then, or until the group is full. `sent`: it is in `delivery_list`, or an
    identical event in its place. `gone`: it was ended by hand, or the retention of its log is over.
    """

    policy: str
    id: str
    run_id: str = ""
    state: Literal["gathering", "sent", "gone"]
    until: datetime | None = None
    delivery_list: tuple[DeliverySummary, ...] = ()
    temporal_url: str | None = None


class EventDetail(EventSummary):
    """An event with its deliveries, the normalised whole with the raw original, and who missed."""

    event: RegistryEvent
    delivery_list: tuple[DeliverySummary, ...] = ()
    group_list: tuple[GroupSummary, ...] = ()
    misses: tuple[dict[str, Any], ...] = ()
    more_misses: int = 0
    ruled_out: dict[str, int] = {}


Text = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")]

TagText = Annotated[str, Field(min_length=1, max_length=500, pattern=r'^[^\x00-\x1f\x7f"]+$')]
"""No quotation mark: no tag has one, and Temporal's search in SQLite breaks on it."""


def _in_utc(when: datetime) -> datetime:
    try:
        return when.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999 in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class Filter(BaseModel):
    """What both lists are searched by. `repository` and `target` may end in `*`.

    Times are aware and compare with when the event was received, or the delivery started;
    `since` is inclusive, `until` exclusive.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Text | None = None
    event_type: Text | None = None
    event_id: Text | None = None
    repository: Text | None = None
    tag: TagText | None = None
    digest: Text | None = None
    policy: Text | None = None
    target: Text | None = None
    outcome: Literal[
        "delivering", "retrying", "held", "queued", "waiting", "delivered", "exhausted",
        "rejected", "blocked", "cancelled", "matched", "unmatched",
    ] | None = None  # fmt: skip
    http_status: Annotated[int, Field(ge=100, le=599)] | None = None
    since: Moment | None = None
    until: Moment | None = None
