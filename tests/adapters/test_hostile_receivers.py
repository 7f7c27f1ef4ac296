"""What Portcall makes of receivers that are hostile or peculiar: one table, each a real server."""

import asyncio
import gzip
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network

import h2.errors
import h2.settings
import pytest

from portcall.adapters.http import HttpTransport
from portcall.addresses import Allowed
from portcall.attempts import BODY_LIMIT, ErrorType
from portcall.ports import OutgoingRequest
from portcall.receiving import Tls
from tests.fixtures.hostile import (
    HostileReceiver,
    Step,
    drip,
    flood,
    frame,
    hang,
    make_authority,
    pause,
    read_request,
    read_something,
    reset,
    send,
    server_context,
    speaking_http2,
)

LOOPBACK = Allowed([ip_network("127.0.0.0/8")])
OK = b"HTTP/1.1 200 OK\r\n"
FLOODED = "{peer} sent more than 128 KiB beside the body"
TOO_MANY_PIECES = "{peer} sent more than 2024 chunks or frames"
NOT_HTTP = "the response is not valid HTTP: "
BOMB = gzip.compress(b"\0" * 10_000_000)


@dataclass(frozen=True)
class Answered:
    """There is an answer. `body` is what is kept of it."""

    status: int
    body: bytes = b""
    truncated: bool = False


@dataclass(frozen=True)
class Failed:
    """There is none: the type of the error, and its sentence (`{peer}` is the receiver)."""

    type: ErrorType
    message: str


def timed_out(message: str) -> Failed:
    return Failed(ErrorType.TIMEOUT, f"{message} within 300ms")


