"""One exchange after another over HTTP/1.1, by httpcore's connection and h11 under it.

Of httpcore only the connection is used: nothing follows redirects, reads proxy variables, keeps
cookies or decodes bodies.
"""

from collections.abc import Mapping
from typing import Any

import httpcore
import httpx

from portcall.adapters.journey import Journey
from portcall.adapters.streams import CountedStream
from portcall.ports import OutgoingRequest, ReceivedResponse


class Http1Connection:
    """A connection that speaks HTTP/1.1."""

    def __init__(self, stream: CountedStream, url: httpx.URL) -> None:
        """Say nothing yet."""
        self._stream = stream
        self._connection = httpcore.AsyncHTTP11Connection(_url(url).origin, stream)

    def is_idle(self) -> bool:
        """Say whether another exchange may follow.

        Not where more came than the answer: it would be read as the answer to the next request.
        """
        spoken_on, _ = self._connection._h11_state.trailing_data  # noqa: SLF001 - nobody tells
        idle = self._connection.is_idle() and not spoken_on
        return idle and not self._stream.may_hold_more()

    async def exchange(
        self, request: OutgoingRequest, url: httpx.URL, journey: Journey
    ) -> ReceivedResponse:
        """Send the request and read its answer; the caller closes the connection on any error."""
        journey.step = "send"
        async with self._connection.stream(
            request.method,
            _url(url),
            headers=[(n.encode("latin-1"), v.encode()) for n, v in request.headers],
            content=request.body or None,  # a GET has no Content-Length
            extensions={"trace": _Trace(journey)},
        ) as response:
            body, truncated = await _read(response, request.body_limit, journey)
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
    """Listens to httpcore for the steps."""

    def __init__(self, journey: Journey) -> None:
        self._journey = journey

    async def __call__(self, event: str, _info: Mapping[str, Any]) -> None:
        match event:
            case "http11.receive_response_headers.started":
                self._journey.step = "response"
            case "http11.receive_response_headers.complete":
                self._journey.step = "body"
                self._journey.note("first_byte", self._journey.began)


def _url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )


async def _read(response: httpcore.Response, limit: int, journey: Journey) -> tuple[bytes, bool]:
    """Read the body up to the limit. Leaving the rest unread closes the connection."""
    body = bytearray()
    async for chunk in response.aiter_stream():
        journey.count_piece()
        body += chunk
        if len(body) > limit:
            return bytes(body[:limit]), True
    return bytes(body), False
