"""Says in one sentence that a registry's admin understands why there is no response.

Everything that httpcore, ssl and the operating system raise while sending is translated here
and nowhere else; what is not listed in `TRANSLATED` is a bug of ours and goes on as it is.
"""

import errno
import os
import ssl
from collections.abc import Iterator
from datetime import timedelta
from typing import TypeVar

import httpcore
import httpx

from portcall.adapters.http2 import BrokenOffError
from portcall.adapters.journey import (
    CONNECT_TIMEOUT,
    BlockedError,
    FloodError,
    Journey,
    NotTakenError,
    ResolveError,
)
from portcall.adapters.proxies import ProxyRefusedError
from portcall.adapters.tls import UnusableTlsError
from portcall.attempts import AttemptError, ErrorType, in_one_line
from portcall.durations import format_duration

TRANSLATED = (
    BlockedError,
    ResolveError,
    ProxyRefusedError,
    UnusableTlsError,
    FloodError,
    NotTakenError,
    BrokenOffError,
    httpx.InvalidURL,
    OSError,  # with TimeoutError and ssl.SSLError
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)

_STEPS = {
    "dns": "no answer from the name server for {host}",
    "connect": "no connection to {peer}",
    "proxy": "no connection through {peer}",
    "tls": "no TLS handshake with {peer}",
    "send": "{peer} did not take the request",
    "response": "no response",
    "body": "the response did not end",
}
_ERRNO = {
    errno.ECONNREFUSED: "connection refused by {peer}",
    errno.EHOSTUNREACH: "no route to {peer}",
    errno.ENETUNREACH: "no route to {peer}",
    errno.ECONNRESET: "connection reset by {peer}",
    errno.EPIPE: "connection closed by {peer}",
}
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What our own system says when it has nothing left to give us."""

_LONGEST_WORDS = 150
ErrorT = TypeVar("ErrorT", bound=BaseException)


_IN_ITS_OWN_WORDS = {
    BlockedError: ErrorType.BLOCKED,
    ResolveError: ErrorType.DNS,
    ProxyRefusedError: ErrorType.CONNECT,
    UnusableTlsError: ErrorType.TLS,
}


def attempt_error(fault: Exception, journey: Journey, timeout: timedelta) -> AttemptError:
    """Translate what was raised while sending."""
    kind, message = _protocol_error(fault, journey) or _network_error(fault, journey, timeout)
    return AttemptError(type=kind, message=message)


def shortage(fault: Exception) -> str | None:
    """Say what this process is short of where that is why; the receiver has no part in it."""
    codes = (error.errno for error in _chain(fault, OSError))
    code = next((code for code in codes if code in _OURS), None)
    return os.strerror(code).lower() if code else None


def _protocol_error(fault: Exception, journey: Journey) -> tuple[ErrorType, str] | None:
    match fault:
        case FloodError():
            return ErrorType.PROTOCOL, f"{journey.other_side} sent more than {fault}"
        case httpcore.RemoteProtocolError() if "disconnected" not in str(fault):
            return ErrorType.PROTOCOL, f"the response is not valid HTTP: {_short(fault)}"
        case httpcore.LocalProtocolError() | httpcore.UnsupportedProtocol():
            # The text of the fault may quote a header, and with it a secret.
            message = "the target's URL or headers make no valid HTTP request"
            return ErrorType.PROTOCOL, message
        case httpx.InvalidURL():
            return ErrorType.PROTOCOL, "the target's URL is not valid"
    return None


def _short(fault: Exception) -> str:
    """Give the words of a fault, without the quotation where what was received is long.

    It goes as a whole: a half of it may have half a secret, which nothing finds any more.
    """
    words = in_one_line(str(fault))
    return words if len(words) <= _LONGEST_WORDS else words[:_LONGEST_WORDS].partition(":")[0]


def _network_error(fault: Exception, journey: Journey, timeout: timedelta) -> tuple[ErrorType, str]:
    if kind := _IN_ITS_OWN_WORDS.get(type(fault)):
        return kind, str(fault)
    match fault:
        case TimeoutError() | httpcore.TimeoutException():
            return ErrorType.TIMEOUT, _timeout_message(fault, journey, timeout)
        case NotTakenError() | BrokenOffError():
            return ErrorType.CONNECT, f"{journey.other_side} {fault}"
        case _ if next(_chain(fault, ssl.SSLEOFError), None):
            return ErrorType.CONNECT, _network_message(httpcore.ReadError(), journey)
        case _ if tls := next(_chain(fault, ssl.SSLError), None):
            return ErrorType.TLS, _tls_message(tls, journey)
    return ErrorType.CONNECT, _network_message(fault, journey)


def _timeout_message(fault: Exception, journey: Journey, timeout: timedelta) -> str:
    limit = timeout
    if isinstance(fault, httpcore.ConnectTimeout):
        limit = min(timeout, timedelta(seconds=CONNECT_TIMEOUT))
    what = _STEPS[journey.step].format(host=journey.host, peer=journey.other_side)
    return f"{what} within {format_duration(limit)}"


def _tls_message(fault: ssl.SSLError, journey: Journey) -> str:
    whose = f"{journey.other_side}: " if journey.step == "proxy" else ""
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"{whose}certificate verify failed: {fault.verify_message}"
    reason = (getattr(fault, "reason", None) or "connection closed").replace("_", " ").lower()
    return f"{whose}TLS handshake failed: {reason}"


def _network_message(fault: Exception, journey: Journey) -> str:
    peer = journey.other_side
    code = next((error.errno for error in _chain(fault, OSError) if error.errno), None)
    if code:
        return _ERRNO.get(code, os.strerror(code).lower() + ": {peer}").format(peer=peer)
    match journey.step:
        case "tls":
            return f"connection closed by {peer} during the TLS handshake"
        case "connect" | "proxy":
            return _STEPS[journey.step].format(peer=peer)
    return f"connection closed by {peer} before the response was complete"


def _chain(fault: BaseException | None, wanted: type[ErrorT]) -> Iterator[ErrorT]:
    """Give the errors of the wanted type among `fault` and what it was raised from."""
    while fault is not None:
        if isinstance(fault, wanted):
            yield fault
        fault = fault.__cause__ or fault.__context__
