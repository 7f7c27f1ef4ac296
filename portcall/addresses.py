"""Decides where a target may point: which URLs are well formed, which addresses are open.

A name is judged when it is resolved, by `refusal` on the very address that is connected to
(`adapters/guard.py`); `check_url` tells a user early what can be told without asking DNS.
"""

import re
from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_REFUSED: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), what)
    for network, what in (
        ("168.63.129.16/32", "a cloud metadata address (Azure)"),
        ("169.254.169.254/32", "a cloud metadata address"),
        ("100.100.100.200/32", "a cloud metadata address (Alibaba Cloud)"),
        ("192.0.0.192/32", "a cloud metadata address (Oracle Cloud)"),
        ("fd00:ec2::254/128", "a cloud metadata address (AWS)"),
        ("fd20:ce::254/128", "a cloud metadata address (Google Cloud)"),
        ("0.0.0.0/8", "an address of this host itself (RFC 1122)"),
        ("10.0.0.0/8", "a private address (RFC 1918)"),
        ("100.64.0.0/10", "a shared address of a carrier's NAT (RFC 6598)"),
        ("127.0.0.0/8", "a loopback address (RFC 1122)"),
        ("169.254.0.0/16", "a link-local address (RFC 3927)"),
        ("172.16.0.0/12", "a private address (RFC 1918)"),
        ("192.0.0.0/24", "reserved for protocols (RFC 6890)"),
        ("192.0.2.0/24", "a documentation address (RFC 5737)"),
        ("192.88.99.0/24", "a 6to4 relay (RFC 7526)"),
        ("192.168.0.0/16", "a private address (RFC 1918)"),
        ("198.18.0.0/15", "a benchmarking address (RFC 2544)"),
        ("198.51.100.0/24", "a documentation address (RFC 5737)"),
        ("203.0.113.0/24", "a documentation address (RFC 5737)"),
        ("224.0.0.0/4", "a multicast address (RFC 5771)"),
        ("240.0.0.0/4", "a reserved address (RFC 1112)"),
        ("::/128", "the unspecified address (RFC 4291)"),
        ("::1/128", "a loopback address (RFC 4291)"),
        ("64:ff9b:1::/48", "a local NAT64 address (RFC 8215)"),
        ("100::/64", "a discard-only address (RFC 6666)"),
        ("2001::/32", "a Teredo address (RFC 4380)"),
        ("2001::/23", "reserved for protocols (RFC 2928)"),
        ("2001:db8::/32", "a documentation address (RFC 3849)"),
        ("2002::/16", "a 6to4 address (RFC 7526)"),
        ("3fff::/20", "a documentation address (RFC 9637)"),
        ("5f00::/16", "a segment-routing address (RFC 9602)"),
        ("fc00::/7", "a private (unique local) address (RFC 4193)"),
        ("fe80::/10", "a link-local address (RFC 4291)"),
        ("ff00::/8", "a multicast address (RFC 4291)"),
    )
)
_GLOBAL_UNICAST = ip_network("2000::/3")  # RFC 4291; the rest is unassigned or special
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: how an IPv6-only host reaches any IPv4 address

HOW_TO_ALLOW = "PORTCALL_ALLOWED_NETWORKS can allow it"


def _unwrapped(address: Address) -> Address:
    """Give the IPv4 address that an IPv6 address is only another spelling of."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def refusal(address: Address, allowed_networks: Sequence[Network] = ()) -> str | None:
    """Say why deliveries may not go to this address, or None where they may."""
    real = _unwrapped(address)
    if any(real in network for network in allowed_networks):
        return None
    for network, what in _REFUSED:
        if real in network:
            return f"{address} is {what}"
    outside = isinstance(real, IPv6Address) and real not in _GLOBAL_UNICAST
    if outside or not real.is_global:
        return f"{address} is not a public address"
    return None


_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(:\d{1,5})?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*", re.IGNORECASE)


def check_url(url: str, allowed_networks: Sequence[Network] = ()) -> None:
    """Raise ValueError saying why a target may not have this URL."""
    address = _host_address(_split(url))
    reason = address and refusal(address, allowed_networks)
    if reason:
        raise ValueError(f"{reason}; {HOW_TO_ALLOW}")


def _split(url: str) -> SplitResult:
    """Take the URL apart, refusing whatever two parsers could read in two ways."""
    if re.search(r"[\s\\\x00-\x1f\x7f]", url):
        raise ValueError("a URL holds no space, backslash or control character")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("the URL starts with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("put the credential into `auth`, not into the URL")
    if parts.fragment or url.endswith("#"):
        raise ValueError("a fragment (#...) is never sent; leave it out")
    if not _AUTHORITY.fullmatch(parts.netloc) or not _has_port_in_range(parts):
        raise ValueError("behind // stands host or host:port, the port from 1 to 65535")
    return parts


def _has_port_in_range(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _host_address(parts: SplitResult) -> Address | None:
    """Give the address that the host is a literal of, None for a name that DNS answers."""
    host = parts.hostname or ""
    if parts.netloc.startswith("["):
        return _literal(IPv6Address, host, "write an IPv6 address like [2001:db8::1]")
    labels = host.split(".")
    if not host.isascii():
        raise ValueError("write an international host name in its ASCII form (xn--...)")
    if labels[-1] == "" and len(labels) > 1:
        raise ValueError("leave out the dot at the end of the host name")
    if _NUMBER.fullmatch(labels[-1]):
        # inet_aton reads 127.1, 0x7f.0.0.1 and 2130706433 as addresses too (WHATWG URL, 3.5)
        return _literal(IPv4Address, host, "write an IPv4 address as four decimal numbers")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("the host name is not valid (RFC 1123)")
    if labels[-1] == "localhost":  # RFC 6761, section 6.3
        return IPv4Address("127.0.0.1")
    return None


def _literal(kind: type[Address], host: str, advice: str) -> Address:
    if "%" in host:  # a zone (RFC 4007) means something on one machine only
        raise ValueError(advice)
    try:
        return kind(host)
    except ValueError:
        raise ValueError(advice) from None
