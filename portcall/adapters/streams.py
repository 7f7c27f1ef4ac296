"""`CountedStream`: a socket that counts what it receives, so that no receiver can flood us."""

import ssl
from typing import Any

import httpcore

from portcall.adapters.journey import Journey

_READ_BYTES = 16 * 1024
"""Read at a time: what a receiver sends is parsed in portions, other requests come between."""


class CountedStream(httpcore.AsyncNetworkStream):
    """The stream under a connection; `journey` is the request that it serves at present."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, journey: Journey) -> None:
        """Serve this journey first."""
        self._stream = stream
        self._was_filled = False
        self.journey = journey

    def may_hold_more(self) -> bool:
        """Say whether something may have come that nobody has read, and no socket tells of.

        The last read got all that it asked for, or a further record of TLS was received with it.
        To look takes a byte away: for connections that are then not used again.
        """
        secured = self.get_extra_info("ssl_object")
        if secured is None or self._was_filled:
            return self._was_filled
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
        secured = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return CountedStream(secured, self.journey)

    def get_extra_info(self, info: str) -> Any:
        """Tell what httpcore may ask."""
        return self._stream.get_extra_info(info)
