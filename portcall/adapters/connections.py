"""Keeps connections alive for the next request of the same route, one request at a time on each.

Over HTTP/2 too a connection belongs to one request at a time: a request that hangs, floods or is
cut off is ended by closing its connection, and no other request was on it
(docs/decisions/0007-one-request-per-connection.md).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from portcall.adapters.journey import Journey
from portcall.adapters.proxies import ProxyRoute
from portcall.adapters.streams import CountedStream
from portcall.ports import OutgoingRequest, ReceivedResponse
from portcall.receiving import Tls

KEEPALIVE_SECONDS = 3.0
"""Shorter than the idle limit of common servers, so that a request seldom meets a closing one."""

_MOST_IDLE = 100


class Speaker(Protocol):
    """A connection above TLS: HTTP/1.1 or HTTP/2."""

    def is_idle(self) -> bool:
        """Say whether another exchange may follow."""
        ...

    async def exchange(
        self, request: OutgoingRequest, url: httpx.URL, journey: Journey
    ) -> ReceivedResponse:
        """Send the request and read its answer; the caller closes the connection on any error."""
        ...


@dataclass(frozen=True)
class Route:
    """What two requests must have in common to use the same connection."""

    pool: str
    scheme: str
    host: str
    port: int
    skip_cert_verify: bool = False
    tls: Tls | None = None
    proxy: ProxyRoute | None = None


@dataclass(eq=False)
class Line:
    """A connection of a route, or what is to become one."""

    route: Route
    stream: CountedStream | None = None
    speaker: Speaker | None = None
    peer: str | None = None
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    @property
    def is_dead(self) -> bool:
        """Whether the other side has closed it, or speaks unasked."""
        return self.stream is None or bool(self.stream.get_extra_info("is_readable"))

    async def aclose(self) -> None:
        """Close the socket; neither TLS nor HTTP needs a farewell."""
        if self.stream:
            await self.stream.aclose()


class KeptConnections:
    """The idle connections; of more than a hundred the one longest idle is closed."""

    def __init__(self) -> None:
        """Hold none."""
        self._idle: list[Line] = []
        self._closing: set[asyncio.Task[None]] = set()

    async def take(self, route: Route) -> Line | None:
        """Give the idle connection of the route that was used last."""
        for line in [line for line in reversed(self._idle) if line.route == route]:
            if line not in self._idle:
                continue  # somebody else took it while a dead one was closed
            self._forget(line)
            if not line.is_dead:
                return line
            await line.aclose()
        return None

    @asynccontextmanager
    async def kept(self, line: Line) -> AsyncIterator[Line]:
        """Keep the connection if all goes well and another request may follow, else close it."""
        is_clean = False
        try:
            yield line
            is_clean = line.speaker is not None and line.speaker.is_idle()
        finally:
            if is_clean:
                self._keep(line)
            else:
                await line.aclose()

    async def aclose(self) -> None:
        """Close all that are idle."""
        while self._idle:
            self._close(self._idle[0])
        await asyncio.gather(*self._closing)

    def _keep(self, line: Line) -> None:
        loop = asyncio.get_running_loop()
        line.timer = loop.call_later(KEEPALIVE_SECONDS, self._close, line)
        self._idle.append(line)
        if len(self._idle) > _MOST_IDLE:
            self._close(self._idle[0])

    def _forget(self, line: Line) -> None:
        self._idle.remove(line)
        if line.timer:
            line.timer.cancel()

    def _close(self, line: Line) -> None:
        self._forget(line)
        task = asyncio.create_task(line.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
