import asyncio
import contextlib
import gc
import gzip
import os
import resource
import socket
import ssl
import threading
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address, ip_network

import httpcore
import pytest

from portcall.adapters.guard import SystemResolver
from portcall.adapters.http import HttpTransport
from portcall.adapters.http_errors import TRANSLATED, attempt_error
from portcall.adapters.journey import Journey, ResolveError
from portcall.addresses import Allowed
from portcall.attempts import BODY_LIMIT, ErrorType
from portcall.errors import OutOfResourcesError
from portcall.ports import OutgoingRequest
from tests.fixtures.receiver import Answer

LOOPBACK = Allowed([ip_network("127.0.0.0/8")])


def a_request(url, *, timeout=5.0, headers=(), body=b"{}", skip_cert_verify=False):
    return OutgoingRequest(
        url=url,
        headers=tuple(headers),
        body=body,
        timeout=timedelta(seconds=timeout),
        skip_cert_verify=skip_cert_verify,
    )


@pytest.fixture
async def transport():
    async with HttpTransport(LOOPBACK) as transport:
        yield transport


@pytest.fixture
def no_file_left():
    """Gives a block in which this process can open no file and no socket."""

    @contextlib.contextmanager
    def block():
        given = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, given[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, given)

    return block


async def test_a_request_arrives_as_it_was_given_and_the_response_comes_back(transport, receiver):
    receiver.answer(Answer(202, b"taken", {"X-Reply": "ja\xfc"}))
    headers = [("Content-Type", "application/json"), ("X-Team", "é"), ("User-Agent", "Portcall/1")]
    exchange = await transport.send(
        a_request(receiver.url("/a%20b?c=d"), headers=headers, body=b"\xff\x00")
    )
    assert exchange.error is None
    assert exchange.response.status == 202
    assert ("X-Reply", "ja\xfc") in exchange.response.headers
    assert (exchange.response.body, exchange.response.truncated) == (b"taken", False)
    assert exchange.peer == f"127.0.0.1:{receiver.port}"
    [request] = receiver.requests
    assert (request.method, request.path, request.body) == ("POST", "/a%20b?c=d", b"\xff\x00")
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["x-team"].encode("latin-1").decode() == "é"
    assert request.headers.keys() == {
        "host", "content-type", "x-team", "user-agent", "content-length"
    }  # fmt: skip


async def test_phases_are_timed_and_a_kept_connection_has_none_of_the_first(transport, receiver):
    first = await transport.send(a_request(receiver.url(host="localhost")))
    second = await transport.send(a_request(receiver.url(host="localhost")))
    assert first.timings.dns > 0
    assert first.timings.connect > 0
    assert first.timings.tls is None
    assert 0 < first.timings.first_byte <= first.timings.total
    assert (second.timings.dns, second.timings.connect) == (None, None)
    assert second.peer == first.peer
    assert receiver.connections == 1


async def test_a_body_over_the_limit_is_cut_while_reading(transport, receiver):
    receiver.answer(Answer(500, b"x" * 20_000_000))
    exchange = await transport.send(a_request(receiver.url()))
    assert exchange.response.status == 500
    assert exchange.response.body == b"x" * BODY_LIMIT
    assert exchange.response.truncated


async def test_a_request_says_how_much_of_the_body_it_wants(transport, receiver):
    receiver.answer(Answer(body=b"x" * 200_000))
    wanted = replace(a_request(receiver.url(), body=b""), method="GET", body_limit=150_000)
    exchange = await transport.send(wanted)
    assert exchange.response.body == b"x" * 150_000
    assert exchange.response.truncated
    [request] = receiver.requests
    assert request.method == "GET"
    assert "content-length" not in request.headers


