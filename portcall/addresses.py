"""Decides where a target may point: which URLs are well formed, which addresses are open.

A name is judged when it is resolved, by `refusal` on the very address that is connected to
(`adapters/guard.py`); `check_url` tells a user early what can be told without asking DNS.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

from portcall.special_ports import SPECIAL_PORTS
from portcall.special_ranges import (
    Address,
    Network,
    Reach,
    SpecialRange,
    embedded,
    special_range,
    unwrapped,
)


@dataclass(frozen=True)
class Allowed:
    """What an installation opens besides public addresses; with `ports` only these are open.

    A host is an exact name or `*.` with what the name ends with.
    """

    networks: Sequence[Network] = ()
    hosts: Sequence[str] = ()
    ports: Sequence[range] = ()

    def has_host(self, host: str) -> bool:
        """Say whether the host may have private addresses."""
        name = host.lower()
        return any(
            name.endswith(known[1:]) if known.startswith("*.") else name == known
            for known in self.hosts
        )

    def opens(self, address: Address, special: SpecialRange, host: str) -> bool:
        """Say whether deliveries to the host may go to its address of a special range."""
        if special.reach is Reach.NEVER:
            return address in (net[0] for net in self.networks if net.num_addresses == 1)
        if special.reach is Reach.PRIVATE:
            return self.has_host(host) or any(address in net for net in self.networks)
        return True


PUBLIC_ONLY = Allowed()
_HOW_TO_ALLOW = {
    Reach.PRIVATE: "PORTCALL_ALLOWED_NETWORKS or PORTCALL_ALLOWED_HOSTS can allow it",
    Reach.NEVER: "only PORTCALL_ALLOWED_NETWORKS with exactly this address can allow it",
}


def refusal(address: Address, allowed: Allowed = PUBLIC_ONLY, host: str = "") -> str | None:
    """Say why deliveries to the host may not go to this address, or None where they may."""
    real = unwrapped(address)
    special = special_range(real)
    if special and not allowed.opens(real, special, host):
        return f"{address} is {special.what}; {_HOW_TO_ALLOW[special.reach]}"
    for inner in embedded(real):
        if reason := refusal(inner, allowed, host):
            return f"{address} leads on: {reason}"
    return None


def port_refusal(port: int, allowed: Allowed = PUBLIC_ONLY) -> str | None:
    """Say why deliveries may not go to this port, or None where they may."""
    if allowed.ports:
        if any(port in ports for ports in allowed.ports):
            return None
        return f"port {port} is not among PORTCALL_ALLOWED_PORTS"
    if service := SPECIAL_PORTS.get(port):
        return f"port {port} is for {service}, not for HTTP; PORTCALL_ALLOWED_PORTS can allow it"
    return None


_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(:\d{1,5})?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*", re.IGNORECASE)
DEFAULT_PORTS = {"http": 80, "https": 443}


def check_url(url: str, allowed: Allowed = PUBLIC_ONLY) -> None:
    """Raise ValueError saying why a target may not have this URL."""
    parts = _split(url)
    host = parts.hostname or ""
    address = host_address(host, bracketed=parts.netloc.startswith("["))
    reason = address and refusal(address, allowed, host)
    reason = reason or port_refusal(parts.port or DEFAULT_PORTS[parts.scheme], allowed)
    if reason:
        raise ValueError(reason)


def _split(url: str) -> SplitResult:
    """Take the URL apart, refusing whatever two parsers could read in two ways."""
    if re.search(r"[\s\\\x00-\x1f\x7f]", url):
        raise ValueError("a URL holds no space, backslash or control character")
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS:
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


def host_address(host: str, *, bracketed: bool = False) -> Address | None:
    """Give the address that the host is a literal of, None for a name that DNS answers.

    ValueError says why it is neither.
    """
    if bracketed:
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
