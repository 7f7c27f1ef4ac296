"""`/api/v1/inbox`: what waits for Temporal, and what could not be understood."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict

from api.answers import NotificationAnswer
from api.authorization import admin_router
from api.pages import LIMIT, Limit, Page
from api.problems import problems
from api.services import TheServices
from portcall.events import text_or_base64

router = admin_router("inbox")

LARGEST_ID = 2**63 - 1
EntryId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


class EntrySummary(BaseModel):
    """An entry. A parked one says why; the same notification again raises its `count`."""

    model_config = ConfigDict(from_attributes=True, coerce_numbers_to_str=True)

    id: str
    source: str
    state: str
    reason: str
    received_at: datetime
    last_seen_at: datetime | None
    count: int
    size: int
    hint: str | None


class EntryDetail(EntrySummary):
    """An entry with the request's raw body (parked) or the ids of its events (waiting)."""

    headers: dict[str, str]
    body: str
    body_encoding: Literal["utf-8", "base64"]
    events: list[str]


@router.get("", operation_id="list_inbox")
async def list_inbox(
    services: TheServices,
    state: Literal["waiting", "parked"] | None = None,
    limit: Limit = LIMIT,
    cursor: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
) -> Page[EntrySummary]:
    """List the inbox, newest first."""
    found = await services.inbox.list(state=state, before=cursor, limit=limit + 1)
    return Page(
        items=[EntrySummary.model_validate(entry) for entry in found[:limit]],
        next_cursor=str(found[limit - 1].id) if len(found) > limit else None,
    )


@router.get("/{entry_id}", operation_id="get_inbox_entry", responses=problems(404))
async def get_entry(services: TheServices, entry_id: EntryId) -> EntryDetail:
    """Give one entry with its headers (no credentials) and its raw body."""
    entry = await services.inbox.get(entry_id)
    body, encoding = text_or_base64(entry.body)
    return EntryDetail(
        **dict(EntrySummary.model_validate(entry)),
        headers=dict(entry.headers),
        body=body,
        body_encoding=encoding,
        events=[event.id for event in entry.events],
    )


@router.post("/{entry_id}/replay", operation_id="replay_inbox_entry", responses=problems(404))
async def replay(services: TheServices, entry_id: EntryId) -> NotificationAnswer:
    """Take an entry through intake again.

    It goes once every event in it has started, or waits for Temporal as an entry of its own.
    Where it is still not understood it stays, and the answer says why.
    """
    entry = await services.inbox.get(entry_id)
    answer = await services.intake.replay(entry)
    await services.inbox.remove(entry_id)
    return answer


@router.delete(
    "/{entry_id}", operation_id="delete_inbox_entry", status_code=204, responses=problems(404)
)
async def delete_entry(services: TheServices, entry_id: EntryId) -> None:
    """Forget an entry for good."""
    entry = await services.inbox.get(entry_id)
    await services.inbox.remove(entry.id)
