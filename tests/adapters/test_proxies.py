"""Deliveries through proxies: who is asked for what, and what the guard still holds."""

import itertools
from base64 import b64encode
from datetime import timedelta
from ipaddress import ip_address, ip_network

import pytest

from portcall.adapters.http import HttpTransport
from portcall.adapters.proxies import EnvironmentProxies, ProxyRoute
from portcall.addresses import Allowed
from portcall.attempts import ErrorType
from portcall.auth import BasicAuth
from portcall.errors import ConfigurationError
from portcall.ports import OutgoingRequest
from portcall.receiving import Proxy, Tls
from tests.fixtures.hostile import HostileReceiver, make_authority, server_context, speaking_http2
from tests.fixtures.proxy import ConnectProxy
from tests.fixtures.receiver import Receiver

LOOPBACK = Allowed([ip_network("127.0.0.0/8")])
BASIC = "Basic " + b64encode("käpt'n:p w:d".encode()).decode()


def a_request(url, *, proxy=None, timeout=5.0, **options):
    return OutgoingRequest(
        url=url,
        headers=(("Content-Type", "application/json"), ("Content-Length", "2")),
        body=b"{}",
        timeout=timedelta(seconds=timeout),
        proxy=proxy,
        **options,
    )


def a_proxy(proxy, scheme="http", **auth):
    return Proxy(url=f"{scheme}://127.0.0.1:{proxy.port}", **auth)


def transport_knowing(allowed=LOOPBACK, proxies=None, *, proxy_resolves=False, **hosts):
    """A transport whose name server knows the hosts; `_` stands for a dot in their names."""
    known = {name.replace("_", "."): addresses for name, addresses in hosts.items()}

    async def resolve(host):
        return [ip_address(address) for address in known.get(host, ())]

    return HttpTransport(allowed, proxies=proxies, proxy_resolves=proxy_resolves, resolve=resolve)


@pytest.fixture
async def proxy():
    async with ConnectProxy().serving() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def authority():
    return make_authority()


# Who is asked for what


async def test_a_targets_proxy_is_asked_to_connect_to_the_address_that_was_checked(receiver, proxy):
    async with transport_knowing(ci_example=["127.0.0.1"]) as transport:
        url = receiver.url(host="ci.example")
        for _ in range(2):
            exchange = await transport.send(a_request(url, proxy=a_proxy(proxy)))
            assert exchange.response.status == 200
    assert proxy.asked == [f"CONNECT 127.0.0.1:{receiver.port}"], "once; then it was kept"
    assert exchange.peer == f"127.0.0.1:{receiver.port}"
    assert receiver.requests[0].headers["host"] == f"ci.example:{receiver.port}"
    assert receiver.requests[0].path == "/hook"
    assert "Authorization" not in proxy.heads[0]


async def test_tls_is_with_the_target_and_for_its_name(proxy, authority, tmp_path):
    context = server_context(tmp_path, authority.issue("ci.example"))
    async with (
        Receiver("https").serving(context=context) as receiver,
        transport_knowing(ci_example=["127.0.0.1"], other_example=["127.0.0.1"]) as transport,
    ):
        options = {"proxy": a_proxy(proxy), "tls": Tls(ca=authority.pem)}
        right = await transport.send(a_request(receiver.url(host="ci.example"), **options))
        wrong = await transport.send(a_request(receiver.url(host="other.example"), **options))
    assert right.response.status == 200
    assert "Hostname mismatch" in wrong.error.message
    assert proxy.asked == [f"CONNECT 127.0.0.1:{receiver.port}"] * 2
    for phase in ("dns", "connect", "tls", "first_byte"):
        assert getattr(right.timings, phase) > 0


