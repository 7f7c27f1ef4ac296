"""One exchange after another over HTTP/2 (RFC 9113), by the `h2` library, one at a time.

httpcore's own HTTP/2 is not used: it takes an answer without a status for a 200, ends a request
that the receiver goes on with after a GOAWAY, and cannot end one request of several
(https://github.com/encode/httpcore/issues/1022).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import httpcore
import httpx

from portcall.adapters.journey import Journey, NotTakenError
from portcall.ports import OutgoingRequest, ReceivedResponse

_READ_BYTES = 16 * 1024
_LONGEST_FRAME = 16 * 1024
_HEADER_LIMIT = 64 * 1024
_FRAME_HEAD = 9
_GOAWAY = 0x07
_NOT_OVER_HTTP2 = {"connection", "host", "keep-alive", "proxy-connection", "te",
                   "transfer-encoding", "upgrade"}  # fmt: skip


class BrokenOffError(Exception):
    """The receiver ended the request or the connection, in the words of HTTP/2."""


@dataclass
class _Answer:
    stream_id: int
    limit: int
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytearray = field(default_factory=bytearray)
    is_over: bool = False

    @property
    def is_enough(self) -> bool:
        return self.is_over or len(self.body) > self.limit


class Http2Connection:
    """A connection that speaks HTTP/2 from its start."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        """Say nothing yet."""
        self._stream = stream
        self._frames = _Frames()
        self._is_greeted = False
        self._is_ending = False
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self._h2.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: _HEADER_LIMIT,
            },
        )
        self._h2.initiate_connection()

    def is_idle(self) -> bool:
        """Say whether another exchange may follow."""
        return not self._is_ending

    async def exchange(
        self, request: OutgoingRequest, url: httpx.URL, journey: Journey
    ) -> ReceivedResponse:
        """Send the request and read its answer; the caller closes the connection on any error."""
        journey.step = "send"
        answer = _Answer(self._h2.get_next_available_stream_id(), request.body_limit)
        await self._flush()
        while not self._is_greeted:  # how much it takes at once is in its settings
            await self._receive(answer, journey)
        try:
            self._h2.send_headers(answer.stream_id, _head(request, url), not request.body)
        except h2.exceptions.TooManyStreamsError:
            raise NotTakenError("takes no request at present (HTTP/2)") from None
        except h2.exceptions.ProtocolError as error:
            raise httpcore.LocalProtocolError from error
        await self._flush()
        await self._send_body(request.body, answer, journey)
        if journey.step == "send":
            journey.step = "response"
        while not answer.is_enough:
            await self._receive(answer, journey)
        body = bytes(answer.body)
        truncated = len(body) > answer.limit
        self._is_ending = self._is_ending or truncated
        if answer.status is None:
            raise httpcore.RemoteProtocolError("no status")
        return ReceivedResponse(answer.status, answer.headers, body[: answer.limit], truncated)

    async def _send_body(self, body: bytes, answer: _Answer, journey: Journey) -> None:
        """Send as the receiver's window allows, until it has answered."""
        left = memoryview(body)
        while left and not answer.is_over:
            window = self._h2.local_flow_control_window(answer.stream_id)
            size = min(window, self._h2.max_outbound_frame_size, len(left))
            if size <= 0:
                await self._receive(answer, journey)
                continue
            last = size == len(left)
            self._h2.send_data(answer.stream_id, bytes(left[:size]), end_stream=last)
            left = left[size:]
            await self._flush()
        self._is_ending = self._is_ending or bool(left)

    async def _receive(self, answer: _Answer, journey: Journey) -> None:
        data = await self._stream.read(_READ_BYTES)
        if not data:
            raise httpcore.RemoteProtocolError("disconnected")
        try:
            for frame in self._frames.split(data):
                journey.count_piece()
                if frame[3] == _GOAWAY:
                    self._note_goaway(frame[_FRAME_HEAD:], answer)
                    continue
                for event in self._h2.receive_data(frame):
                    self._note(event, answer, journey)
            await self._flush()
        except h2.exceptions.H2Error as error:
            raise httpcore.RemoteProtocolError(_words(error)) from error

    def _note_goaway(self, payload: bytes, answer: _Answer) -> None:
        """Go on where the receiver does; `h2` would take no more from it (RFC 9113, 6.8)."""
        self._is_ending = True
        last, code = int.from_bytes(payload[:4]) & 0x7FFFFFFF, int.from_bytes(payload[4:8])
        if code != h2.errors.ErrorCodes.NO_ERROR:
            raise BrokenOffError(f"ended the HTTP/2 connection ({_code(code)})")
        if last < answer.stream_id:
            raise NotTakenError("ended the HTTP/2 connection before it took the request")

    def _note(self, event: h2.events.Event, answer: _Answer, journey: Journey) -> None:
        match event:
            case h2.events.RemoteSettingsChanged():
                self._is_greeted = True
            case h2.events.ResponseReceived(headers=headers, stream_id=answer.stream_id):
                journey.step = "body"
                journey.note("first_byte", journey.began)
                answer.status, answer.headers = _status_and_headers(headers)
            case h2.events.DataReceived(data=data, stream_id=answer.stream_id):
                answer.body += data
                length = event.flow_controlled_length
                self._h2.acknowledge_received_data(length, answer.stream_id)
            case h2.events.StreamEnded(stream_id=answer.stream_id):
                answer.is_over = True
            case h2.events.StreamReset(stream_id=answer.stream_id, error_code=code):
                if code == h2.errors.ErrorCodes.REFUSED_STREAM:
                    raise NotTakenError("refused the request (HTTP/2 REFUSED_STREAM)")
                if not answer.is_over:
                    raise BrokenOffError(f"reset the request (HTTP/2 {_code(code)})")
                self._is_ending = True

    async def _flush(self) -> None:
        await self._stream.write(self._h2.data_to_send())


