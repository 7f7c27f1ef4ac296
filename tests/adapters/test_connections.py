"""Which requests share a connection, when one is used again, and what is said over HTTP/2."""

import asyncio
import ssl
import warnings
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import h2.errors
import pytest

from portcall.adapters.connections import KEEPALIVE_SECONDS
from portcall.adapters.http import HttpTransport
from portcall.addresses import Allowed
from portcall.attempts import ErrorType
from portcall.ports import OutgoingRequest
from portcall.receiving import Tls
from tests.fixtures.hostile import (
    HostileReceiver,
    frame,
    hang,
    make_authority,
    pem_of,
    read_request,
    read_something,
    send,
    server_context,
    speaking_http2,
)
from tests.fixtures.receiver import Answer, Receiver

LOOPBACK = Allowed([ip_network("127.0.0.0/8")])
ANSWER = send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def a_request(url, *, timeout=5.0, body=b"{}", headers=(), **options):
    return OutgoingRequest(
        url=url,
        headers=(("Content-Type", "application/json"), *headers),
        body=body,
        timeout=timedelta(seconds=timeout),
        **options,
    )


@pytest.fixture
async def transport():
    async with HttpTransport(LOOPBACK) as transport:
        yield transport


@pytest.fixture(scope="module")
def authority():
    return make_authority()


@pytest.fixture(scope="module")
def context(authority, tmp_path_factory):
    """A server's context for `localhost` that offers HTTP/2."""
    directory = tmp_path_factory.mktemp("server")
    return server_context(directory, authority.issue("localhost"), alpn=["h2", "http/1.1"])


# Connections that are kept


async def test_a_connection_is_used_again_by_the_same_target_only(transport, receiver):
    for pool in ("a", "b", "a", "b", "a"):
        exchange = await transport.send(a_request(receiver.url(), pool=pool))
        assert exchange.response.status == 200
    assert receiver.connections == 2
    assert [request.connection for request in receiver.requests] == [1, 2, 1, 2, 1]


async def test_a_connection_with_a_certificate_is_not_used_without_it(
    transport, authority, tmp_path
):
    trusting = Tls(ca=authority.pem)
    certificate, key = authority.issue("portcall")
    showing = Tls(ca=authority.pem, client_cert=certificate, client_key=key)
    context = server_context(tmp_path, authority.issue("localhost"))
    async with Receiver("https").serving(context=context) as receiver:
        for tls in (trusting, showing, trusting, showing):
            url = receiver.url(host="localhost")
            exchange = await transport.send(a_request(url, tls=tls))
            assert exchange.response.status == 200
    assert [request.connection for request in receiver.requests] == [1, 2, 1, 2]


async def test_a_hanging_request_does_not_hold_up_the_next_of_the_same_target(transport, receiver):
    receiver.answer(Answer(never=True), path="/dead")
    dead = asyncio.create_task(transport.send(a_request(receiver.url("/dead"), pool="a")))
    await receiver.wait_for(1)
    exchange = await transport.send(a_request(receiver.url(), pool="a"))
    assert exchange.response.status == 200
    dead.cancel()
    await asyncio.gather(dead, return_exceptions=True)


async def test_a_connection_that_the_receiver_closed_meanwhile_is_not_used(transport):
    receiver = HostileReceiver([read_request, ANSWER])
    async with receiver.serving():
        for _ in range(3):
            url = f"http://127.0.0.1:{receiver.port}/"
            exchange = await transport.send(a_request(url, headers=[("Content-Length", "2")]))
            assert exchange.response.status == 200
            await asyncio.sleep(0.05)  # its FIN arrives
    assert len(receiver.wires) == 3


@pytest.mark.parametrize(
    "more",
    [b"HTTP/1.1 204 No Content\r\n\r\n", b"\r\n", b"HTTP/1.1 2"],
    ids=["a whole answer", "a line", "the begin of an answer"],
)
async def test_what_comes_beyond_an_answer_is_not_taken_for_the_answer_to_the_next_request(
    transport, more
):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + more
    receiver = HostileReceiver([read_request, send(answer), read_request, hang])
    async with receiver.serving():
        for _ in range(3):
            url = f"http://127.0.0.1:{receiver.port}/"
            exchange = await transport.send(a_request(url, headers=[("Content-Length", "2")]))
            assert (exchange.response.status, exchange.response.body) == (200, b"ok")
    assert len(receiver.wires) == 3


