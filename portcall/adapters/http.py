"""Sends one request over HTTP/1.1 and gives back what became of it, whatever the receiver does.

httpcore is used without httpx's client around it: nothing follows redirects, reads proxy
variables, keeps cookies or decodes bodies. `guard.py` decides where it may connect to,
`http_errors.py` says what went wrong.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

import httpcore
import httpx

from portcall.adapters.guard import (
    CONNECT_TIMEOUT,
    JOURNEY,
    GuardedBackend,
    Journey,
    Resolve,
    SystemResolver,
)
from portcall.adapters.http_errors import TRANSLATED, attempt_error
from portcall.addresses import Network
from portcall.attempts import Timings
from portcall.ports import Exchange, OutgoingRequest, ReceivedResponse

KEEPALIVE_SECONDS = 3.0
"""Shorter than the idle limit of common servers, so that a request seldom meets a closing one."""


class HttpTransport:
    """The Transport for real receivers. `resolve` replaces the system's name resolution."""

    def __init__(
        self, allowed_networks: Sequence[Network] = (), *, resolve: Resolve | None = None
    ) -> None:
        """Make both pools of connections: certificates verified, and not."""
        self._resolver = SystemResolver()
        backend = GuardedBackend(allowed_networks, resolve or self._resolver)
        self._verifying = _pool(backend, ssl.create_default_context())
        self._trusting = _pool(backend, _unverified_context())

    async def __aenter__(self) -> Self:
        """Give itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that were kept alive."""
        await self._verifying.aclose()
        await self._trusting.aclose()
        self._resolver.close()

    async def send(self, request: OutgoingRequest) -> Exchange:
        """Send one request; the receiver's faults come back as a value."""
        journey = Journey()
        JOURNEY.set(journey)
        response, error = None, None
        try:
            async with asyncio.timeout(request.timeout.total_seconds()):
                response = await self._exchange(request, journey)
        except TRANSLATED as fault:
            error = attempt_error(fault, journey, request.timeout)
        finally:
            if journey.step == "tls" and journey.stream:
                await journey.stream.aclose()  # httpcore forgets it when cancelled in a handshake
        journey.note("total", journey.began)
        return Exchange(response, error, Timings(**journey.phases), journey.peer)

    async def _exchange(self, request: OutgoingRequest, journey: Journey) -> ReceivedResponse:
        url = httpx.URL(request.url)  # percent-encodes what a person may type
        if (url.port or 0) > 65535:
            raise httpx.InvalidURL("port out of range")
        journey.host = url.host
        pool = self._trusting if request.skip_cert_verify else self._verifying
        async with pool.stream(
            request.method,
            httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=[(n.encode("latin-1"), v.encode()) for n, v in request.headers],
            content=request.body or None,  # a GET has no Content-Length
            extensions={
                "timeout": {"connect": CONNECT_TIMEOUT},
                "trace": _Trace(journey),
            },
        ) as response:
            journey.peer = _peer(response) or journey.peer
            body, truncated = await _read(response, request.body_limit)
            return ReceivedResponse(
                status=response.status,
                headers=tuple(
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in response.headers
                ),
                body=body,
                truncated=truncated,
            )


class _Trace:
    """Listens to httpcore for the steps that `GuardedBackend` does not see."""

    def __init__(self, journey: Journey) -> None:
        self._journey = journey
        self._tls_began = 0.0

    async def __call__(self, event: str, _info: Mapping[str, Any]) -> None:
        journey = self._journey
        match event:
            case "connection.start_tls.started":
                journey.step, self._tls_began = "tls", time.perf_counter()
            case "connection.start_tls.complete" | "connection.start_tls.failed":
                journey.note("tls", self._tls_began)
            case "http11.send_request_headers.started":
                journey.step = "send"
            case "http11.receive_response_headers.started":
                journey.step = "response"
            case "http11.receive_response_headers.complete":
                journey.step = "body"
                journey.note("first_byte", journey.began)


def _pool(backend: GuardedBackend, context: ssl.SSLContext) -> httpcore.AsyncConnectionPool:
    # As many connections as the worker has attempts: dead receivers must not use up the pool.
    return httpcore.AsyncConnectionPool(
        ssl_context=context,
        max_connections=None,
        max_keepalive_connections=100,
        keepalive_expiry=KEEPALIVE_SECONDS,
        network_backend=backend,
    )


def _unverified_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _peer(response: httpcore.Response) -> str | None:
    host, port, *_ = response.extensions["network_stream"].get_extra_info("server_addr")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _read(response: httpcore.Response, limit: int) -> tuple[bytes, bool]:
    """Read the body up to the limit. Leaving the rest unread closes the connection."""
    body = bytearray()
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > limit:
            return bytes(body[:limit]), True
    return bytes(body), False
