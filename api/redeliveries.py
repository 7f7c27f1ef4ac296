"""`/api/v1/redeliveries`: send again all that failed, by the filters of the list."""

from typing import Annotated

from fastapi import Path, Response
from pydantic import ConfigDict, Field, StringConstraints

from api.authorization import admin_router
from api.problems import invalid, problems
from api.services import TheServices
from portcall.redeliveries import FailedCount, FailedFilter, Redelivery

router = admin_router("redeliveries")

RedeliveryId = Annotated[
    str,
    Path(description="as it was answered"),
    StringConstraints(pattern="^[0-9a-f]{32}$"),
]


class RedeliveryRequest(FailedFilter):
    """Which failed deliveries; one filter at least.

    Absent `outcome`: all that were given up (`exhausted`, `rejected`, `blocked`). With `dry_run`
    they are only counted. `reason` stands in the Web UI.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"target": "ci", "since": "2026-11-24T16:00:00Z"}]}
    )

    dry_run: bool = False
    reason: Annotated[str, Field(max_length=500)] = "redelivered through the API"

    def wanted(self) -> FailedFilter:
        """Give the filter alone."""
        return FailedFilter.model_validate(self.model_dump(exclude={"dry_run", "reason"}))


@router.post(
    "",
    status_code=202,
    response_model=Redelivery,
    responses={200: {"model": FailedCount, "description": "how many there are (`dry_run`)"}},
)
async def redeliver_failed(
    services: TheServices, request: RedeliveryRequest, response: Response
) -> Redelivery | Response:
    """Send again what failed: each delivery once, oldest first, 20 a second at most.

    A delivery that is under way, was delivered, or is sent again by somebody else meanwhile is
    passed over, and so are test events. The same request while it is being worked on gives the
    redelivery that there is. A dry run's count is exact up to 2,000 runs; `exact` says so.
    """
    wanted = request.wanted()
    if not wanted.named():
        message = "give one filter at least, such as target or since"
        raise invalid([{"field": "", "message": message}])
    if request.dry_run:
        found = await services.failed.count(wanted)
        return Response(found.model_dump_json(), 200, media_type="application/json")
    started = await services.redeliveries.start(wanted, request.reason)
    response.headers["Location"] = f"{router.prefix}/{started.id}"
    return started


@router.get("/{redelivery_id}", responses=problems(404))
async def show_redelivery(services: TheServices, redelivery_id: RedeliveryId) -> Redelivery:
    """Say how far a redelivery has come, or how it ended."""
    return await services.redeliveries.redelivery(redelivery_id)


@router.post("/{redelivery_id}/cancel", status_code=202, responses=problems(404, 409))
async def cancel_redelivery(services: TheServices, redelivery_id: RedeliveryId) -> None:
    """End a redelivery; what it has sent again by then goes on."""
    await services.redeliveries.cancel(redelivery_id)
