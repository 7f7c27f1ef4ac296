"""The log of deliveries over HTTP: search, one with all attempts, and what can be done to it."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel

from api.authorization import admin_router
from api.pages import LIMIT, Limit, Page
from api.problems import problems
from api.services import TheServices
from portcall.log import DeliveryDetail, DeliverySummary, Filter

router = admin_router("deliveries")

DeliveryId = Annotated[
    str, Path(description="`delivery:{source}:{event id}:{policy}:{target}`", max_length=300)
]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of a page")]


class Listing(Filter):
    """The filters of both lists, with the page that is wanted."""

    limit: Limit = LIMIT
    cursor: Cursor = None

    def wanted(self) -> Filter:
        """Give the filter alone."""
        return Filter.model_validate(self.model_dump(exclude={"limit", "cursor"}))


class Redelivery(BaseModel):
    """Why it is sent again, for the Web UI."""

    reason: Annotated[str, Query(max_length=500)] = "redelivered through the API"


@router.get("")
async def list_deliveries(
    services: TheServices, listing: Annotated[Listing, Query()]
) -> Page[DeliverySummary]:
    """Give deliveries, newest first; each once, as its newest run stands."""
    items, following = await services.deliveries.deliveries(
        listing.wanted(), cursor=listing.cursor, limit=listing.limit
    )
    return Page(items=items, next_cursor=following)


@router.get("/{delivery_id}", responses=problems(404))
async def show_delivery(services: TheServices, delivery_id: DeliveryId) -> DeliveryDetail:
    """Give one delivery with the request and response of every attempt over all its runs."""
    return await services.deliveries.delivery(delivery_id)


@router.post("/{delivery_id}/redeliver", status_code=202, responses=problems(404, 409))
async def redeliver(
    services: TheServices, delivery_id: DeliveryId, body: Redelivery | None = None
) -> DeliverySummary:
    """Send a delivery that has ended again: the same webhook id, fresh attempts (a reset)."""
    reason = (body or Redelivery()).reason
    return await services.deliveries.redeliver(delivery_id, reason=reason)


@router.post("/{delivery_id}/retry-now", status_code=202, responses=problems(404, 409))
async def retry_now(services: TheServices, delivery_id: DeliveryId) -> None:
    """Make the next attempt at once instead of waiting for it."""
    await services.deliveries.retry_now(delivery_id)


@router.post("/{delivery_id}/cancel", status_code=202, responses=problems(404, 409))
async def cancel(services: TheServices, delivery_id: DeliveryId) -> None:
    """End a delivery that is under way; an attempt in flight is still recorded."""
    await services.deliveries.cancel(delivery_id)