async def test_http2_goes_through_a_proxy_that_is_spoken_to_by_tls(
    authority, tmp_path, monkeypatch
):
    async def answers(http):
        await http.answer(await http.request())

    file = tmp_path / "authority.pem"
    file.write_text(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = server_context(tmp_path, authority.issue("localhost"), alpn=["h2"])
    proxy_context = server_context(tmp_path, authority.issue("localhost"))
    receiver = HostileReceiver([speaking_http2(answers)])
    async with (
        receiver.serving(context),
        ConnectProxy().serving(proxy_context) as proxy,
        HttpTransport(LOOPBACK) as transport,
    ):
        url = f"https://localhost:{receiver.port}/"
        through = Proxy(url=f"https://localhost:{proxy.port}")
        exchange = await transport.send(a_request(url, proxy=through))
        unverified = await transport.send(a_request(url, proxy=a_proxy(proxy, "https")))
    assert ("x-http", "2") in exchange.response.headers
    assert unverified.error.type is ErrorType.TLS
    assert unverified.error.message.startswith(
        f"the proxy 127.0.0.1:{proxy.port}: certificate verify failed: "
    )


async def test_the_proxy_gets_its_credential_and_the_target_does_not(receiver):
    auth = BasicAuth(username="käpt'n", password="p w:d")
    async with ConnectProxy(authorization=BASIC).serving() as proxy:
        async with HttpTransport(LOOPBACK) as transport:
            through = a_proxy(proxy, auth=auth)
            exchange = await transport.send(a_request(receiver.url(), proxy=through))
        assert exchange.response.status == 200
    assert "proxy-authorization" not in receiver.requests[0].headers


async def test_the_next_address_is_tried_where_the_proxy_cannot_reach_the_first(receiver, proxy):
    async with transport_knowing(ci_example=["127.0.0.2", "127.0.0.1"]) as transport:
        exchange = await transport.send(
            a_request(receiver.url(host="ci.example"), proxy=a_proxy(proxy))
        )
    assert exchange.response.status == 200
    assert exchange.peer == f"127.0.0.1:{receiver.port}"
    assert len(proxy.asked) == 2


# The guard


@pytest.mark.parametrize(
    ("host", "resolves"),
    [
        ("metadata.example", False),  # a name that only the proxy resolves cannot be judged
        *itertools.product(["10.0.0.1", "169.254.169.254", "[::1]", "localhost"], [False, True]),
    ],
)
async def test_a_refused_address_is_not_reached_through_a_proxy_either(proxy, host, resolves):
    allowed = Allowed([ip_network("127.0.0.1/32")], ports=[range(1, 65536)])
    if host == "localhost":
        allowed = Allowed(hosts=["proxy.example"])
    hosts = {"metadata_example": ["169.254.169.254"], "localhost": ["127.0.0.1"]}
    hosts["proxy_example"] = ["127.0.0.1"]
    async with transport_knowing(allowed, proxy_resolves=resolves, **hosts) as transport:
        through = Proxy(url=f"http://proxy.example:{proxy.port}")
        exchange = await transport.send(a_request(f"http://{host}/", proxy=through))
    assert exchange.error.type is ErrorType.BLOCKED
    assert proxy.heads == []


async def test_a_targets_proxy_must_pass_the_guard_itself(proxy, receiver):
    async with transport_knowing(
        Allowed(hosts=["ci.example"]), ci_example=["127.0.0.1"], proxy_example=["10.0.0.1"]
    ) as transport:
        url = receiver.url(host="ci.example")
        literal = await transport.send(a_request(url, proxy=a_proxy(proxy)))
        named = await transport.send(a_request(url, proxy=Proxy(url="http://proxy.example:3128")))
        mail = await transport.send(a_request(url, proxy=Proxy(url="http://proxy.example:25")))
    assert {e.error.type for e in (literal, named, mail)} == {ErrorType.BLOCKED}
    assert literal.error.message.startswith("the target's proxy: 127.0.0.1 is a loopback address")
    assert named.error.message.startswith("the target's proxy: 10.0.0.1 is a private address")
    assert mail.error.message.startswith("the target's proxy: port 25 is for SMTP")
    assert proxy.heads == receiver.requests == []


async def test_the_operators_proxy_may_stand_in_a_private_network(proxy, receiver):
    proxies = EnvironmentProxies({"http": f"http://127.0.0.1:{proxy.port}"})
    allowed = Allowed(hosts=["ci.example"])
    async with transport_knowing(allowed, proxies, ci_example=["127.0.0.1"]) as transport:
        exchange = await transport.send(a_request(receiver.url(host="ci.example")))
    assert exchange.response.status == 200
    assert proxy.asked == [f"CONNECT 127.0.0.1:{receiver.port}"]


async def test_a_name_is_left_to_the_proxy_where_that_alone_can_resolve_it(receiver):
    async with ConnectProxy(names={"ci.internal.example": "127.0.0.1"}).serving() as proxy:
        proxies = EnvironmentProxies({"all": f"127.0.0.1:{proxy.port}"})
        async with transport_knowing(Allowed(), proxies, proxy_resolves=True) as transport:
            exchange = await transport.send(a_request(receiver.url(host="ci.internal.example")))
            odd = await transport.send(a_request("http://0x7f.1/"))
        assert proxy.asked == [f"CONNECT ci.internal.example:{receiver.port}"]
    assert exchange.response.status == 200
    assert exchange.peer == f"ci.internal.example:{receiver.port}"
    assert exchange.timings.dns is None
    assert odd.error.type is ErrorType.BLOCKED
    assert odd.error.message == "write an IPv4 address as four decimal numbers"


async def test_the_targets_own_proxy_wins(proxy, receiver):
    proxies = EnvironmentProxies({"http": "http://127.0.0.1:9", "no": "*"})
    async with transport_knowing(proxies=proxies, ci_example=["127.0.0.1"]) as transport:
        url = receiver.url(host="ci.example")
        exchange = await transport.send(a_request(url, proxy=a_proxy(proxy)))
    assert exchange.response.status == 200
    assert len(proxy.asked) == 1


# Faults of the proxy


FAULTS = {
    "wants a credential": (
        ConnectProxy(authorization=BASIC),
        ErrorType.CONNECT,
        "the proxy {proxy} refused to connect to {peer} (HTTP 407)",
    ),
    "forbids it": (
        ConnectProxy(answer=b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nforbidden"),
        ErrorType.CONNECT,
        "the proxy {proxy} refused to connect to {peer} (HTTP 403)",
    ),
    "is no proxy": (
        ConnectProxy(answer=b"220 mail.example ESMTP\r\n\r\n"),
        ErrorType.CONNECT,
        "the proxy {proxy} does not answer as an HTTP proxy",
    ),
    "closes": (
        ConnectProxy(answer=b""),
        ErrorType.CONNECT,
        "the proxy {proxy} does not answer as an HTTP proxy",
    ),
    "hangs": (
        ConnectProxy(hangs=True),
        ErrorType.TIMEOUT,
        "no connection through the proxy {proxy} within 300ms",
    ),
    "floods": (
        ConnectProxy(answer=b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000),
        ErrorType.PROTOCOL,
        "the proxy {proxy} sent more than 128 KiB beside the body",
    ),
}


@pytest.mark.parametrize("does", FAULTS)
async def test_a_fault_of_the_proxy_is_told_from_one_of_the_receiver(receiver, does):
    proxy, kind, message = FAULTS[does]
    async with proxy.serving(), HttpTransport(LOOPBACK) as transport:
        timeout = 0.3 if kind is ErrorType.TIMEOUT else 5
        through = a_proxy(proxy)
        exchange = await transport.send(a_request(receiver.url(), proxy=through, timeout=timeout))
    assert exchange.error.type is kind
    assert exchange.error.message == message.format(
        proxy=f"127.0.0.1:{proxy.port}", peer=f"127.0.0.1:{receiver.port}"
    )
    assert exchange.peer == f"127.0.0.1:{receiver.port}"
    assert receiver.requests == []


async def test_a_proxy_that_is_not_there_is_named_without_its_credential(unused_tcp_port):
    proxies = EnvironmentProxies({"http": f"http://me:planted@127.0.0.1:{unused_tcp_port}"})
    async with transport_knowing(proxies=proxies, ci_example=["127.0.0.1"]) as transport:
        exchange = await transport.send(a_request("http://ci.example/"))
        proxies = EnvironmentProxies({"http": "http://me:planted@no-such.example"})
    async with transport_knowing(proxies=proxies, ci_example=["127.0.0.1"]) as transport:
        unknown = await transport.send(a_request("http://ci.example/"))
    assert exchange.error.message == (
        f"connection refused by the proxy 127.0.0.1:{unused_tcp_port}"
    )
    assert unknown.error.type is ErrorType.DNS
    assert unknown.error.message == "no such host: the proxy no-such.example:80"
    assert "planted" not in f"{exchange} {unknown}"


async def test_a_receiver_that_is_not_there_is_the_receivers_fault(proxy, unused_tcp_port):
    async with HttpTransport(LOOPBACK) as transport:
        url = f"http://127.0.0.1:{unused_tcp_port}/"
        exchange = await transport.send(a_request(url, proxy=a_proxy(proxy)))
    assert exchange.error.message == (
        f"the proxy 127.0.0.1:{proxy.port} refused to connect to "
        f"127.0.0.1:{unused_tcp_port} (HTTP 502)"
    )


# The operator's variables


PROXIES = EnvironmentProxies(
    {
        "http": "http://plain.example:3128",
        "https": "https://k%C3%A4pt'n:p%20w%3Ad@secure.example",
        "no": "direct.example, .inner.example,*.star.example,ci.example:8443,10.0.0.0/8,[fd00::1]",
    }
)


@pytest.mark.parametrize(
    ("scheme", "host", "port", "proxy"),
    [
        ("http", "ci.example", 80, "plain.example:3128"),
        ("https", "ci.example", 443, "secure.example:443"),
        ("https", "ci.example", 8443, None),
        ("http", "direct.example", 80, None),
        ("http", "DIRECT.example", 80, None),
        ("http", "a.direct.example", 80, None),
        ("http", "indirect.example", 80, "plain.example:3128"),
        ("http", "a.inner.example", 80, None),
        ("http", "a.star.example", 80, None),
        ("http", "10.1.2.3", 80, None),
        ("http", "11.1.2.3", 80, "plain.example:3128"),
        ("http", "fd00::1", 80, None),
        ("http", "fd00::2", 80, "plain.example:3128"),
        ("http", "127.0.0.1", 80, None),
        ("http", "::1", 80, None),
        ("http", "localhost", 80, None),
    ],
)
def test_the_operators_proxy_is_asked_but_where_no_proxy_says_otherwise(scheme, host, port, proxy):
    found = PROXIES.proxy_for(scheme, host, port)
    assert (found and found.authority) == proxy


def test_a_credential_in_a_variable_is_sent_and_not_shown():
    found = PROXIES.proxy_for("https", "ci.example", 443)
    assert found == ProxyRoute("https", "secure.example", 443, BASIC, trusted=True)
    assert BASIC not in repr(found)


@pytest.mark.parametrize(
    ("given", "scheme", "proxy"),
    [
        ({"all": "proxy.example:3128"}, "https", "proxy.example:3128"),
        ({"all": "http://[fd00::1]:3128"}, "http", "[fd00::1]:3128"),
        ({"all": "http://a:1", "http": "http://b:2"}, "http", "b:2"),
        ({"https": "http://a:1"}, "http", None),
        ({"http": ""}, "http", None),
        ({"http": "http://a:1", "no": "*"}, "http", None),
        ({}, "http", None),
    ],
)
def test_a_variable_for_all_schemes_stands_in_for_a_missing_one(given, scheme, proxy):
    found = EnvironmentProxies(given).proxy_for(scheme, "ci.example", 80)
    assert (found and found.authority) == proxy


@pytest.mark.parametrize(
    ("given", "variable"),
    [
        ({"http": "socks5://me:planted@a:1"}, "HTTP_PROXY"),
        ({"https": "http://a:port"}, "HTTPS_PROXY"),
        ({"all": "socks5h://a:1"}, "ALL_PROXY"),
    ],
)
def test_a_variable_that_names_no_http_proxy_is_told_by_its_name(given, variable):
    with pytest.raises(ConfigurationError, match=rf"^{variable}: write http://host:port") as told:
        EnvironmentProxies(given)
    assert "planted" not in str(told.value)