async def test_a_body_of_just_the_limit_is_whole(transport, receiver):
    receiver.answer(Answer(body=b"x" * BODY_LIMIT))
    exchange = await transport.send(a_request(receiver.url()))
    assert len(exchange.response.body) == BODY_LIMIT
    assert not exchange.response.truncated


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (Answer(body=b"\xff\xfe\x00"), b"\xff\xfe\x00"),
        (
            Answer(body=gzip.compress(b"a", mtime=0), headers={"Content-Encoding": "gzip"}),
            gzip.compress(b"a", mtime=0),
        ),
        (Answer(body=b"plain", headers={"Content-Encoding": "gzip"}), b"plain"),
        (
            Answer(
                raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
            ),
            b"ab",
        ),
        (Answer(raw=b"HTTP/1.0 200 OK\r\n\r\nuntil closed"), b"until closed"),
        (Answer(raw=b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nok"), b"ok"),
    ],
    ids=["no text", "gzip", "not gzip", "chunked", "until closed", "after 100"],
)
async def test_whatever_bytes_the_body_has_are_kept_undecoded(transport, receiver, answer, body):
    receiver.answer(answer)
    exchange = await transport.send(a_request(receiver.url()))
    assert exchange.response.status == 200
    assert exchange.response.body == body


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_not_followed(transport, receiver, status):
    receiver.answer(Answer(status, headers={"Location": receiver.url("/elsewhere")}))
    exchange = await transport.send(a_request(receiver.url()))
    assert exchange.response.status == status
    assert [request.path for request in receiver.requests] == ["/hook"]


async def test_a_receiver_that_answered_badly_does_no_harm_to_the_next_request(transport, receiver):
    for answer in (
        Answer(never=True),
        Answer(reset=True),
        Answer(raw=b""),
        Answer(raw=b"?\r\n\r\n"),
    ):
        receiver.answer(answer)
        await transport.send(a_request(receiver.url(), timeout=0.2))
    receiver.answer(204)
    exchange = await transport.send(a_request(receiver.url()))
    assert exchange.response.status == 204


async def test_dead_receivers_do_not_hold_up_the_others(transport, receiver):
    receiver.answer(Answer(never=True), path="/dead")
    dead = [
        asyncio.create_task(transport.send(a_request(receiver.url("/dead"), timeout=30)))
        for _ in range(150)
    ]
    await receiver.wait_for(150)
    exchange = await transport.send(a_request(receiver.url(), timeout=10))
    assert exchange.response.status == 200
    assert not any(task.done() for task in dead)
    for task in dead:
        task.cancel()
    await asyncio.gather(*dead, return_exceptions=True)


async def test_cancelling_is_not_taken_for_a_fault_of_the_receiver(transport, receiver):
    receiver.answer(Answer(never=True))
    task = asyncio.create_task(transport.send(a_request(receiver.url())))
    await receiver.wait_for(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_refused_connection_names_the_address(transport, unused_tcp_port):
    exchange = await transport.send(a_request(f"http://127.0.0.1:{unused_tcp_port}/"))
    assert exchange.error.type is ErrorType.CONNECT
    assert exchange.error.message == f"connection refused by 127.0.0.1:{unused_tcp_port}"
    assert exchange.peer == f"127.0.0.1:{unused_tcp_port}"


async def test_a_process_without_a_file_left_blames_no_receiver(transport, receiver, no_file_left):
    with no_file_left(), pytest.raises(OutOfResourcesError, match="sent: too many open files"):
        await transport.send(a_request(receiver.url()))
    assert (await transport.send(a_request(receiver.url()))).response.status == 200


async def test_a_name_that_no_file_is_left_to_look_up_is_not_said_to_be_none(no_file_left):
    resolve = SystemResolver()
    with no_file_left(), pytest.raises(OSError, match="open files"):
        await resolve("ci.invalid")
    with pytest.raises(ResolveError):
        await resolve("ci.invalid")
    resolve.close()


async def test_a_host_that_does_not_exist_is_named(transport):
    exchange = await transport.send(a_request("http://no-such-host.invalid/"))
    assert exchange.error.type is ErrorType.DNS
    assert "no-such-host.invalid" in exchange.error.message


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://" + "a" * 64 + ".example/", ErrorType.DNS),
        ("http:///hook", ErrorType.DNS),
        ("gopher://ci.example/", ErrorType.PROTOCOL),
        ("http://127.0.0.1:99999/", ErrorType.PROTOCOL),
    ],
)
async def test_a_url_that_cannot_be_used_is_a_value_too(transport, url, kind):
    exchange = await transport.send(a_request(url))
    assert exchange.error.type is kind


