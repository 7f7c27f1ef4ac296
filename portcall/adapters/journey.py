"""How far a request came: what `http.py`, `guard.py` and `http_errors.py` tell each other."""

import time
from dataclasses import dataclass, field

from portcall.adapters.proxies import ProxyRoute

CONNECT_TIMEOUT = 10.0
"""Seconds for TCP, proxy and TLS together, so that a dead host is told from a slow receiver."""

OVERHEAD_LIMIT = 256 * 1024
"""Bytes that may come beside the wanted bytes of the body: heads, frames, what is sent unasked."""


class BlockedError(Exception):
    """Deliveries may not go there; the text says why."""


class ResolveError(Exception):
    """The host has no address, or nobody who knows answered."""


class NotTakenError(Exception):
    """The receiver says that it did nothing with the request; it may be sent once more."""


class FloodError(Exception):
    """The receiver sent far more than an answer is."""


@dataclass
class Journey:
    """One request on its way.

    `peer` is the address that it goes to, through a proxy too. `bytes_left` is what the
    receiver may still send.
    """

    host: str = ""
    began: float = field(default_factory=time.perf_counter)
    step: str = "connect"
    peer: str | None = None
    proxy: ProxyRoute | None = None
    connect_until: float = 0.0
    bytes_left: int = OVERHEAD_LIMIT
    phases: dict[str, float] = field(default_factory=dict)

    @property
    def other_side(self) -> str:
        """Who is spoken to in this step, in words."""
        if self.step == "proxy" and self.proxy:
            return f"the proxy {self.proxy.authority}"
        return self.peer or self.host

    def note(self, phase: str, since: float) -> None:
        """Note the milliseconds that a phase took."""
        self.phases[phase] = round((time.perf_counter() - since) * 1000, 3)

    def count(self, received: int) -> None:
        """Count what was received; raise FloodError where that is too much."""
        self.bytes_left -= received
        if self.bytes_left < 0:
            raise FloodError

    def seconds_to_connect(self) -> float:
        """Give what is left of the time for connecting."""
        return max(self.connect_until - time.perf_counter(), 0)
