"""Sends one request and gives back what became of it, whatever the receiver does.

`guard.py` decides where it may connect to, `http1.py` and `http2.py` speak, `connections.py`
keeps connections for the next request, `http_errors.py` says what went wrong.
"""

import asyncio
import time
from typing import Self

import httpx

from portcall.adapters.connections import KeptConnections, Line, Route
from portcall.adapters.guard import Guard, Resolve, SystemResolver
from portcall.adapters.http1 import Http1Connection
from portcall.adapters.http2 import Http2Connection
from portcall.adapters.http_errors import TRANSLATED, attempt_error, shortage
from portcall.adapters.journey import Journey, NotTakenError
from portcall.adapters.proxies import EnvironmentProxies, proxy_of
from portcall.adapters.streams import CountedStream
from portcall.adapters.tls import TlsContexts
from portcall.addresses import DEFAULT_PORTS, PUBLIC_ONLY, Allowed
from portcall.attempts import Timings
from portcall.errors import OutOfResourcesError
from portcall.ports import Exchange, OutgoingRequest, ReceivedResponse


class HttpTransport:
    """The Transport for real receivers. `resolve` replaces the system's name resolution."""

    def __init__(
        self,
        allowed: Allowed = PUBLIC_ONLY,
        *,
        proxies: EnvironmentProxies | None = None,
        proxy_resolves: bool = False,
        resolve: Resolve | None = None,
    ) -> None:
        """Connect to what is allowed, through the operator's proxies."""
        self._resolver = SystemResolver()
        self._guard = Guard(allowed, resolve or self._resolver, proxy_resolves=proxy_resolves)
        self._proxies = proxies or EnvironmentProxies()
        self._contexts = TlsContexts()
        self._connections = KeptConnections()

    async def __aenter__(self) -> Self:
        """Give itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that were kept alive."""
        await self._connections.aclose()
        self._resolver.close()

    async def send(self, request: OutgoingRequest) -> Exchange:
        """Send one request; the receiver's faults come back as a value, ours are raised."""
        journey = Journey(body_limit=request.body_limit)
        response, error = None, None
        try:
            async with asyncio.timeout(request.timeout.total_seconds()):
                response = await self._exchange(request, journey)
        except TRANSLATED as fault:
            if lacking := shortage(fault):
                raise OutOfResourcesError(f"nothing could be sent: {lacking}") from fault
            error = attempt_error(fault, journey, request.timeout)
        journey.note("total", journey.began)
        return Exchange(response, error, Timings(**journey.phases), journey.peer)

    async def _exchange(self, request: OutgoingRequest, journey: Journey) -> ReceivedResponse:
        url = httpx.URL(request.url)  # percent-encodes what a person may type
        route = self._route(url, request)
        journey.host, journey.proxy = route.host, route.proxy
        if line := await self._connections.take(route):
            try:
                return await self._on(line, request, url, journey)
            except NotTakenError:
                pass  # the receiver was just about to close it
        return await self._on(Line(route), request, url, journey)

    async def _on(
        self, line: Line, request: OutgoingRequest, url: httpx.URL, journey: Journey
    ) -> ReceivedResponse:
        async with self._connections.kept(line):
            if line.stream and line.speaker:
                line.stream.journey, journey.peer = journey, line.peer
                return await line.speaker.exchange(request, url, journey)
            line.stream = await self._guard.connect(line.route.host, line.route.port, journey)
            line.peer = journey.peer
            if line.route.scheme == "https":
                line.stream = await self._secured(line.stream, line.route, journey)
            line.speaker = _speaker(line.stream, url)
            return await line.speaker.exchange(request, url, journey)

    def _route(self, url: httpx.URL, request: OutgoingRequest) -> Route:
        if url.scheme not in DEFAULT_PORTS or (url.port or 0) > 65535:
            raise httpx.InvalidURL("neither http nor https, or port out of range")
        host = url.raw_host.decode("ascii")
        port = url.port or DEFAULT_PORTS[url.scheme]
        proxy = (
            proxy_of(request.proxy)
            if request.proxy
            else self._proxies.proxy_for(url.scheme, host, port)
        )
        skip = request.skip_cert_verify
        return Route(request.pool, url.scheme, host, port, skip, request.tls, proxy)

    async def _secured(
        self, stream: CountedStream, route: Route, journey: Journey
    ) -> CountedStream:
        journey.step, began = "tls", time.perf_counter()
        try:
            context = self._contexts.context(route.tls, route.skip_cert_verify)
            return await stream.start_tls(context, route.host, journey.seconds_to_connect())
        finally:
            journey.note("tls", began)


def _speaker(stream: CountedStream, url: httpx.URL) -> Http1Connection | Http2Connection:
    secured = stream.get_extra_info("ssl_object")
    if secured and secured.selected_alpn_protocol() == "h2":
        return Http2Connection(stream)
    return Http1Connection(stream, url)