@pytest.mark.parametrize("value", ["line\r\nInjected: yes", "nul\0", " space "])
async def test_a_header_that_would_break_the_request_is_not_sent_and_not_shown(
    transport, receiver, value
):
    exchange = await transport.send(a_request(receiver.url(), headers=[("X-Key", value)]))
    assert exchange.error.type is ErrorType.PROTOCOL
    assert value not in exchange.error.message
    assert receiver.requests == []


async def test_loopback_is_blocked_by_default_and_nothing_is_sent(receiver):
    async with HttpTransport() as transport:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            exchange = await transport.send(a_request(receiver.url(host=host)))
            assert exchange.error.type is ErrorType.BLOCKED
            assert "is a loopback address" in exchange.error.message
            assert "PORTCALL_ALLOWED_NETWORKS" in exchange.error.message
    assert receiver.connections == 0


def answering(*rounds):
    """A name server that gives another answer each time."""
    left = list(rounds)

    async def resolve(host):
        return [ip_address(address) for address in left.pop(0)]

    return resolve


async def test_only_the_allowed_addresses_of_a_host_are_connected_to(receiver):
    resolve = answering(["10.0.0.1", "127.0.0.1"])
    async with HttpTransport(LOOPBACK, resolve=resolve) as transport:
        exchange = await transport.send(a_request(receiver.url(host="ci.example")))
    assert exchange.response.status == 200
    assert exchange.peer == f"127.0.0.1:{receiver.port}"
    assert receiver.requests[0].headers["host"] == f"ci.example:{receiver.port}"


async def test_a_name_is_resolved_once_per_connection_so_that_rebinding_gains_nothing(receiver):
    receiver.answer(Answer(headers={"Connection": "close"}))
    async with HttpTransport(LOOPBACK, resolve=answering(["127.0.0.1"], ["10.0.0.1"])) as transport:
        first = await transport.send(a_request(receiver.url(host="ci.example")))
        second = await transport.send(a_request(receiver.url(host="ci.example")))
    assert first.response.status == 200
    assert second.error.type is ErrorType.BLOCKED


async def test_the_next_address_is_tried_where_the_first_refuses(receiver):
    resolve = answering(["127.0.0.2", "127.0.0.1"])
    async with HttpTransport(LOOPBACK, resolve=resolve) as transport:
        exchange = await transport.send(a_request(receiver.url(host="ci.example")))
    assert exchange.peer == f"127.0.0.1:{receiver.port}"


async def test_a_host_without_an_address_does_not_exist():
    async with HttpTransport(LOOPBACK, resolve=answering([])) as transport:
        exchange = await transport.send(a_request("http://ci.example/"))
    assert exchange.error.message == "no such host: ci.example"


async def test_a_name_server_that_does_not_answer_is_bounded_by_the_timeout_as_well():
    async def resolve(host):
        await asyncio.sleep(3600)

    async with HttpTransport(LOOPBACK, resolve=resolve) as transport:
        exchange = await transport.send(a_request("http://ci.example/", timeout=0.2))
    assert exchange.error.type is ErrorType.TIMEOUT
    assert exchange.error.message == "no answer from the name server for ci.example within 200ms"


