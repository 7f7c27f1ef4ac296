"""How far a request came: what `http.py`, `guard.py` and `http_errors.py` tell each other."""

import time
from dataclasses import dataclass, field

from portcall.adapters.proxies import ProxyRoute

CONNECT_TIMEOUT = 10.0
"""Seconds for TCP, proxy and TLS together, so that a dead host is told from a slow receiver."""

OVERHEAD_LIMIT = 128 * 1024
"""Bytes that may come beside the wanted bytes of the body: heads, frames, what is sent unasked."""

_WIRE_LIMIT = 4 * 1024 * 1024
"""Bytes that may come as TLS beside the body: a record may hold one byte, or no data at all."""

_PIECES = 1000
_BYTES_OF_A_PIECE = 64
"""An answer may come in so many pieces, and of its body in pieces of that size."""


class BlockedError(Exception):
    """Deliveries may not go there; the text says why."""


class ResolveError(Exception):
    """The host has no address, or nobody who knows answered."""


class NotTakenError(Exception):
    """The receiver says that it did nothing with the request; it may be sent once more."""


class FloodError(Exception):
    """The receiver sent far more than an answer is; the text says of what."""


@dataclass
class Journey:
    """One request on its way.

    `peer` is the address that it goes to, through a proxy too. `bytes`, `wire`
    (the same, as TLS has it) and `pieces` (chunks, or frames of HTTP/2) are what the receiver has
    sent.
    """

    host: str = ""
    began: float = field(default_factory=time.perf_counter)
    step: str = "connect"
    peer: str | None = None
    proxy: ProxyRoute | None = None
    connect_until: float = 0.0
    body_limit: int = 0
    bytes: int = 0
    wire: int = 0
    pieces: int = 0
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
        """Count bytes that were received; raise FloodError where that is too much."""
        self.bytes += received
        if self.bytes > self.body_limit + OVERHEAD_LIMIT:
            raise FloodError(f"{OVERHEAD_LIMIT // 1024} KiB beside the body")

    def count_on_wire(self, received: int) -> None:
        """Count bytes of TLS, in which tickets and new keys may come for ever."""
        self.wire += received
        most = _WIRE_LIMIT + 2 * self.body_limit
        if self.wire > most:
            raise FloodError(f"{most // 1024**2} MiB of TLS")

    def count_piece(self) -> None:
        """Count a piece, however small: each costs us tens of microseconds."""
        self.pieces += 1
        most = _PIECES + self.body_limit // _BYTES_OF_A_PIECE
        if self.pieces > most:
            raise FloodError(f"{most} chunks or frames")

    def seconds_to_connect(self) -> float:
        """Give what is left of the time for connecting."""
        return max(self.connect_until - time.perf_counter(), 0)