class _Frames:
    """Cuts what is received into frames, so that a GOAWAY can be read before `h2` sees it."""

    def __init__(self) -> None:
        self._rest = b""

    def split(self, data: bytes) -> Iterator[bytes]:
        """Give the frames that are complete."""
        self._rest += data
        while len(self._rest) >= _FRAME_HEAD:
            length = int.from_bytes(self._rest[:3])
            if length > _LONGEST_FRAME:
                raise h2.exceptions.FrameTooLargeError("a frame is too long")
            end = _FRAME_HEAD + length
            if len(self._rest) < end:
                return
            frame, self._rest = self._rest[:end], self._rest[end:]
            yield frame


def _head(request: OutgoingRequest, url: httpx.URL) -> list[tuple[bytes, bytes]]:
    host = url.netloc
    headers = []
    for name, value in request.headers:
        if any(sign in value for sign in "\r\n\0"):
            raise httpcore.LocalProtocolError
        if name.lower() == "host":
            host = value.encode()
        elif name.lower() not in _NOT_OVER_HTTP2:
            headers.append((name.lower().encode("latin-1"), value.encode()))
    if request.body and not any(name == b"content-length" for name, _ in headers):
        headers.append((b"content-length", str(len(request.body)).encode()))
    return [
        (b":method", request.method.encode()),
        (b":scheme", url.raw_scheme),
        (b":authority", host),
        (b":path", url.raw_path),
        *headers,
    ]


def _status_and_headers(
    headers: list[tuple[bytes, bytes]],
) -> tuple[int, tuple[tuple[str, str], ...]]:
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    status = dict(fields).get(":status", "")
    if not (len(status) == 3 and status.isdecimal() and status >= "200"):
        raise h2.exceptions.ProtocolError("no status")
    return int(status), tuple(field for field in fields if not field[0].startswith(":"))


def _code(code: int) -> str:
    try:
        return h2.errors.ErrorCodes(code).name
    except ValueError:
        return f"error {code}"


def _words(error: h2.exceptions.H2Error) -> str:
    return f"{error}" or type(error).__name__