async def test_proxy_variables_are_ignored(receiver, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with HttpTransport(LOOPBACK) as transport:
        exchange = await transport.send(a_request(receiver.url()))
    assert exchange.response.status == 200


async def test_a_self_signed_certificate_is_refused_with_the_reason(transport, tls_receiver):
    exchange = await transport.send(a_request(tls_receiver.url(host="localhost")))
    assert exchange.error.type is ErrorType.TLS
    assert exchange.error.message == "certificate verify failed: self-signed certificate"
    assert tls_receiver.requests == []


async def test_a_target_may_skip_the_verification_of_its_certificate(transport, tls_receiver):
    url = tls_receiver.url(host="localhost")
    exchange = await transport.send(a_request(url, skip_cert_verify=True))
    assert exchange.response.status == 200
    assert exchange.timings.tls > 0
    verified = await transport.send(a_request(url))
    assert verified.error.type is ErrorType.TLS, "the trusting connection was used again"


async def test_the_certificate_is_checked_for_the_hosts_name_not_for_its_address(
    tls_receiver, certificate, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", certificate.file)
    resolve = answering(["127.0.0.1"], ["127.0.0.1"])
    async with HttpTransport(LOOPBACK, resolve=resolve) as transport:
        right = await transport.send(a_request(tls_receiver.url(host="localhost")))
        wrong = await transport.send(a_request(tls_receiver.url(host="ci.example")))
    assert right.response.status == 200
    assert wrong.error.type is ErrorType.TLS
    assert "not valid for 'ci.example'" in wrong.error.message


async def test_tls_to_a_plain_port_says_so(transport, receiver):
    url = receiver.url().replace("http:", "https:")
    exchange = await transport.send(a_request(url, timeout=1))
    assert exchange.error.type in (ErrorType.TLS, ErrorType.TIMEOUT)
    assert "TLS" in exchange.error.message


async def test_plain_http_to_a_tls_port_is_a_value(transport, tls_receiver):
    url = tls_receiver.url().replace("https:", "http:")
    exchange = await transport.send(a_request(url, timeout=1))
    assert exchange.error.type in (ErrorType.CONNECT, ErrorType.PROTOCOL)


async def test_a_dead_name_server_of_one_host_does_not_hold_up_the_names_of_others():
    dead = threading.Event()

    def look_up(host, *_, **__):
        if host == "dead.example":
            dead.wait()
        return [(None, None, None, None, ("192.0.2.7", 0))]

    resolve = SystemResolver(look_up)
    waiting = [asyncio.create_task(resolve("dead.example")) for _ in range(200)]
    try:
        await asyncio.sleep(0)
        waiting[0].cancel()
        async with asyncio.timeout(5):
            assert await resolve("ci.example") == [ip_address("192.0.2.7")]
    finally:
        dead.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [[ip_address("192.0.2.7")]] * 199
    resolve.close()


async def test_a_dead_zone_with_many_hosts_does_not_hold_up_who_was_quick(caplog):
    dead = threading.Event()

    def look_up(host, *_, **__):
        if host.endswith("dead.example"):
            dead.wait()
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return [(None, None, None, None, ("192.0.2.7", 0))]

    resolve = SystemResolver(look_up)
    assert await resolve("ci.example") == [ip_address("192.0.2.7")]
    waiting = [asyncio.create_task(resolve(f"{number}.dead.example")) for number in range(300)]
    try:
        await asyncio.sleep(0)
        for _ in range(2):
            async with asyncio.timeout(5):
                assert await resolve("ci.example") == [ip_address("192.0.2.7")]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    finally:
        dead.set()
    with pytest.raises(ResolveError, match="no name server answered"):
        await resolve("0.dead.example")
    resolve.close()
    gc.collect()
    assert not caplog.records, "of answers for which nobody waits any more"


def all_subclasses(kind):
    return {kind}.union(*map(all_subclasses, kind.__subclasses__()))


def test_every_error_that_httpcore_knows_is_translated():
    known = {
        kind
        for kind in vars(httpcore).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    } - {httpcore.ConnectionNotAvailable}  # the pool's own; it tries the next connection
    assert known >= all_subclasses(httpcore.NetworkError)
    assert [kind for kind in known if not issubclass(kind, TRANSLATED)] == []
    for kind in known:
        error = attempt_error(kind("?"), Journey("ci.example"), timedelta(seconds=1))
        assert error.message


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (OSError(113, ""), ErrorType.CONNECT, "no route to ci.example"),
        (OSError(99, ""), ErrorType.CONNECT, "cannot assign requested address: ci.example"),
        (httpcore.ConnectError(), ErrorType.CONNECT, "no connection to ci.example"),
        (ssl.SSLError(), ErrorType.TLS, "TLS handshake failed: connection closed"),
        (httpcore.ConnectTimeout(), ErrorType.TIMEOUT, "no connection to ci.example within 10s"),
        (TimeoutError(), ErrorType.TIMEOUT, "no connection to ci.example within 15s"),
    ],
)
def test_an_error_is_said_in_a_sentence(fault, kind, message):
    error = attempt_error(fault, Journey("ci.example"), timedelta(seconds=15))
    assert (error.type, error.message) == (kind, message)
