"""Whatever a receiver says over HTTP/2 becomes an answer or a fault that is told."""

import asyncio
from datetime import timedelta

import h2.errors
import httpcore
import httpx
from hypothesis import given
from hypothesis import strategies as st

from portcall.adapters.http2 import Http2Connection
from portcall.adapters.http_errors import TRANSLATED, attempt_error
from portcall.adapters.journey import Journey
from portcall.ports import OutgoingRequest, ReceivedResponse
from tests.fixtures.hostile import frame

REQUEST = OutgoingRequest(
    url="https://ci.example/hook",
    headers=(("Content-Type", "text/plain"),),
    body=b"x" * 70_000,
    timeout=timedelta(seconds=1),
)
SETTINGS, HEADERS, OK_HEADERS = 0x4, 0x1, b"\x88"


class SpokenTo(httpcore.AsyncNetworkStream):
    """A stream on which the receiver has already said all that it will."""

    def __init__(self, *said):
        self._said = iter(said)

    async def read(self, max_bytes, timeout=None):  # noqa: ARG002
        return next(self._said, b"")

    async def write(self, buffer, timeout=None):
        pass


def becomes(*said):
    journey = Journey("ci.example", peer="192.0.2.7:443", body_limit=REQUEST.body_limit)
    connection = Http2Connection(SpokenTo(*said))
    try:
        return asyncio.run(connection.exchange(REQUEST, httpx.URL(REQUEST.url), journey))
    except TRANSLATED as fault:
        return attempt_error(fault, journey, REQUEST.timeout)


FRAMES = st.builds(
    frame,
    st.integers(0, 12),
    st.binary(max_size=40) | st.just(OK_HEADERS),
    st.integers(0, 255) | st.sampled_from([0x4, 0x5]),
    st.integers(0, 5),
)


@given(st.lists(FRAMES | st.binary(max_size=200), max_size=12))
def test_no_words_of_a_receiver_are_a_fault_of_ours(said):
    for words in (said, [frame(SETTINGS), *said], [frame(SETTINGS), b"".join(said)]):
        found = becomes(*words)
        assert isinstance(found, ReceivedResponse) or "\n" not in found.message


@given(st.integers(0, 2**32 - 1), st.binary(max_size=30))
def test_a_stream_is_reset_with_any_code(code, rest):
    found = becomes(frame(SETTINGS), frame(0x3, code.to_bytes(4), stream_id=1) + rest)
    if code == h2.errors.ErrorCodes.REFUSED_STREAM:
        assert found.message == "192.0.2.7:443 refused the request (HTTP/2 REFUSED_STREAM)"
    else:
        assert found.message.startswith("192.0.2.7:443 reset the request (HTTP/2 ")


def test_a_receiver_without_room_for_a_request_says_so():
    none = (0x3).to_bytes(2) + bytes(4)
    found = becomes(frame(SETTINGS, none))
    assert found.message == "192.0.2.7:443 takes no request at present (HTTP/2)"


def test_a_frame_longer_than_agreed_is_not_waited_for():
    assert "a frame is too long" in becomes(b"\xff\xff\xff" + bytes(6)).message


def test_what_a_receiver_said_is_told_in_one_line():
    header = b"\x00\x04a\n\x1b\x7f\x01b"  # a literal name and its value (RFC 7541, 6.2.2)
    found = becomes(frame(SETTINGS), frame(HEADERS, OK_HEADERS + header, 0x5, stream_id=1))
    assert found.message.startswith("the response is not valid HTTP: Illegal character")
    assert found.message.isprintable()
