"""Which proxy a request goes through, and how a proxy is asked to connect on.

A proxy is only ever asked to `CONNECT` to an address (RFC 9110, section 9.3.6), for http as for
https: it never reads a request's URL, and the guard has judged the address before.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

import h11
import httpcore

from portcall.addresses import DEFAULT_PORTS
from portcall.auth import BasicAuth
from portcall.errors import ConfigurationError
from portcall.receiving import Proxy

_READ_BYTES = 16 * 1024


class ProxyRefusedError(Exception):
    """The proxy will not connect on, or is none."""


@dataclass(frozen=True)
class ProxyRoute:
    """A proxy. It is `trusted` where the operator named it, else it must pass the guard."""

    scheme: str
    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)
    trusted: bool = False

    @property
    def authority(self) -> str:
        """Its host and port, without a credential."""
        return authority(self.host, self.port)


def authority(host: str, port: int) -> str:
    """Write a host and a port as URLs do."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def proxy_of(proxy: Proxy) -> ProxyRoute:
    """Give the proxy that a target names."""
    parts = urlsplit(str(proxy.url))
    basic = None
    if isinstance(proxy.auth, BasicAuth):
        basic = _basic(proxy.auth.username, proxy.auth.password.get_secret_value())
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    return ProxyRoute(parts.scheme, parts.hostname or "", port, basic)


class EnvironmentProxies:
    """The proxies that the operator names by `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`.

    `given` is what `urllib.request.getproxies_environment` found.
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        """Read the proxies' URLs; raise ConfigurationError naming the variable that is wrong."""
        self._given = dict(given or {})
        self._routes = {scheme: self._route(scheme) for scheme in DEFAULT_PORTS}

    def proxy_for(self, scheme: str, host: str, port: int) -> ProxyRoute | None:
        """Give the proxy for a URL, None where it is asked directly."""
        route = self._routes.get(scheme)
        return None if route is None or self._is_direct(host, port) else route

    def _route(self, scheme: str) -> ProxyRoute | None:
        name = scheme if scheme in self._given else "all"
        url = self._given.get(name)
        if not url:
            return None
        parts = urlsplit(url if "://" in url else f"http://{url}")
        try:
            default = DEFAULT_PORTS[parts.scheme]
            port = parts.port or default
        except (KeyError, ValueError):
            wanted = "write http://host:port or https://host:port"
            raise ConfigurationError(f"{name.upper()}_PROXY: {wanted}") from None
        basic = None
        if parts.username is not None:
            basic = _basic(unquote(parts.username), unquote(parts.password or ""))
        return ProxyRoute(parts.scheme, parts.hostname or "", port, basic, trusted=True)

    def _is_direct(self, host: str, port: int) -> bool:
        """Say whether NO_PROXY names the host, or it is this machine, which no proxy can reach."""
        named = [part.strip().lower() for part in self._given.get("no", "").split(",")]
        named += ["localhost", "127.0.0.0/8", "::1"]
        return any(part == "*" or _is_named(host.lower(), port, part) for part in named if part)


def _is_named(host: str, port: int, part: str) -> bool:
    """Say whether a part of NO_PROXY is the host, its domain, or its network."""
    try:
        return ip_address(host) in ip_network(part.strip("[]"), strict=False)
    except ValueError:
        name = part.removesuffix(f":{port}").removeprefix("*").removeprefix(".")
        return host.strip("[]") == name.strip("[]") or host.endswith(f".{name}")


def _basic(username: str, password: str) -> str:
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


async def ask_to_connect(
    stream: httpcore.AsyncNetworkStream, proxy: ProxyRoute, destination: str
) -> None:
    """Have the proxy connect to the destination; raise ProxyRefusedError where it does not."""
    headers = [("Host", destination)]
    if proxy.authorization:
        headers.append(("Proxy-Authorization", proxy.authorization))
    speech = h11.Connection(h11.CLIENT, max_incomplete_event_size=_READ_BYTES)
    request = h11.Request(method="CONNECT", target=destination, headers=headers)
    try:
        await stream.write((speech.send(request) or b"") + (speech.send(h11.EndOfMessage()) or b""))
        while not isinstance(event := speech.next_event(), h11.Response):
            if event is h11.NEED_DATA:
                speech.receive_data(await stream.read(_READ_BYTES))
    except (h11.RemoteProtocolError, httpcore.WriteError):
        raise ProxyRefusedError(
            f"the proxy {proxy.authority} does not answer as an HTTP proxy"
        ) from None
    if not 200 <= event.status_code < 300:
        reason = f"refused to connect to {destination} (HTTP {event.status_code})"
        raise ProxyRefusedError(f"the proxy {proxy.authority} {reason}")
