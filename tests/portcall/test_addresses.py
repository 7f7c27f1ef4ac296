import re
from ipaddress import IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcall.addresses import check_url, refusal

PUBLIC = ("8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")

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
    ("168.63.129.16", "metadata"),
    ("100.100.100.200", "metadata"),
    ("192.0.0.192", "metadata"),
    ("100.64.0.1", "carrier"),
    ("192.0.0.8", "protocols"),
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
    ("2001:20::1", "protocols"),
    ("64:ff9b:1::a00:1", "NAT64"),
    ("100::1", "discard"),
    ("5f00::1", "segment"),
    ("224.0.0.1", "multicast"),
    ("ff02::1", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("::8.8.8.8", "not a public"),
    ("fec0::1", "not a public"),
    ("4000::1", "not a public"),
)


def is_allowed(address, allowed_networks=()):
    return refusal(address, allowed_networks) is None


@pytest.mark.parametrize("address", PUBLIC)
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
    assert is_allowed(ip_address(address), [ip_network(network)])
    assert not is_allowed(ip_address(address), [ip_network("203.0.113.0/24")])


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_in_each_spelling(address):
    mapped = IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    nat64 = IPv6Address(b"\0\x64\xff\x9b" + b"\0" * 8 + address.packed)
    assert is_allowed(mapped) == is_allowed(nat64) == is_allowed(address)


@given(st.ip_addresses())
def test_what_is_open_is_global_unicast_to_the_standard_library_too(address):
    if is_allowed(address):
        assert address.is_global or isinstance(address, IPv6Address)
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
        ("http://169.254.169.254/latest/meta-data", "169.254.0.0/16"),
    ],
)
def test_a_literal_in_a_refused_range_is_refused_until_its_network_is_allowed(url, network):
    with pytest.raises(ValueError, match="PORTCALL_ALLOWED_NETWORKS"):
        check_url(url)
    check_url(url, [ip_network(network)])


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
