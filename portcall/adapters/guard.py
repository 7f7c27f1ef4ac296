"""Connects for `http.py`: resolves a host once, checks each address, connects to that very one.

Because the address that was judged is the address that is connected to, by ourselves or by a
proxy, a name that answers differently the second time (DNS rebinding) gains nothing. The rules
are `portcall/addresses.py`.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from ipaddress import ip_address
from typing import Any

import httpcore

from portcall.adapters.journey import CONNECT_TIMEOUT, BlockedError, Journey, ResolveError
from portcall.adapters.proxies import ProxyRefusedError, ProxyRoute, ask_to_connect, authority
from portcall.adapters.streams import CountedStream
from portcall.adapters.tls import trusting
from portcall.addresses import Allowed, host_address, port_refusal, refusal
from portcall.special_ranges import Address

Resolve = Callable[[str], Awaitable[Sequence[Address]]]
_Found = tuple[Any, float]

_THREADS, _THREADS_OF_THE_QUICK = 128, 32
_QUICK = 1.0
_MOST_QUICK = 10_000


class SystemResolver:
    """Asks the operating system, in threads of its own.

    A dead name server must not hold up what else runs in the process's default threads, nor may
    one host's take all of these: who asks for the same host meanwhile waits for the same answer.
    Nor may many hosts of a dead zone hold up the others: what was quick the last time has threads
    to itself.
    """

    def __init__(self, look_up: Callable[..., Any] = socket.getaddrinfo) -> None:
        """Start no thread yet."""
        self._look_up = look_up
        self._threads = ThreadPoolExecutor(_THREADS, "resolve")
        self._threads_of_the_quick = ThreadPoolExecutor(_THREADS_OF_THE_QUICK, "resolve-quick")
        self._quick: dict[str, None] = {}
        self._asking: dict[str, asyncio.Future[_Found]] = {}

    async def __call__(self, host: str) -> Sequence[Address]:
        """Give the addresses in the system's order (RFC 6724)."""
        try:
            infos, _ = await asyncio.shield(self._asking.get(host) or self._ask(host))
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise ResolveError(f"no name server answered for {host}") from error
            raise ResolveError(f"no such host: {host}") from error
        except UnicodeError as error:
            raise ResolveError(f"no such host: {host}") from error
        return [ip_address(info[4][0]) for info in infos]

    def _ask(self, host: str) -> asyncio.Future[_Found]:
        threads = self._threads_of_the_quick if host in self._quick else self._threads
        asking = asyncio.get_running_loop().run_in_executor(threads, self._found, host)
        self._asking[host] = asking
        asking.add_done_callback(lambda found: self._note(host, found))
        return asking

    def _found(self, host: str) -> _Found:
        began = time.perf_counter()
        try:
            infos = self._look_up(host, None, type=socket.SOCK_STREAM)
        except socket.gaierror:
            # So it may be said of a host that no file or socket could be opened to ask for.
            socket.socket().close()
            raise
        return infos, time.perf_counter() - began

    def _note(self, host: str, found: asyncio.Future[_Found]) -> None:
        """Note who was quick, also where nobody waits any more."""
        self._asking.pop(host, None)
        self._quick.pop(host, None)
        if not found.cancelled() and found.exception() is None and found.result()[1] < _QUICK:
            self._quick[host] = None
            if len(self._quick) > _MOST_QUICK:
                del self._quick[next(iter(self._quick))]

    def close(self) -> None:
        """Let the threads end; one that still waits for an answer is not waited for."""
        for threads in self._threads, self._threads_of_the_quick:
            threads.shutdown(wait=False, cancel_futures=True)


