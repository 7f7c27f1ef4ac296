"""Alive, ready, and figures: `/healthz`, `/readyz`, `/metrics`, all without a token."""

import asyncio
import math
from typing import Any, Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from api.services import TheServices
from portcall.errors import PortcallError, UnavailableError

router = APIRouter(tags=["health"])
PATIENCE = 3.0


class Readiness(BaseModel):
    """`ready` while Temporal or the inbox can take notifications; `parts` says what answers."""

    ready: bool
    parts: dict[str, str]


@router.get("/healthz")
async def healthz() -> dict[Literal["status"], Literal["ok"]]:
    """Say that the process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": Readiness}})
async def readyz(services: TheServices, response: Response) -> Readiness:
    """Say whether the database and Temporal answer; 503 where neither does.

    One of them is enough to make a notification durable, so that a load balancer that asks
    here goes on sending while the other is away.
    """
    database, temporal = await asyncio.gather(
        _state(services.store.ping()), _state(services.deliveries.ping())
    )
    ready = "ok" in (database, temporal)
    response.status_code = 200 if ready else 503
    return Readiness(ready=ready, parts={"database": database, "temporal": temporal})


async def _state(ping: Any) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            await ping
    except PortcallError as error:
        return error.message
    except TimeoutError:
        return "does not answer"
    return "ok"


@router.get("/metrics", response_class=Response)
async def metrics(services: TheServices) -> Response:
    """Give the figures in Prometheus's text format."""
    try:
        async with asyncio.timeout(PATIENCE):
            counts = await services.inbox.counts()
    except (UnavailableError, TimeoutError):
        counts = {}  # unknown is not empty: an alert must not clear for it
    for state in ("waiting", "parked"):
        services.metrics.inbox.labels(state).set(counts.get(state, math.nan))
    return Response(generate_latest(services.metrics.registry), media_type=CONTENT_TYPE_LATEST)
