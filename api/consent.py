"""Answers a sender that asks by OPTIONS whether it may send (CloudEvents' webhook specification).

Whoever knows a source's URL gets the consent: it is the credential that lets a sender in.
"""

from typing import Annotated

from fastapi import APIRouter, Header, Response
from starlette.exceptions import HTTPException

from api.problems import problems
from api.services import TheServices

_ALLOW = {"Allow": "POST"}

router = APIRouter(tags=["notifications"])


@router.options("/notifications/{source}", responses=problems(404, 405, 503))
@router.options("/notifications/{source}/{hint}", responses=problems(404, 405, 503))
async def consent(
    source: str,
    services: TheServices,
    hint: str | None = None,  # noqa: ARG001 - as the sender's URL has it
    webhook_request_origin: Annotated[str | None, Header()] = None,
) -> Response:
    """Give consent to any origin and rate; 405 where nobody asks for it."""
    await services.sources.get(source)
    if webhook_request_origin is None:
        raise HTTPException(405, "Send notifications by POST.", _ALLOW)
    return Response(headers=_ALLOW | {"WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "*"})
