"""The addresses that are not simply public, after IANA's special-purpose address registries.

https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry, with
multicast and the addresses at which clouds answer for themselves. The narrowest range decides.
"""

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Reach(Enum):
    """Whether deliveries may go there.

    `OPEN`: globally reachable. `PRIVATE`: where the installation names the network or the host.
    `NEVER`: only where it names the single address.
    """

    OPEN = "open"
    PRIVATE = "private"
    NEVER = "never"


@dataclass(frozen=True)
class SpecialRange:
    """A range, what an address of it is in words, and whether it is open."""

    network: Network
    what: str
    reach: Reach


_NEVER = (
    ("168.63.129.16/32", "a cloud metadata address (Azure)"),
    ("169.254.169.254/32", "a cloud metadata address"),
    ("100.100.100.200/32", "a cloud metadata address (Alibaba Cloud)"),
    ("192.0.0.192/32", "a cloud metadata address (Oracle Cloud)"),
    ("fd00:42::42/128", "a cloud metadata address (Scaleway)"),
    ("fd00:ec2::23/128", "a cloud metadata address (AWS, for pods)"),
    ("fd00:ec2::254/128", "a cloud metadata address (AWS)"),
    ("fd20:ce::254/128", "a cloud metadata address (Google Cloud)"),
    ("0.0.0.0/8", "an address of this host itself (RFC 1122)"),
    ("169.254.0.0/16", "a link-local address (RFC 3927)"),
    ("224.0.0.0/4", "a multicast address (RFC 5771)"),
    ("255.255.255.255/32", "the broadcast address (RFC 919)"),
    ("::/128", "the unspecified address (RFC 4291)"),
    ("fe80::/10", "a link-local address (RFC 4291)"),
    ("ff00::/8", "a multicast address (RFC 4291)"),
)
_PRIVATE = (
    ("10.0.0.0/8", "a private address (RFC 1918)"),
    ("100.64.0.0/10", "a shared address of a carrier's NAT (RFC 6598)"),
    ("127.0.0.0/8", "a loopback address (RFC 1122)"),
    ("172.16.0.0/12", "a private address (RFC 1918)"),
    ("192.0.0.0/24", "reserved for protocols (RFC 6890)"),
    ("192.0.0.0/29", "an address of DS-Lite (RFC 7335)"),
    ("192.0.0.8/32", "the IPv4 dummy address (RFC 7600)"),
    ("192.0.0.170/32", "an address that finds NAT64 (RFC 7050)"),
    ("192.0.0.171/32", "an address that finds NAT64 (RFC 7050)"),
    ("192.0.2.0/24", "a documentation address (RFC 5737)"),
    ("192.88.99.0/24", "a 6to4 relay (RFC 7526)"),
    ("192.168.0.0/16", "a private address (RFC 1918)"),
    ("198.18.0.0/15", "a benchmarking address (RFC 2544)"),
    ("198.51.100.0/24", "a documentation address (RFC 5737)"),
    ("203.0.113.0/24", "a documentation address (RFC 5737)"),
    ("240.0.0.0/4", "a reserved address (RFC 1112)"),
    ("::/96", "an IPv4-compatible address (RFC 4291)"),
    ("::1/128", "a loopback address (RFC 4291)"),
    ("64:ff9b:1::/48", "a local NAT64 address (RFC 8215)"),
    ("100::/64", "a discard-only address (RFC 6666)"),
    ("100:0:0:1::/64", "a dummy address (RFC 9780)"),
    ("2001::/23", "reserved for protocols (RFC 2928)"),
    ("2001::/32", "a Teredo address (RFC 4380)"),
    ("2001:2::/48", "a benchmarking address (RFC 5180)"),
    ("2001:10::/28", "an ORCHID (RFC 4843)"),
    ("2001:db8::/32", "a documentation address (RFC 3849)"),
    ("2002::/16", "a 6to4 address (RFC 7526)"),
    ("3fff::/20", "a documentation address (RFC 9637)"),
    ("5f00::/16", "a segment-routing address (RFC 9602)"),
    ("fc00::/7", "a private (unique local) address (RFC 4193)"),
    ("fec0::/10", "a site-local address (RFC 3879)"),
)
_OPEN = (
    ("192.0.0.9/32", "the anycast address of port control (RFC 7723)"),
    ("192.0.0.10/32", "the anycast address of TURN (RFC 8155)"),
    ("192.31.196.0/24", "an address of AS112 (RFC 7535)"),
    ("192.52.193.0/24", "an address of AMT (RFC 7450)"),
    ("192.175.48.0/24", "an address of AS112 (RFC 7534)"),
    ("2000::/3", "a global unicast address (RFC 4291)"),
    ("2001:1::1/128", "the anycast address of port control (RFC 7723)"),
    ("2001:1::2/128", "the anycast address of TURN (RFC 8155)"),
    ("2001:1::3/128", "the anycast address of DNS-SD (RFC 9665)"),
    ("2001:3::/32", "an address of AMT (RFC 7450)"),
    ("2001:4:112::/48", "an address of AS112 (RFC 7535)"),
    ("2001:20::/28", "an ORCHIDv2 (RFC 7343)"),
    ("2001:30::/28", "a drone's identifier (RFC 9374)"),
    ("2620:4f:8000::/48", "an address of AS112 (RFC 7534)"),
)

SPECIAL_RANGES = tuple(
    sorted(
        (
            SpecialRange(ip_network(network), what, reach)
            for reach, ranges in (
                (Reach.NEVER, _NEVER),
                (Reach.PRIVATE, _PRIVATE),
                (Reach.OPEN, _OPEN),
            )
            for network, what in ranges
        ),
        key=lambda special: -special.network.prefixlen,
    )
)
"""The narrowest first."""

_UNASSIGNED = SpecialRange(ip_network("::/0"), "not a public address", Reach.PRIVATE)
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: how an IPv6-only host reaches any IPv4 address
_LOCAL_NAT64 = ip_network("64:ff9b:1::/48")
_COMPATIBLE = ip_network("::/96")


def unwrapped(address: Address) -> Address:
    """Give the IPv4 address that an IPv6 address is only another spelling of."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _NAT64:
            return _last_32_bits(address)
    return address


def embedded(address: Address) -> tuple[IPv4Address, ...]:
    """Give the IPv4 addresses that a tunnel or translator may send this IPv6 address on to."""
    if isinstance(address, IPv4Address):
        return ()
    if address.teredo:
        return address.teredo
    if address.sixtofour:
        return (address.sixtofour,)
    if address in _LOCAL_NAT64:  # whose prefix is of 48 bits or of 96 (RFC 6052, section 2.2)
        packed = address.packed
        return (IPv4Address(packed[6:8] + packed[9:11]), _last_32_bits(address))
    if address in _COMPATIBLE and int(address) > 1:
        return (_last_32_bits(address),)
    return ()


def special_range(address: Address) -> SpecialRange | None:
    """Give the narrowest range that the address is in; an ordinary IPv4 address is in none."""
    for special in SPECIAL_RANGES:
        if address in special.network:
            return special
    return _UNASSIGNED if isinstance(address, IPv6Address) else None


def _last_32_bits(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFFFFFF)
