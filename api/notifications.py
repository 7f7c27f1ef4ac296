"""Intake: `POST /notifications/{source}` makes a registry's notification durable and says so.

What the answer does to the sender decides it: an answer that is not 2xx blocks the queue of a
distribution registry and loses the event of most others. So a notification that is not
understood is parked and accepted, and events wait in the inbox while Temporal is away.
"""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from api.answers import NotificationAnswer
from api.bodies import read_body
from api.problems import problems
from api.senders import admit, admit_body
from api.services import Services, TheServices
from portcall.errors import UnavailableError
from portcall.own_events import Rejection
from portcall.policies import Source
from portcall.sources.authentication import public_headers
from portcall.sources.kind import Notification

ANSWER_WITHIN = 0.85
"""Seconds of our own, without the sender's for the body: distribution gives up after one."""

ANSWERS: Mapping[str, Any] = {
    "status_code": 202,
    "response_model": NotificationAnswer,
    "responses": {200: {"description": "consent"}, **problems(400, 401, 404, 413, 422, 503)},
}

router = APIRouter(tags=["notifications"])


@router.post("/notifications/{source}", **ANSWERS)
@router.post("/notifications/{source}/{hint}", **ANSWERS)
async def receive(
    request: Request,
    source: str,
    services: TheServices,
    hint: str | None = None,
    *,
    strict: Annotated[bool, Query(description="refuse what is not understood")] = False,
) -> NotificationAnswer | JSONResponse:
    """Accept a registry's notification.

    202 means durable: Temporal has every event, or the inbox does. A repeat is recognised by
    the event's own identity and accepted too. `hint` names the event where the body does not.
    200 answers a sender that asks, before it sends, whether it may.
    """
    with services.metrics.answer_seconds.time():
        began = time.monotonic()
        configured = await services.sources.get(source)
        with services.rejections.of(source):
            answer = await _received(request, configured, hint, services, began, strict=strict)
    services.silence.heard(source)
    if answer.parked:
        parked = answer.parked
        services.rejections.note(source, Rejection.NOT_UNDERSTOOD, parked.reason, parked.id)
    services.metrics.count(source, answer)
    return answer if answer.reply is None else JSONResponse(dict(answer.reply))


async def _received(
    request: Request,
    configured: Source,
    hint: str | None,
    services: Services,
    began: float,
    *,
    strict: bool,
) -> NotificationAnswer:
    """Admit the sender, read the body and make it durable, within the time that is left."""
    kind, headers = services.kinds[configured.kind], dict(request.headers)
    await admit(configured, headers, request.query_params, services.tokens)
    left = ANSWER_WITHIN - (time.monotonic() - began)
    body = await read_body(request, kind.body_limit)
    admit_body(configured, headers, body, kind.signature)
    notification = Notification(
        source=configured.name,
        body=body,
        headers=public_headers(headers, configured.auth, kind.signature),
        hint=hint,
        mapping=configured.mapping,
        received_at=datetime.now(UTC),
    )
    try:
        async with asyncio.timeout(left):
            return await services.intake.receive(
                configured, notification, strict=strict or configured.strict
            )
    except TimeoutError as error:
        raise UnavailableError("Neither Temporal nor the database answers in time.") from error
