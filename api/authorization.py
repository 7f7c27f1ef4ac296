"""Who may manage Portcall: the bearer of the admin token, in time that tells nothing.

The token and the size of the body are checked before anything of the body is read.
"""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from api.problems import problems
from api.services import the_services
from portcall.errors import AuthenticationError, ForbiddenError

BODY_LIMIT = 1024 * 1024

bearer = HTTPBearer(auto_error=False, scheme_name="admin token", description="PORTCALL_ADMIN_TOKEN")


def admin_router(noun: str) -> APIRouter:
    """Give a router for `/api/v1/{noun}` that only the bearer of the admin token may use."""
    return APIRouter(
        prefix=f"/api/v1/{noun}",
        tags=[noun],
        route_class=AdminRoute,
        dependencies=[Security(bearer)],
        responses=problems(400, 401, 403, 413, 422, 503),
    )


class AdminRoute(APIRoute):
    """A route that looks at the token first; FastAPI would read the body before any dependency."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            await authorize(request)
            response: Response = await handle(Request(request.scope, _bounded(request.receive)))
            return response

        return guarded


async def authorize(request: Request) -> None:
    """Raise ForbiddenError where there is no admin token, AuthenticationError at a wrong one."""
    token = the_services(request).admin_token
    if not token:
        raise ForbiddenError("Management is switched off: set PORTCALL_ADMIN_TOKEN.")
    given = await bearer(request)
    # ASGI frameworks decode headers as Latin-1; this gives the bytes back as they came.
    sent = given.credentials.encode("latin-1", "replace") if given else b""
    if not hmac.compare_digest(sent, token.get_secret_value().encode()):
        raise AuthenticationError("The admin token is missing or wrong.")


def _bounded(receive: Receive) -> Callable[[], Awaitable[Message]]:
    size = 0

    async def receive_at_most() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > BODY_LIMIT:
            raise HTTPException(413, f"A body has at most {BODY_LIMIT} bytes here.")
        return message

    return receive_at_most