async def test_nor_is_what_was_received_but_not_yet_read(transport):
    """An answer that ends where a read of 16 KiB does leaves the rest unseen."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 16342\r\n\r\n"
    answer = head + b"x" * 16342
    assert len(answer) == 16 * 1024
    more = b"HTTP/1.1 204 No Content\r\n\r\n"
    receiver = HostileReceiver([read_request, send(answer + more), read_request, hang])
    async with receiver.serving():
        for _ in range(3):
            url = f"http://127.0.0.1:{receiver.port}/"
            exchange = await transport.send(a_request(url, headers=[("Content-Length", "2")]))
            assert exchange.response.status == 200
    assert len(receiver.wires) == 3


async def test_nor_is_a_further_record_of_tls(transport, authority, tmp_path):
    context = server_context(tmp_path, authority.issue("localhost"))

    async def answer(reader, writer):
        outgoing, incoming = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = context.wrap_bio(incoming, outgoing, server_side=True)
        step = secured.do_handshake
        while True:
            try:
                step()
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                if not (data := await reader.read(65536)):
                    break
                incoming.write(data)
                continue
            if step == secured.do_handshake:
                step = lambda: secured.read(65536)  # noqa: E731
                continue
            secured.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            secured.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            writer.write(outgoing.read())
            break
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for _ in range(3):
            request = a_request(
                f"https://localhost:{port}/",
                headers=[("Content-Length", "2")],
                tls=Tls(ca=authority.pem),
            )
            exchange = await transport.send(request)
            assert exchange.response.status == 200


async def test_a_connection_closed_just_as_the_next_request_comes_is_told_and_not_tried_again(
    transport,
):
    receiver = HostileReceiver([read_request, ANSWER, read_something])
    async with receiver.serving():
        request = a_request(f"http://127.0.0.1:{receiver.port}/", headers=[("Content-Length", "2")])
        await transport.send(request)
        second = await transport.send(request)
    assert second.error.type is ErrorType.CONNECT
    assert second.error.message == (
        f"connection closed by 127.0.0.1:{receiver.port} before the response was complete"
    )
    assert len(receiver.wires) == 1, "whether it was read is unknown; Portcall decides on a retry"


async def test_an_idle_connection_is_closed_after_a_while(transport, receiver):
    await transport.send(a_request(receiver.url()))
    started = asyncio.get_running_loop().time()
    async with asyncio.timeout(KEEPALIVE_SECONDS + 5):
        while receiver.open_connections:
            await asyncio.sleep(0.05)
    assert asyncio.get_running_loop().time() - started > KEEPALIVE_SECONDS - 0.5


async def test_of_many_idle_connections_the_oldest_are_closed(transport, receiver):
    for number in range(103):
        await transport.send(a_request(receiver.url(), pool=f"target-{number}"))
    async with asyncio.timeout(5):
        while receiver.open_connections > 100:
            await asyncio.sleep(0.01)
    await transport.send(a_request(receiver.url(), pool="target-102"))
    assert receiver.connections == 103
    await transport.send(a_request(receiver.url(), pool="target-0"))
    assert receiver.connections == 104


# HTTP/2


async def echoes(http):
    while True:
        stream = await http.request()
        headers, body = http.received(stream)
        text = "\n".join(f"{name}: {value}" for name, value in headers.items())
        await http.answer(stream, "200", text.encode() + b"\n\n" + body)


async def test_http2_is_spoken_where_it_is_offered_and_the_connection_kept(
    transport, authority, context
):
    receiver = HostileReceiver([speaking_http2(echoes)])
    async with receiver.serving(context):
        request = a_request(
            f"https://localhost:{receiver.port}/a%20b?c=d",
            headers=[
                ("X-Team", "é"),
                ("Connection", "keep-alive"),
                ("Host", f"localhost:{receiver.port}"),
                ("Content-Length", "2"),
            ],
            tls=Tls(ca=authority.pem),
        )
        first, second = await transport.send(request), await transport.send(request)
    assert first.response.body.decode() == (
        f":method: POST\n:scheme: https\n:authority: localhost:{receiver.port}\n"
        ":path: /a%20b?c=d\ncontent-type: application/json\nx-team: é\n"
        "content-length: 2\n\n{}"
    )
    assert ("x-http", "2") in first.response.headers
    assert second.response.status == 200
    assert len(receiver.wires) == 1
    for phase in (first.timings.dns, first.timings.connect, first.timings.tls):
        assert phase > 0
    assert (second.timings.dns, second.timings.connect, second.timings.tls) == (None, None, None)
    assert 0 < second.timings.first_byte <= second.timings.total
    assert first.peer == second.peer == f"127.0.0.1:{receiver.port}"


async def test_a_request_without_a_body_goes_over_http2_too(transport, authority, context):
    receiver = HostileReceiver([speaking_http2(echoes)])
    async with receiver.serving(context):
        url = f"https://localhost:{receiver.port}/"
        request = a_request(url, body=b"", tls=Tls(ca=authority.pem))
        exchange = await transport.send(replace(request, method="GET"))
    assert exchange.response.body.startswith(b":method: GET\n")
    assert b"content-length" not in exchange.response.body


@pytest.mark.parametrize(
    "settings", [{}, {"INITIAL_WINDOW_SIZE": 300}], ids=["as it comes", "narrow"]
)
async def test_a_large_body_is_sent_as_the_receiver_makes_room(
    transport, authority, context, settings
):
    async def measures(http):
        stream = await http.request()
        await http.answer(stream, "200", str(len(http.received(stream)[1])).encode())

    receiver = HostileReceiver([speaking_http2(measures, **settings)])
    async with receiver.serving(context):
        url = f"https://localhost:{receiver.port}/"
        size = 300_000 if not settings else 3_000
        exchange = await transport.send(a_request(url, body=b"x" * size, tls=Tls(ca=authority.pem)))
    assert exchange.response.body == str(size).encode()


async def test_a_receiver_that_makes_no_room_did_not_take_the_request(
    transport, authority, context
):
    async def makes_no_room(http):
        await http.head()
        await hang(http.wire)

    receiver = HostileReceiver([speaking_http2(makes_no_room, INITIAL_WINDOW_SIZE=1)])
    async with receiver.serving(context):
        url = f"https://localhost:{receiver.port}/"
        exchange = await transport.send(
            a_request(url, body=b"x" * 100_000, timeout=0.4, tls=Tls(ca=authority.pem))
        )
    assert exchange.error.message == (
        f"127.0.0.1:{receiver.port} did not take the request within 400ms"
    )


@pytest.mark.parametrize("value", ["line\r\nInjected: yes", "nul\0"])
async def test_a_header_that_would_break_a_request_is_not_sent_over_http2_either(
    transport, authority, context, value
):
    receiver = HostileReceiver([speaking_http2(echoes)])
    async with receiver.serving(context):
        url = f"https://localhost:{receiver.port}/"
        exchange = await transport.send(
            a_request(url, headers=[("X-Key", value)], tls=Tls(ca=authority.pem))
        )
    assert exchange.error.type is ErrorType.PROTOCOL
    assert value not in exchange.error.message


async def test_requests_that_time_out_or_are_cancelled_leave_nothing_behind(
    transport, authority, context
):
    """httpcore counts 100 of them as open and then refuses (its issue 1022)."""

    async def answers_the_patient(http):
        while True:
            stream = await http.request()
            if http.received(stream)[0][":path"] == "/patient":
                await http.answer(stream)

    receiver = HostileReceiver([speaking_http2(answers_the_patient)])
    async with receiver.serving(context):
        url, tls = f"https://localhost:{receiver.port}", Tls(ca=authority.pem)
        patient = a_request(f"{url}/patient", tls=tls, timeout=20)
        waiting = [
            asyncio.create_task(transport.send(a_request(f"{url}/", tls=tls, timeout=timeout)))
            for timeout in [0.05, 0.3, 20] * 10
        ]
        exchanges = await asyncio.gather(*(transport.send(patient) for _ in range(10)))
        await asyncio.wait(waiting, timeout=1)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        exchanges.append(await transport.send(patient))
        assert {exchange.response.status for exchange in exchanges} == {200}
        await transport.aclose()
        async with asyncio.timeout(10):
            while not all(wire.is_over for wire in receiver.wires):
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["GOAWAY", "REFUSED_STREAM"])
async def test_a_kept_connection_that_takes_no_more_is_replaced_at_once(
    transport, authority, context, how
):
    """Only where the receiver says that it did nothing with the request."""

    async def takes_one(http):
        await http.answer(await http.request())
        stream = await http.request()
        if how == "GOAWAY":
            await http.wire.send(frame(0x7, (stream - 2).to_bytes(4) + bytes(4)))
        else:
            http.h2.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
            await http.flush()
        await hang(http.wire)

    receiver = HostileReceiver([speaking_http2(takes_one)])
    async with receiver.serving(context):
        request = a_request(f"https://localhost:{receiver.port}/", tls=Tls(ca=authority.pem))
        statuses = [(await transport.send(request)).response.status for _ in range(3)]
    assert statuses == [200, 200, 200]
    assert len(receiver.wires) == 3


async def test_a_connection_that_is_being_ended_is_not_used_again(transport, authority, context):
    async def answers_and_says_goodbye(http):
        stream = await http.request()
        await http.wire.send(frame(0x7, stream.to_bytes(4) + bytes(4)))
        await http.answer(stream)
        await hang(http.wire)

    receiver = HostileReceiver([speaking_http2(answers_and_says_goodbye)])
    async with receiver.serving(context):
        request = a_request(f"https://localhost:{receiver.port}/", tls=Tls(ca=authority.pem))
        statuses = [(await transport.send(request)).response.status for _ in range(2)]
    assert statuses == [200, 200]
    assert len(receiver.wires) == 2


# TLS


def expired(authority, directory):
    return server_context(directory, authority.issue("localhost", days=-1))


def of_another_host(authority, directory):
    return server_context(directory, authority.issue("other.example"))


def of_another_authority(_, directory):
    return server_context(directory, make_authority("somebody").issue("localhost"))


def old(authority, directory):
    context = server_context(directory, authority.issue("localhost"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    return context


@pytest.mark.parametrize(
    ("make_context", "message"),
    [
        (expired, "certificate has expired"),
        (of_another_host, "Hostname mismatch, certificate is not valid for 'localhost'."),
        (of_another_authority, "unable to get local issuer certificate"),
    ],
    ids=["expired", "another host's", "another authority's"],
)
async def test_a_receiver_whose_tls_cannot_be_trusted_gets_nothing(
    transport, authority, tmp_path, make_context, message
):
    context = make_context(authority, tmp_path)
    async with Receiver("https").serving(context=context) as receiver:
        exchange = await transport.send(
            a_request(receiver.url(host="localhost"), tls=Tls(ca=authority.pem))
        )
        assert receiver.requests == []
    assert exchange.error.type is ErrorType.TLS
    assert exchange.error.message == f"certificate verify failed: {message}"
    assert exchange.timings.tls > 0


async def test_a_receiver_cannot_keep_a_worker_busy_below_its_answer(
    transport, authority, tmp_path
):
    """Tickets to resume a session with were read for as long as they came."""
    context = server_context(tmp_path, authority.issue("localhost"))
    context.num_tickets = 30_000  # of more than 200 bytes each
    async with HostileReceiver([read_request, ANSWER]).serving(context) as receiver:
        url = f"https://localhost:{receiver.port}/"
        exchange = await transport.send(a_request(url, tls=Tls(ca=authority.pem)))
    assert exchange.error.type is ErrorType.PROTOCOL
    assert exchange.error.message.endswith(f":{receiver.port} sent more than 4 MiB of TLS")


async def test_what_comes_over_a_kept_connection_counts_for_each_request_alone(
    transport, authority, tmp_path
):
    context = server_context(tmp_path, authority.issue("localhost"))
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60_000
    receiver = HostileReceiver([read_request, send(answer)] * 100)
    async with receiver.serving(context):
        url = f"https://localhost:{receiver.port}/"
        request = a_request(url, headers=[("Content-Length", "2")], tls=Tls(ca=authority.pem))
        for _ in range(100):
            exchange = await transport.send(request)
            assert exchange.error is None
            assert len(exchange.response.body) == 60_000
    assert len(receiver.wires) == 1


async def test_a_receiver_of_old_tls_alone_gets_nothing(transport, authority, tmp_path):
    async with Receiver("https").serving(context=old(authority, tmp_path)) as receiver:
        url = receiver.url(host="localhost")
        exchange = await transport.send(a_request(url, tls=Tls(ca=authority.pem)))
        assert receiver.requests == []
    assert exchange.error.type in (ErrorType.TLS, ErrorType.CONNECT), "with an alert, or without"
    assert "TLS handshake" in exchange.error.message


@pytest.mark.parametrize(
    ("script", "kind", "message"),
    [
        ([hang], ErrorType.TIMEOUT, "no TLS handshake with {peer} within 300ms"),
        (
            [read_something],
            ErrorType.CONNECT,
            "connection closed by {peer} during the TLS handshake",
        ),
        (
            [read_something, send(b"HTTP/1.1 400 Bad Request\r\n\r\n")],
            ErrorType.TLS,
            "TLS handshake failed: wrong version number",
        ),
        (
            [read_something, send(bytes(5000))],
            ErrorType.TLS,
            "TLS handshake failed: wrong version number",
        ),
    ],
    ids=["hangs", "closes", "speaks plain HTTP", "speaks garbage"],
)
async def test_a_receiver_that_does_not_speak_tls(transport, script, kind, message):
    receiver = HostileReceiver(script)
    async with receiver.serving():
        url = f"https://127.0.0.1:{receiver.port}/"
        timeout = 0.3 if kind is ErrorType.TIMEOUT else 5
        exchange = await transport.send(a_request(url, timeout=timeout))
    assert exchange.error.type is kind
    assert exchange.error.message == message.format(peer=f"127.0.0.1:{receiver.port}")


async def test_a_target_shows_its_own_certificate_and_trusts_its_own_authority(
    transport, authority, tmp_path
):
    certificate, key = authority.issue("portcall")
    context = server_context(tmp_path, authority.issue("localhost"), client_authority=authority.pem)
    async with Receiver("https").serving(context=context) as receiver:
        url = receiver.url(host="localhost")
        shown = await transport.send(
            a_request(
                url,
                tls=Tls(ca=authority.pem, client_cert=certificate, client_key=key),
            )
        )
        without = await transport.send(a_request(url, tls=Tls(ca=authority.pem)))
        system = await transport.send(
            a_request(url, tls=Tls(client_cert=certificate, client_key=key))
        )
        unchecked = await transport.send(
            a_request(
                url,
                tls=Tls(client_cert=certificate, client_key=key),
                skip_cert_verify=True,
            )
        )
    assert shown.response.status == unchecked.response.status == 200
    assert len(receiver.requests) == 2
    assert without.error.type in (ErrorType.TLS, ErrorType.CONNECT), "with an alert, or without"
    assert system.error.message.startswith("certificate verify failed: ")


async def test_certificates_that_cannot_be_used_are_told_and_not_quoted(transport, authority):
    certificate, key = authority.issue("portcall")
    other = pem_of(make_authority().key)
    tls = Tls(client_cert=certificate, client_key=other)
    exchange = await transport.send(a_request("https://127.0.0.1:9443/", tls=tls))
    assert exchange.error.type in (ErrorType.TLS, ErrorType.CONNECT)
    assert key not in str(exchange)
