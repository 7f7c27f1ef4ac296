"""The log of events over HTTP: search, and one with its deliveries and its raw original."""

from typing import Annotated

from fastapi import Path, Query

from api.authorization import admin_router
from api.deliveries import Listing
from api.pages import Page
from api.problems import problems
from api.services import TheServices
from portcall.log import EventDetail, EventSummary

router = admin_router("events")

EventId = Annotated[
    str, Path(description="an event's id, or `{source}:{id}` to be exact", max_length=300)
]


@router.get("")
async def list_events(
    services: TheServices, listing: Annotated[Listing, Query()]
) -> Page[EventSummary]:
    """Give events, newest first; by policy, target or status, those with such a delivery."""
    items, following = await services.events.events(
        listing.wanted(), cursor=listing.cursor, limit=listing.limit
    )
    return Page(items=items, next_cursor=following)


@router.get("/{event_id}", responses=problems(404, 409))
async def show_event(services: TheServices, event_id: EventId) -> EventDetail:
    """Give one event whole: normalised, raw, its deliveries, and which policies missed it."""
    return await services.events.event(event_id)
