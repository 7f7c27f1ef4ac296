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

from portcall.adapters.guard import CONNECT_TIMEOUT, BlockedError, Journey, ResolveError
from portcall.attempts import AttemptError, ErrorType
from portcall.durations import format_duration

TRANSLATED = (
    BlockedError,
    ResolveError,
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
ErrorT = TypeVar("ErrorT", bound=BaseException)


def attempt_error(fault: Exception, journey: Journey, timeout: timedelta) -> AttemptError:
    """Translate what was raised while sending."""
    kind, message = ErrorType.CONNECT, ""
    match fault:
        case BlockedError():
            kind, message = ErrorType.BLOCKED, str(fault)
        case ResolveError():
            kind, message = ErrorType.DNS, str(fault)
        case TimeoutError() | httpcore.TimeoutException():
            kind, message = ErrorType.TIMEOUT, _timeout_message(fault, journey, timeout)
        case httpcore.RemoteProtocolError() if "disconnected" not in str(fault):
            kind, message = ErrorType.PROTOCOL, f"the response is not valid HTTP: {fault}"
        case httpcore.LocalProtocolError() | httpcore.UnsupportedProtocol():
            # The text of the fault may quote a header, and with it a secret.
            message = "the target's URL or headers make no valid HTTP request"
            kind = ErrorType.PROTOCOL
        case httpx.InvalidURL():
            kind, message = ErrorType.PROTOCOL, "the target's URL is not valid"
        case _ if tls := next(_chain(fault, ssl.SSLError), None):
            kind, message = ErrorType.TLS, _tls_message(tls)
        case _:
            message = _network_message(fault, journey)
    return AttemptError(type=kind, message=message)


def _timeout_message(fault: Exception, journey: Journey, timeout: timedelta) -> str:
    limit = timeout
    if isinstance(fault, httpcore.ConnectTimeout):
        limit = min(timeout, timedelta(seconds=CONNECT_TIMEOUT))
    what = _STEPS[journey.step].format(host=journey.host, peer=journey.peer or journey.host)
    return f"{what} within {format_duration(limit)}"


def _tls_message(fault: ssl.SSLError) -> str:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {fault.verify_message}"
    reason = (getattr(fault, "reason", None) or "connection closed").replace("_", " ").lower()
    return f"TLS handshake failed: {reason}"


def _network_message(fault: Exception, journey: Journey) -> str:
    peer = journey.peer or journey.host
    code = next((error.errno for error in _chain(fault, OSError) if error.errno), None)
    if code:
        return _ERRNO.get(code, os.strerror(code).lower() + ": {peer}").format(peer=peer)
    if journey.step == "tls":
        return f"connection closed by {peer} during the TLS handshake"
    if journey.step == "connect":
        return f"no connection to {peer}"
    return f"connection closed by {peer} before the response was complete"


def _chain(fault: BaseException | None, wanted: type[ErrorT]) -> Iterator[ErrorT]:
    """Give the errors of the wanted type among `fault` and what it was raised from."""
    while fault is not None:
        if isinstance(fault, wanted):
            yield fault
        fault = fault.__cause__ or fault.__context__
