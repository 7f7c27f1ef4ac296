"""`CountedStream`: a socket that counts what it receives, so that no receiver can flood us."""

import ssl
from collections.abc import Callable, Mapping
from typing import Any

import httpcore
from anyio.abc import ByteStream
from httpcore._backends.anyio import AnyIOStream

from portcall.adapters.journey import Journey

_READ_BYTES = 16 * 1024
"""Read at a time: what a receiver sends is parsed in portions, other requests come between."""


class CountedStream(httpcore.AsyncNetworkStream):
    """The stream under a connection; `journey` is the request that it serves at present."""

    def __init__(
        self,
        stream: httpcore.AsyncNetworkStream,
        journey: Journey,
        below: "CountedStream | None" = None,
    ) -> None:
        """Serve this journey first, within TLS over the stream `below`."""
        self._stream = stream
        self._below = below
        self._was_filled = False
        self.journey = journey

    @property
    def journey(self) -> Journey:
        """What is received counts as its."""
        return self._journey

    @journey.setter
    def journey(self, journey: Journey) -> None:
        self._journey = journey
        if self._below:
            self._below.journey = journey

    def may_hold_more(self) -> bool:
        """Say whether something may have come that nobody has read, and no socket tells of.

        The last read got all that it asked for, or a further record of TLS was received with it.
        To look takes a byte away: for connections that are then not used again.
        """
        secured = self.get_extra_info("ssl_object")
        if self._was_filled or (self._below and self._below.may_hold_more()):
            return True
        if secured is None:
            return False
        try:
            secured.read(1)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            pass  # the other side has closed it
        return True

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read, and count."""
        most = min(max_bytes, _READ_BYTES)
        data = await self._stream.read(most, timeout)
        self._was_filled = len(data) == most
        self.journey.count(len(data))
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of it."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the socket."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> "CountedStream":
        """Give the stream within TLS; on a fault this one is to be closed."""
        if isinstance(self._stream, AnyIOStream):
            wire = _Wire(self._stream._stream, self._note_wire)  # noqa: SLF001 - no other way
            self._stream._stream = wire  # noqa: SLF001
        secured = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return CountedStream(secured, self.journey, self)

    def _note_wire(self, received: int, wanted: int) -> None:
        self._was_filled = received == wanted
        self.journey.count_on_wire(received)

    def get_extra_info(self, info: str) -> Any:
        """Tell what httpcore may ask."""
        return self._stream.get_extra_info(info)


class _Wire(ByteStream):
    """What TLS reads from, in portions that are told: not all that it takes becomes data."""

    def __init__(self, stream: ByteStream, note: Callable[[int, int], None]) -> None:
        self._stream = stream
        self._note = note

    async def receive(self, max_bytes: int = _READ_BYTES) -> bytes:
        data = await self._stream.receive(max_bytes)
        self._note(len(data), max_bytes)
        return data

    async def send(self, item: bytes) -> None:
        await self._stream.send(item)

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return self._stream.extra_attributes