class Guard:
    """The only way to a socket, with the check between resolving and connecting."""

    def __init__(self, allowed: Allowed, resolve: Resolve, *, proxy_resolves: bool = False) -> None:
        """Open what is allowed. With `proxy_resolves` names are left to the proxy, if there is."""
        self._allowed = allowed
        self._resolve = resolve
        self._proxy_resolves = proxy_resolves
        self._backend = httpcore.AnyIOBackend()

    async def connect(self, host: str, port: int, journey: Journey) -> CountedStream:
        """Connect to the first allowed address that accepts, sharing the time among them."""
        destinations = await self._destinations(host, port, journey)
        journey.step = "connect"
        journey.connect_until = time.perf_counter() + CONNECT_TIMEOUT
        for left in range(len(destinations), 0, -1):
            destination = destinations[-left]
            journey.peer = authority(destination, port)
            began = time.perf_counter()
            try:
                seconds = journey.seconds_to_connect() / left
                return await self._connect(destination, port, journey, seconds)
            except (httpcore.ConnectError, httpcore.ConnectTimeout, ProxyRefusedError):
                if left == 1:
                    raise
            finally:
                journey.note("connect", began)
        raise ResolveError(f"no such host: {host}")

    async def _destinations(self, host: str, port: int, journey: Journey) -> Sequence[str]:
        """Give the addresses that may be connected to, or the name that the proxy resolves."""
        if reason := port_refusal(port, self._allowed):
            raise BlockedError(reason)
        if journey.proxy and self._proxy_resolves and _is_name(host):
            return [host]
        began = time.perf_counter()
        try:
            addresses = await self._addresses(host, journey)
        finally:
            if journey.step == "dns":
                journey.note("dns", began)
        return self._allowed_of(addresses, host)

    async def _addresses(self, host: str, journey: Journey) -> Sequence[Address]:
        try:
            return [ip_address(host)]
        except ValueError:
            journey.step = "dns"
            return await self._resolve(host)

    def _allowed_of(self, addresses: Sequence[Address], host: str) -> Sequence[str]:
        refusals = [refusal(address, self._allowed, host) for address in addresses]
        allowed = [str(a) for a, why in zip(addresses, refusals, strict=True) if why is None]
        if refusals and not allowed:
            raise BlockedError(refusals[0])
        return allowed

    async def _connect(
        self, destination: str, port: int, journey: Journey, seconds: float
    ) -> CountedStream:
        if journey.proxy is None:
            connected = await self._backend.connect_tcp(destination, port, seconds)
            return CountedStream(connected, journey)
        journey.step = "proxy"
        try:
            async with asyncio.timeout(seconds):
                stream = await self._through(journey.proxy, authority(destination, port), journey)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        journey.step = "connect"
        return stream

    async def _through(
        self, proxy: ProxyRoute, destination: str, journey: Journey
    ) -> CountedStream:
        """Connect to the proxy and have it connect on."""
        stream = CountedStream(await self._to_proxy(proxy, journey), journey)
        try:
            if proxy.scheme == "https":
                stream = await stream.start_tls(self._tls_to_proxies, proxy.host)
            await ask_to_connect(stream, proxy, destination)
        except BaseException:
            await stream.aclose()
            raise
        return stream

    @cached_property
    def _tls_to_proxies(self) -> ssl.SSLContext:
        return trusting()

    async def _to_proxy(self, proxy: ProxyRoute, journey: Journey) -> httpcore.AsyncNetworkStream:
        addresses = await self._proxy_addresses(proxy)
        for left in range(len(addresses), 0, -1):
            try:
                return await self._backend.connect_tcp(addresses[-left], proxy.port)
            except httpcore.ConnectError:
                if left == 1:
                    raise
        raise ResolveError(f"no such host: {journey.other_side}")

    async def _proxy_addresses(self, proxy: ProxyRoute) -> Sequence[str]:
        addresses = await self._addresses(proxy.host, Journey())
        if proxy.trusted:
            return [str(address) for address in addresses]
        if reason := port_refusal(proxy.port, self._allowed):
            raise BlockedError(f"the target's proxy: {reason}")
        try:
            return self._allowed_of(addresses, proxy.host)
        except BlockedError as error:
            raise BlockedError(f"the target's proxy: {error}") from error


def _is_name(host: str) -> bool:
    """Say whether only a resolver knows the address; refuse what the proxy might take for one."""
    try:
        return host_address(host, bracketed=":" in host) is None
    except ValueError as error:
        raise BlockedError(str(error)) from error
