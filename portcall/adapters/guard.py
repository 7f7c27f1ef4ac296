"""Connects for `http.py`: resolves a host once, checks each address, connects to that very one.

Because the address that was judged is the address that is connected to, a name that answers
differently the second time (DNS rebinding) gains nothing. The rules are `portcall/addresses.py`.
"""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from ipaddress import ip_address

import httpcore

from portcall.addresses import HOW_TO_ALLOW, Address, Network, refusal

Resolve = Callable[[str], Awaitable[Sequence[Address]]]

CONNECT_TIMEOUT = 10.0
"""Seconds for TCP and TLS, so that a dead host is told from a slow receiver."""

_RESOLVER_THREADS = 32


class BlockedError(Exception):
    """The target resolves to no address that deliveries may go to."""


class ResolveError(Exception):
    """The host has no address, or nobody who knows answered."""


@dataclass
class Journey:
    """How far a request came, and how long each step took."""

    host: str = ""
    began: float = field(default_factory=time.perf_counter)
    step: str = "connect"
    peer: str | None = None
    stream: httpcore.AsyncNetworkStream | None = None
    phases: dict[str, float] = field(default_factory=dict)

    def note(self, phase: str, since: float) -> None:
        """Note the milliseconds that a phase took."""
        self.phases[phase] = round((time.perf_counter() - since) * 1000, 3)


JOURNEY: ContextVar[Journey] = ContextVar("journey")
"""httpcore calls the backend in the task of the request that needs the connection."""


class SystemResolver:
    """Asks the operating system, in threads of its own.

    A dead name server must not hold up what else runs in the process's default threads.
    """

    def __init__(self) -> None:
        """Start no thread yet."""
        self._threads = ThreadPoolExecutor(_RESOLVER_THREADS, "resolve")

    async def __call__(self, host: str) -> Sequence[Address]:
        """Give the addresses in the system's order (RFC 6724)."""
        try:
            infos = await asyncio.get_running_loop().run_in_executor(
                self._threads, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            )
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise ResolveError(f"no name server answered for {host}") from error
            raise ResolveError(f"no such host: {host}") from error
        except UnicodeError as error:
            raise ResolveError(f"no such host: {host}") from error
        return [ip_address(info[4][0]) for info in infos]

    def close(self) -> None:
        """Let the threads end; one that still waits for an answer is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """httpcore's network, with the check between resolving and connecting."""

    def __init__(self, allowed_networks: Sequence[Network], resolve: Resolve) -> None:
        """Open what `allowed_networks` name besides public addresses."""
        self._allowed = allowed_networks
        self._resolve = resolve
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first allowed address that accepts, sharing the time among them."""
        journey = JOURNEY.get()
        addresses = self._allowed_of(await self._addresses(host, journey))
        journey.step = "connect"
        until = time.perf_counter() + (timeout or CONNECT_TIMEOUT)
        for left in range(len(addresses), 0, -1):
            address = addresses[-left]
            journey.peer = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
            began = time.perf_counter()
            try:
                journey.stream = await self._backend.connect_tcp(
                    str(address), port, max(until - began, 0) / left, local_address, socket_options
                )
                return journey.stream
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if left == 1:
                    raise
            finally:
                journey.note("connect", began)
        raise ResolveError(f"no such host: {host}")

    async def _addresses(self, host: str, journey: Journey) -> Sequence[Address]:
        try:
            return [ip_address(host)]
        except ValueError:
            journey.step = "dns"
            began = time.perf_counter()
            try:
                return await self._resolve(host)
            finally:
                journey.note("dns", began)

    def _allowed_of(self, addresses: Sequence[Address]) -> Sequence[Address]:
        refusals = [refusal(address, self._allowed) for address in addresses]
        allowed = [a for a, reason in zip(addresses, refusals, strict=True) if reason is None]
        if refusals and not allowed:
            raise BlockedError(f"{refusals[0]}; {HOW_TO_ALLOW}")
        return allowed

    async def sleep(self, seconds: float) -> None:
        """Sleep, as httpcore asks a backend to be able to."""
        await asyncio.sleep(seconds)