HTTP1: dict[str, tuple[list[Step], Answered | Failed]] = {
    # silence
    "accepts, and neither reads nor answers": ([hang], timed_out("no response")),
    "reads, and never answers": ([read_request, hang], timed_out("no response")),
    "closes without an answer": (
        [read_request],
        Failed(
            ErrorType.CONNECT, "connection closed by {peer} before the response was complete"
        ),
    ),
    "resets without an answer": (
        [read_request, reset],
        Failed(ErrorType.CONNECT, "connection reset by {peer}"),
    ),
    "resets within its head": (
        [read_request, send(OK + b"X-A: "), pause, reset],
        Failed(ErrorType.CONNECT, "connection reset by {peer}"),
    ),
    "resets within its body": (
        [read_request, send(OK + b"Content-Length: 100\r\n\r\nabc"), pause, reset],
        Failed(ErrorType.CONNECT, "connection reset by {peer}"),
    ),
    # slowness
    "drips its head": ([read_request, drip(OK * 100)], timed_out("no response")),
    "drips its body": (
        [read_request, send(OK + b"\r\n"), drip(b"x" * 1000)],
        timed_out("the response did not end"),
    ),
    "stops within its body": (
        [read_request, send(OK + b"Content-Length: 9\r\n\r\nabc"), hang],
        timed_out("the response did not end"),
    ),
    # floods
    "sends a body without end": (
        [read_request, send(OK + b"\r\n"), flood(b"x")],
        Answered(200, b"x" * BODY_LIMIT, truncated=True),
    ),
    "sends a chunked body without end": (
        [
            read_request,
            send(OK + b"Transfer-Encoding: chunked\r\n\r\n"),
            flood(b"3e8\r\n" + b"x" * 1000 + b"\r\n"),
        ],
        Answered(200, b"x" * BODY_LIMIT, truncated=True),
    ),
    "sends chunks of one byte without end": (
        [read_request, send(OK + b"Transfer-Encoding: chunked\r\n\r\n"), flood(b"1\r\nx\r\n")],
        Failed(ErrorType.PROTOCOL, TOO_MANY_PIECES),
    ),
    "sends chunks with long extensions": (
        [
            read_request,
            send(OK + b"Transfer-Encoding: chunked\r\n\r\n"),
            flood(b"1;" + b"e" * 9000 + b"\r\nx\r\n"),
        ],
        Failed(ErrorType.PROTOCOL, FLOODED),
    ),
    "sends a gzip bomb, which is kept as it is": (
        [
            read_request,
            send(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB),
        ],
        Answered(200, BOMB),
    ),
    "sends headers without end": (
        [read_request, send(OK), flood(b"X-Flood: 1\r\n")],
        Failed(ErrorType.PROTOCOL, NOT_HTTP + "Receive buffer too long"),
    ),
    "sends one header without end": (
        [read_request, send(OK + b"X-Flood: "), flood(b"x")],
        Failed(ErrorType.PROTOCOL, NOT_HTTP + "Receive buffer too long"),
    ),
    "says 100 Continue for ever": (
        [read_request, flood(b"HTTP/1.1 100 Continue\r\n\r\n")],
        Failed(ErrorType.PROTOCOL, FLOODED),
    ),
    "sends megabytes of trailers": (
        [
            read_request,
            send(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"),
            flood(b"X-Trailer: " + b"t" * 1000 + b"\r\n"),
        ],
        Failed(ErrorType.PROTOCOL, NOT_HTTP + "Receive buffer too long"),
    ),
    # peculiar, and answered
    "gives early hints first": (
        [
            read_request,
            send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK + b"\r\nok"),
        ],
        Answered(200, b"ok"),
    ),
    "sends no text": (
        [read_request, send(OK + b"Content-Length: 4\r\n\r\n\xff\xfe\0a")],
        Answered(200, b"\xff\xfe\0a"),
    ),
    "speaks HTTP/1.0, its body ends with the connection": (
        [read_request, send(b"HTTP/1.0 200 OK\r\n\r\nuntil closed")],
        Answered(200, b"until closed"),
    ),
    "sends more than its Content-Length": (
        [read_request, send(OK + b"Content-Length: 2\r\n\r\nokHTTP/1.1 500 Smuggled\r\n\r\n")],
        Answered(200, b"ok"),
    ),
    "sends a body with a 204": (
        [read_request, send(b"HTTP/1.1 204 No Content\r\n\r\nunwanted")],
        Answered(204),
    ),
    "has a status of its own": (
        [read_request, send(b"HTTP/1.1 999 Ours\r\nContent-Length: 0\r\n\r\n")],
        Answered(999),
    ),
    "redirects to itself for ever": (
        [
            read_request,
            send(b"HTTP/1.1 307 Again\r\nLocation: /hook\r\nContent-Length: 0\r\n\r\n"),
        ],
        Answered(307),
    ),
    "answers before it has read": (
        [send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"), pause],
        Answered(413, b"big"),
    ),
    # not HTTP
    "promises more than it sends": (
        [read_request, send(OK + b"Content-Length: 10\r\n\r\nabc")],
        Failed(
            ErrorType.PROTOCOL,
            NOT_HTTP + "peer closed connection without sending complete message body "
            "(received 3 bytes, expected 10)",
        ),
    ),
    "states two lengths": (
        [read_request, send(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab")],
        Failed(ErrorType.PROTOCOL, NOT_HTTP + "conflicting Content-Length headers"),
    ),
    "has a chunk of no size": (
        [read_request, send(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab")],
        Failed(ErrorType.PROTOCOL, NOT_HTTP + "illegal chunk header: bytearray(b'zz\\r\\n')"),
    ),
    "has a header line of 90 kB that is none": (
        [read_request, send(OK + b"\1" * 90_000 + b"\r\n\r\n")],
        Failed(ErrorType.PROTOCOL, NOT_HTTP + "illegal header line"),
    ),
    "has a head of a chunk of 60 kB that is none": (
        [
            read_request,
            send(OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"x" * 60_000 + b"\r\n"),
        ],
        Failed(ErrorType.PROTOCOL, NOT_HTTP + "illegal chunk header"),
    ),
    "has a chunk longer than a number can be": (
        [read_request, send(OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 30 + b"\r\nab")],
        Failed(ErrorType.PROTOCOL, NOT_HTTP + "illegal chunk header"),
    ),
    "answers as HTTP/0.9 does": (
        [read_request, send(b"<html>hello</html>\r\n\r\n")],
        Failed(ErrorType.PROTOCOL, NOT_HTTP + "illegal status line: bytearray(b'<html>"),
    ),
    "has the status 000": (
        [read_request, send(b"HTTP/1.1 000 Nothing\r\n\r\n")],
        Failed(ErrorType.PROTOCOL, NOT_HTTP),
    ),
    "has NUL bytes in its head": (
        [read_request, send(OK + b"X-Nul: a\0b\r\n\r\n")],
        Failed(ErrorType.PROTOCOL, NOT_HTTP + "illegal header line"),
    ),
    "switches the protocol unasked": (
        [read_request, send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")],
        Failed(ErrorType.PROTOCOL, NOT_HTTP),
    ),
    "is a mail server": (
        [send(b"220 mail.example ESMTP\r\n"), read_something, hang],
        timed_out("no response"),
    ),
}  # fmt: skip


def a_request(url, *, timeout=0.3, tls=None, body=b"{}", pool="", skip=False):
    return OutgoingRequest(
        url=url,
        headers=(("Content-Type", "application/json"), ("Content-Length", str(len(body)))),
        body=body,
        timeout=timedelta(seconds=timeout),
        tls=tls,
        pool=pool,
        skip_cert_verify=skip,
    )


async def check(receiver, exchange, expected):
    if isinstance(expected, Answered):
        assert exchange.error is None
        found = exchange.response
        assert Answered(found.status, found.body, found.truncated) == expected
    else:
        assert exchange.response is None
        assert exchange.error.type is expected.type
        wanted = expected.message.format(peer=f"127.0.0.1:{receiver.port}")
        assert exchange.error.message.startswith(wanted)
        assert len(exchange.error.message) < 200
        assert "\n" not in exchange.error.message
    assert exchange.peer == f"127.0.0.1:{receiver.port}"
    assert receiver.sent < 16_000_000, "what the buffers between hold, and no more"


@pytest.mark.parametrize("does", HTTP1)
async def test_a_receiver_over_http1(does):
    script, expected = HTTP1[does]
    async with HttpTransport(LOOPBACK) as transport, HostileReceiver(script).serving() as receiver:
        # A receiver that does not hang is given time: nothing but its own fault may end it.
        timeout = 0.3 if getattr(expected, "type", None) is ErrorType.TIMEOUT else 10
        url = f"http://127.0.0.1:{receiver.port}/hook"
        exchange = await transport.send(a_request(url, timeout=timeout))
        await check(receiver, exchange, expected)
    assert exchange.timings.total < 10_000


async def never_answers(http):
    await http.request()
    await hang(http.wire)


async def closes(http):
    await http.request()


async def resets(http):
    await http.request()
    await reset(http.wire)


async def answers_in_full(http):
    stream = await http.request()
    headers, body = http.received(stream)
    await http.answer(stream, "202", f"{headers[':method']} {headers[':path']} ".encode() + body)
    await http.request()


async def drips_its_body(http):
    stream = await http.request()
    http.h2.send_headers(stream, [(":status", "200")])
    for _ in range(100):
        http.h2.send_data(stream, b"x")
        await http.flush()
        await asyncio.sleep(0.01)


async def sends_a_body_without_end(http):
    stream = await http.request()
    http.h2.send_headers(stream, [(":status", "200")])
    await http.flush()
    await flood(frame(0x0, b"x" * 1000, stream_id=stream))(http.wire)


async def pads_without_end(http):
    stream = await http.request()
    http.h2.send_headers(stream, [(":status", "200")])
    await http.flush()
    while True:  # within its window, which grows as we read
        await http.wire.send(frame(0x0, b"\xff" + b"\0" * 255, flags=0x8, stream_id=stream))


async def sends_empty_data_without_end(http):
    stream = await http.request()
    http.h2.send_headers(stream, [(":status", "200")])
    await http.flush()
    await flood(frame(0x0, stream_id=stream))(http.wire)


async def continues_its_headers_without_end(http):
    stream = await http.request()
    await http.wire.send(frame(0x1, b"\x88", stream_id=stream))
    await flood(frame(0x9, b"\x00\x01a\x01b" * 20, stream_id=stream))(http.wire)


async def sends_large_headers(http):
    stream = await http.request()
    headers = [(f"x-{i}", "v" * 1000) for i in range(100)]
    http.h2.send_headers(stream, [(":status", "200"), *headers], end_stream=True)
    await http.flush()
    await hang(http.wire)


async def sends_a_header_bomb(http):
    """Name one long header of the compression's table again and again."""
    stream = await http.request()
    value = b"v" * 4000
    block = b"\x88\x40\x01x\x7f\xa1\x1e" + value + b"\xbe" * 10_000
    await http.wire.send(frame(0x1, block, flags=0x5, stream_id=stream))
    await hang(http.wire)


async def sends_megabytes_of_trailers(http):
    stream = await http.request()
    http.h2.send_headers(stream, [(":status", "200")])
    await http.flush()
    await http.wire.send(frame(0x1, flags=0x1, stream_id=stream))
    await flood(frame(0x9, bytes(16_000), stream_id=stream))(http.wire)


def floods(data):
    async def talk(http):
        await http.request()
        await flood(data)(http.wire)

    return talk


async def says_goodbye_angrily(http):
    await http.request()
    http.h2.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)
    await http.flush()


async def says_goodbye_and_answers(http):
    """What a server does that is about to stop (RFC 9113, section 6.8)."""
    stream = await http.request()
    await http.wire.send(frame(0x7, stream.to_bytes(4) + bytes(4)))
    await pause(http.wire)
    await http.answer(stream)


async def says_goodbye_to_a_request_it_took_no_notice_of(http):
    await http.request()
    await http.wire.send(frame(0x7, bytes(8)))
    await hang(http.wire)


async def resets_the_stream(http):
    stream = await http.request()
    http.h2.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
    await http.flush()
    await hang(http.wire)


async def resets_the_stream_with_a_code_of_its_own(http):
    stream = await http.request()
    await http.wire.send(frame(0x3, (4242).to_bytes(4), stream_id=stream))
    await hang(http.wire)


async def refuses_the_stream(http):
    stream = await http.request()
    http.h2.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
    await http.flush()
    await hang(http.wire)


async def has_no_status(http):
    stream = await http.request()
    http.h2.send_headers(stream, [("x-a", "b")], end_stream=True)
    await http.flush()
    await hang(http.wire)


async def has_a_wordy_status(http):
    await http.answer(await http.request(), status="fine")
    await hang(http.wire)


async def sends_a_body_without_a_head(http):
    stream = await http.request()
    await http.wire.send(frame(0x0, b"body", flags=0x1, stream_id=stream))
    await hang(http.wire)


async def has_no_room(http):
    await http.head()
    await hang(http.wire)


async def makes_room_byte_by_byte(http):
    stream = await http.request()
    await http.answer(stream, "200", http.received(stream)[1])


async def answers_before_it_has_read(http):
    stream = await http.head()
    await http.answer(stream, "413", b"big")
    http.h2.reset_stream(stream, h2.errors.ErrorCodes.NO_ERROR)
    await http.flush()
    await hang(http.wire)


async def answers_with_trailers(http):
    stream = await http.request()
    http.h2.send_headers(stream, [(":status", "103"), ("link", "</a>")])
    http.h2.send_headers(stream, [(":status", "200")])
    http.h2.send_data(stream, b"\xff\0")
    http.h2.send_headers(stream, [("x-checksum", "1")], end_stream=True)
    await http.flush()
    await http.request()


async def promises_more(http):
    stream = await http.request()
    http.h2.send_headers(stream, [(":status", "200"), ("content-length", "10")])
    http.h2.send_data(stream, b"abc", end_stream=True)
    await http.flush()
    await hang(http.wire)


async def pushes(http):
    stream = await http.request()
    payload = (2).to_bytes(4) + b"\x82\x84\x86"
    await http.wire.send(frame(0x5, payload, flags=0x4, stream_id=stream))
    await hang(http.wire)


async def speaks_http1(http):
    await http.request()
    await http.wire.send(OK + b"Content-Length: 2\r\n\r\nok" + b"\r\n" * 20_000)
    await hang(http.wire)


HTTP2 = {
    "answers": (answers_in_full, Answered(202, b"POST /hook {}")),
    "answers with hints and trailers": (answers_with_trailers, Answered(200, b"\xff\0")),
    "answers before it has read": (answers_before_it_has_read, Answered(413, b"big")),
    "ends the connection and answers": (says_goodbye_and_answers, Answered(200, b"ok")),
    "never answers": (never_answers, timed_out("no response")),
    "drips its body": (drips_its_body, timed_out("the response did not end")),
    "closes without an answer": (
        closes,
        Failed(
            ErrorType.CONNECT, "connection closed by {peer} before the response was complete"
        ),
    ),
    "resets the connection": (resets, Failed(ErrorType.CONNECT, "connection reset by {peer}")),
    "ends the connection with a reason": (
        says_goodbye_angrily,
        Failed(ErrorType.CONNECT, "{peer} ended the HTTP/2 connection (ENHANCE_YOUR_CALM)"),
    ),
    "ends the connection without the request": (
        says_goodbye_to_a_request_it_took_no_notice_of,
        Failed(
            ErrorType.CONNECT, "{peer} ended the HTTP/2 connection before it took the request"
        ),
    ),
    "resets the stream": (
        resets_the_stream,
        Failed(ErrorType.CONNECT, "{peer} reset the request (HTTP/2 INTERNAL_ERROR)"),
    ),
    "resets the stream for no known reason": (
        resets_the_stream_with_a_code_of_its_own,
        Failed(ErrorType.CONNECT, "{peer} reset the request (HTTP/2 error 4242)"),
    ),
    "refuses the stream": (
        refuses_the_stream,
        Failed(ErrorType.CONNECT, "{peer} refused the request (HTTP/2 REFUSED_STREAM)"),
    ),
    "sends a body without end": (
        sends_a_body_without_end,
        Answered(200, b"x" * BODY_LIMIT, truncated=True),
    ),
    "pads without end": (pads_without_end, Failed(ErrorType.PROTOCOL, FLOODED)),
    "sends empty data without end": (
        sends_empty_data_without_end,
        Failed(ErrorType.PROTOCOL, TOO_MANY_PIECES),
    ),
    "sends settings without end": (
        floods(frame(0x4)),
        Failed(ErrorType.PROTOCOL, TOO_MANY_PIECES),
    ),
    "pings without end": (
        floods(frame(0x6, bytes(8))),
        Failed(ErrorType.PROTOCOL, TOO_MANY_PIECES),
    ),
    "sends unknown frames without end": (
        floods(frame(0xFE, bytes(100))),
        Failed(ErrorType.PROTOCOL, FLOODED),
    ),
    "continues its headers without end": (
        continues_its_headers_without_end,
        Failed(ErrorType.PROTOCOL, NOT_HTTP + "Too many continuation frames received"),
    ),
    "sends 100 kB of headers": (
        sends_large_headers,
        Failed(ErrorType.PROTOCOL, NOT_HTTP),
    ),
    "sends a header bomb": (sends_a_header_bomb, Failed(ErrorType.PROTOCOL, NOT_HTTP)),
    "sends megabytes of trailers": (
        sends_megabytes_of_trailers,
        Failed(ErrorType.PROTOCOL, FLOODED),
    ),
    "has no status": (has_no_status, Failed(ErrorType.PROTOCOL, NOT_HTTP)),
    "has a status in words": (has_a_wordy_status, Failed(ErrorType.PROTOCOL, NOT_HTTP)),
    "sends a body without a head": (
        sends_a_body_without_a_head,
        Failed(ErrorType.PROTOCOL, NOT_HTTP),
    ),
    "promises more than it sends": (promises_more, Failed(ErrorType.PROTOCOL, NOT_HTTP)),
    "pushes what nobody asked for": (pushes, Failed(ErrorType.PROTOCOL, NOT_HTTP)),
    "speaks HTTP/1.1 after all": (speaks_http1, Failed(ErrorType.PROTOCOL, NOT_HTTP)),
}  # fmt: skip


@pytest.fixture(scope="module")
def authority():
    return make_authority()


@pytest.fixture(scope="module")
def http2_context(authority, tmp_path_factory):
    pair = authority.issue("localhost")
    return server_context(tmp_path_factory.mktemp("h2"), pair, alpn=["h2", "http/1.1"])


async def send_http2(transport, authority, receiver, **options):
    url = f"https://localhost:{receiver.port}/hook"
    return await transport.send(a_request(url, tls=Tls(ca=authority.pem), **options))


@pytest.mark.parametrize("does", HTTP2)
async def test_a_receiver_over_http2(does, authority, http2_context):
    talk, expected = HTTP2[does]
    receiver = HostileReceiver([speaking_http2(talk)])
    async with HttpTransport(LOOPBACK) as transport, receiver.serving(http2_context):
        timeout = 0.3 if getattr(expected, "type", None) is ErrorType.TIMEOUT else 10
        exchange = await send_http2(transport, authority, receiver, timeout=timeout)
        await check(receiver, exchange, expected)
