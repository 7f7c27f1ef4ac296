import re
from ipaddress import IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcall.addresses import Allowed, check_url, port_refusal, refusal
from portcall.special_ports import SPECIAL_PORTS
from portcall.special_ranges import SPECIAL_RANGES, Reach

PUBLIC = ("8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")
OPEN = (
    "192.0.0.9",
    "192.0.0.10",
    "192.31.196.1",
    "192.52.193.1",
    "192.175.48.1",
    "2001:1::1",
    "2001:1::2",
    "2001:1::3",
    "2001:3::1",
    "2001:4:112::1",
    "2001:20::1",
    "2001:30::1",
    "2620:4f:8000::1",
)

REFUSED = (
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("::1", "loopback"),
    ("::ffff:127.0.0.1", "loopback"),
    ("64:ff9b::7f00:1", "loopback"),
    ("0.0.0.0", "this host"),
    ("0.1.2.3", "this host"),
    ("::", "unspecified"),
    ("10.1.2.3", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("::ffff:192.168.1.1", "private"),
    ("fc00::1", "private"),
    ("fd12:3456::1", "private"),
    ("169.254.1.1", "link-local"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("169.254.169.254", "metadata"),
    ("64:ff9b::a9fe:a9fe", "metadata"),
    ("fd00:ec2::254", "metadata"),
    ("fd00:ec2::23", "metadata"),
    ("fd00:42::42", "metadata"),
    ("168.63.129.16", "metadata"),
    ("100.100.100.200", "metadata"),
    ("192.0.0.192", "metadata"),
    ("100.64.0.1", "carrier"),
    ("192.0.0.8", "dummy"),
    ("192.0.2.7", "documentation"),
    ("198.51.100.1", "documentation"),
    ("203.0.113.1", "documentation"),
    ("2001:db8::1", "documentation"),
    ("3fff::1", "documentation"),
    ("198.18.0.1", "benchmarking"),
    ("192.88.99.1", "6to4"),
    ("2002:7f00:1::", "6to4"),
    ("2002:808:808::", "6to4"),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo"),
    ("2001:2::1", "benchmarking"),
    ("2001:10::1", "ORCHID"),
    ("2001:1::4", "protocols"),
    ("192.0.0.1", "DS-Lite"),
    ("192.0.0.170", "NAT64"),
    ("192.0.0.171", "NAT64"),
    ("64:ff9b:1::a00:1", "NAT64"),
    ("100::1", "discard"),
    ("100:0:0:1::1", "dummy"),
    ("5f00::1", "segment"),
    ("224.0.0.1", "multicast"),
    ("ff02::1", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("::8.8.8.8", "IPv4-compatible"),
    ("fec0::1", "site-local"),
    ("4000::1", "not a public"),
)


def is_allowed(address, *networks, hosts=(), host=""):
    allowed = Allowed([ip_network(network) for network in networks], hosts)
    return refusal(ip_address(address), allowed, host) is None


@pytest.mark.parametrize("address", PUBLIC + OPEN)
def test_a_public_address_is_open(address):
    assert refusal(ip_address(address)) is None


@pytest.mark.parametrize(("address", "word"), REFUSED)
def test_a_special_address_is_refused_in_words_that_say_what_it_is(address, word):
    reason = refusal(ip_address(address))
    assert reason is not None
    assert reason.startswith(f"{ip_address(address)} is ")
    assert word in reason


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", "127.0.0.0/8"),
        ("::ffff:127.0.0.1", "127.0.0.0/8"),
        ("64:ff9b::a00:1", "10.0.0.0/8"),
        ("fd00::1", "fd00::/8"),
        ("169.254.169.254", "169.254.169.254/32"),
        ("4000::1", "4000::/16"),
    ],
)
def test_an_allowed_network_opens_its_addresses_however_they_are_spelt(address, network):
    assert is_allowed(address, network)
    assert not is_allowed(address, "203.0.113.0/24")


NEVER = [special for special in SPECIAL_RANGES if special.reach is Reach.NEVER]
EVERYTHING = ("0.0.0.0/0", "::/0", "169.254.0.0/16", "fe80::/10", "100.64.0.0/10", "192.0.0.0/24")


@pytest.mark.parametrize("special", NEVER, ids=lambda special: str(special.network))
def test_link_local_and_metadata_are_opened_by_the_exact_address_alone(special):
    address = special.network[-1]
    reason = refusal(address, Allowed([*map(ip_network, EVERYTHING)], ["*.example"]), "a.example")
    assert reason == (
        f"{address} is {special.what}; "
        "only PORTCALL_ALLOWED_NETWORKS with exactly this address can allow it"
    )
    assert is_allowed(address, str(address))
    if special.network.num_addresses > 1:
        assert not is_allowed(address, special.network)
        assert not is_allowed(address, special.network[0])


@pytest.mark.parametrize(
    ("host", "is_open"),
    [
        ("ci.corp.example", True),
        ("CI.corp.example", True),
        ("ci2.corp.example", False),
        ("a.ci.corp.example", False),
        ("x.apps.example", True),
        ("y.x.apps.example", True),
        ("apps.example", False),
        ("xapps.example", False),
        ("", False),
    ],
)
def test_an_allowed_host_may_have_private_addresses(host, is_open):
    hosts = ["ci.corp.example", "*.apps.example"]
    for address in ("10.0.0.1", "127.0.0.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1"):
        assert is_allowed(address, hosts=hosts, host=host) is is_open
    for address in ("169.254.169.254", "fe80::1", "0.0.0.0", "64:ff9b::a9fe:a9fe"):
        assert not is_allowed(address, hosts=hosts, host=host)


@pytest.mark.parametrize(
    ("address", "network", "inner"),
    [
        ("2002:7f00:1::", "2002::/16", "127.0.0.1"),
        ("2002:a9fe:a9fe::1", "2002::/16", "169.254.169.254"),
        ("2001:0:a00:1:8000:63bf:f7f7:f7f7", "2001::/32", "10.0.0.1"),
        ("2001:0:4136:e378:8000:63bf:5601:5601", "2001::/32", "169.254.169.254"),
        ("64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1::/48", "169.254.169.254"),
        ("64:ff9b:1:808:8:800:a9fe:a9fe", "64:ff9b:1::/48", "169.254.169.254"),
        ("::10.0.0.1", "::/96", "10.0.0.1"),
    ],
)
def test_an_allowed_tunnel_does_not_lead_on_to_what_is_refused(address, network, inner):
    reason = refusal(ip_address(address), Allowed([ip_network(network)]))
    assert reason.startswith(f"{ip_address(address)} leads on: {inner} is ")
    assert is_allowed(address, network, f"{inner}/32", "0.0.0.0/32")


def test_an_allowed_tunnel_leads_on_to_public_addresses():
    assert is_allowed("2002:808:808::1", "2002::/16")
    assert is_allowed("::8.8.8.8", "::/96")
    assert is_allowed("::1", "::1/128")


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_in_each_spelling(address):
    mapped = IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    nat64 = IPv6Address(b"\0\x64\xff\x9b" + b"\0" * 8 + address.packed)
    assert is_allowed(mapped) == is_allowed(nat64) == is_allowed(address)


@given(st.ip_addresses())
def test_what_is_open_is_global_unicast_to_the_standard_library_too(address):
    if is_allowed(address):
        assert address.is_global or isinstance(address, IPv6Address) or str(address) in OPEN
        assert not address.is_multicast
        assert not address.is_loopback
        assert not address.is_link_local


@pytest.mark.parametrize(
    "url",
    [
        "https://ci.example/hook",
        "http://ci.example:8080/a/b?c=d&e=%20f",
        "HTTPS://CI.example",
        "https://8.8.8.8/hook",
        "https://[2606:4700::1111]:8443/hook",
        "https://xn--bcher-kva.example/",
        "https://under_score.example",
        "https://3com.example",
        "https://intern/hook",
    ],
)
def test_an_ordinary_url_is_accepted(url):
    check_url(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "starts with http"),
        ("ci.example/hook", "starts with http"),
        ("//ci.example/hook", "starts with http"),
        ("ftp://ci.example", "starts with http"),
        ("file:///etc/passwd", "starts with http"),
        ("javascript:alert(1)", "starts with http"),
        ("https://", "not valid"),
        ("https:///hook", "not valid"),
        ("https://?x", "not valid"),
        ("https://user@ci.example", "into `auth`"),
        ("https://user:pw@ci.example", "into `auth`"),
        ("https://8.8.8.8@127.0.0.1/", "into `auth`"),
        ("https://ci.example/#frag", "fragment"),
        ("https://ci.example/#", "fragment"),
        ("https://ci.example:0/", "host:port"),
        ("https://ci.example:65536/", "host:port"),
        ("https://ci.example:99999999/", "host:port"),
        ("https://ci.example:x/", "host:port"),
        ("https://ci.example:/", "host:port"),
        ("https://ci .example/", "no space"),
        ("https://ci.example/\n", "no space"),
        ("https://ci.example\\@evil.example/", "no space"),
        ("https://ci\t.example/", "no space"),
        ("https://ci.example./", "dot at the end"),
        ("https://127.0.0.1./", "dot at the end"),
        ("https://./", "dot at the end"),
        ("https://ci..example/", "not valid"),
        ("https://-ci.example/", "not valid"),
        ("https://ci%2eexample/", "not valid"),
        ("https://" + "a" * 64 + ".example/", "not valid"),
        ("https://" + "a." * 127 + "example/", "not valid"),
        ("https://bücher.example/", "xn--"),
        ("https://１２７.0.0.1/", "xn--"),  # noqa: RUF001
        ("https://127.1/", "four decimal"),
        ("https://2130706433/", "four decimal"),
        ("https://0x7f000001/", "four decimal"),
        ("https://0x7f.0.0.1/", "four decimal"),
        ("https://0177.0.0.1/", "four decimal"),
        ("https://127.0.0.0x1/", "four decimal"),
        ("https://1.2.3.4.5/", "four decimal"),
        ("https://256.0.0.1/", "four decimal"),
        ("https://foo.1/", "four decimal"),
        ("https://0/", "four decimal"),
        ("https://0x/", "four decimal"),
        ("https://1.0x7f/", "four decimal"),
        ("http://foo@bar@baz/", "into `auth`"),
        ("http://@ci.example/", "into `auth`"),
        ("http://ci.example:80:80/", "host:port"),
        ("http://ci.example:+80/", "host:port"),
        ("http://ci.example: 80/", "no space"),
        ("http://ci.example:٨٠/", "host:port"),
        ("http:///hook", "not valid"),
        ("http:/ci.example/", "not valid"),
        ("http:ci.example", "not valid"),
        ("http:\\\\ci.example", "no space"),
        ("\thttp://ci.example/", "no space"),
        ("http://localhost./", "dot at the end"),
        ("http://127.0.0.1%2f.ci.example/", "not valid"),
        ("http://%31%32%37.0.0.1/", "four decimal"),
        ("http://127。0。0。1/", "xn--"),
        ("http://ⓛocalhost/", "xn--"),
        ("http://ci.example\u200b/", "xn--"),
        ("http://[::1%eth0]/", "IPv6"),
        ("http://[::ffff:127.0.0.1.]/", "IPv6"),
        ("http://::1/", "host:port"),
        ("https://[::1/", "IPv6"),
        ("https://[::1]x/", "host:port"),
        ("https://[::g]/", "IPv6"),
        ("https://[fe80::1%25eth0]/", "IPv6"),
        ("https://[v1.x]/", "IPv6"),
        ("https://[]/", "IPv6"),
        ("https://[8.8.8.8]/", "IPv"),
    ],
)
def test_an_odd_url_is_refused_with_the_reason(url, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        check_url(url)


@pytest.mark.parametrize(
    ("url", "network"),
    [
        ("http://127.0.0.1:9000/hook", "127.0.0.0/8"),
        ("http://localhost:9000/hook", "127.0.0.0/8"),
        ("http://app.localhost/hook", "127.0.0.0/8"),
        ("http://[::1]/hook", "::1/128"),
        ("http://[::ffff:10.0.0.1]/hook", "10.0.0.0/8"),
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254/32"),
    ],
)
def test_a_literal_in_a_refused_range_is_refused_until_its_network_is_allowed(url, network):
    with pytest.raises(ValueError, match="PORTCALL_ALLOWED_NETWORKS"):
        check_url(url)
    check_url(url, Allowed([ip_network(network)]))


def test_a_literal_host_may_be_allowed_by_its_name():
    with pytest.raises(ValueError, match="PORTCALL_ALLOWED_HOSTS"):
        check_url("http://10.0.0.1/")
    check_url("http://10.0.0.1/", Allowed(hosts=["10.0.0.1"]))
    check_url("http://localhost/", Allowed(hosts=["localhost"]))


@pytest.mark.parametrize("port", sorted(SPECIAL_PORTS))
def test_a_port_of_another_protocol_is_refused_until_it_is_allowed(port):
    reason = port_refusal(port)
    assert reason.startswith(f"port {port} is for {SPECIAL_PORTS[port]}, not for HTTP")
    assert "PORTCALL_ALLOWED_PORTS" in reason
    assert port_refusal(port, Allowed(ports=[range(port, port + 1)])) is None


def test_where_ports_are_named_only_these_are_open():
    allowed = Allowed(ports=[range(443, 444), range(8000, 9001)])
    for port in (443, 8000, 9000):
        assert port_refusal(port, allowed) is None
    for port in (80, 7999, 9001, 25):
        assert port_refusal(port, allowed) == f"port {port} is not among PORTCALL_ALLOWED_PORTS"


@pytest.mark.parametrize(
    ("url", "port"),
    [("http://ci.example/", 80), ("https://ci.example", 443), ("https://ci.example:25/", 25)],
)
def test_the_port_of_a_url_is_checked_if_it_is_written_or_not(url, port):
    with pytest.raises(ValueError, match=f"port {port} is not among"):
        check_url(url, Allowed(ports=[range(1, 2)]))
    check_url(url, Allowed(ports=[range(port, port + 1)]))


def test_mail_is_not_reached_by_a_webhook():
    with pytest.raises(ValueError, match="port 25 is for SMTP"):
        check_url("http://mail.example:25/")


@given(st.text(max_size=60) | st.from_regex(r"https?://[\[\]:.%@0-9a-fx/\\]{0,40}", fullmatch=True))
def test_checking_any_text_gives_an_answer_or_a_reason(text):
    reason = ""
    try:
        check_url(text)
    except ValueError as error:
        reason = str(error)
    assert text.lower().startswith("http") or reason


@given(st.integers(0, 2**32 - 1))
def test_no_number_is_taken_for_a_host(number):
    with pytest.raises(ValueError, match=r"four decimal"):
        check_url(f"http://{number}/")
