"""The TLS contexts of targets: which authorities are trusted, which certificate is shown.

A private key is on no disk at any time: OpenSSL is given a file that is in memory.
"""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from portcall.receiving import Tls

_KEPT = 256
_NO_TLS = Tls()


class UnusableTlsError(ValueError):
    """OpenSSL does not take what a target's `tls` holds. The text quotes nothing of it."""

    def __init__(self, field: str, reason: str) -> None:
        """Name the field of the target."""
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


def check_tls(tls: Tls | None) -> None:
    """Raise UnusableTlsError where a target cannot be asked with these certificates."""
    if tls is not None:
        _with_certificate(trusting(tls.ca), tls)


def trusting(authorities: str | None = None) -> ssl.SSLContext:
    """Trust these authorities, or the system's.

    Of the ciphers those are left out for which the other side chooses the numbers to calculate
    with (DHE): they may be so large that one handshake takes seconds, and all else waits.
    """
    try:
        context = ssl.create_default_context(cadata=authorities)
    except (ssl.SSLError, ValueError, TypeError):
        raise UnusableTlsError("tls.ca", "is no certificate in PEM") from None
    offered = context.get_ciphers()
    kept = [cipher["name"] for cipher in offered if cipher["kea"] != "kx-dhe"]
    if len(kept) < len(offered):
        context.set_ciphers(":".join(kept))
    return context


class TlsContexts:
    """Makes contexts, and keeps those last used: reading all authorities takes milliseconds."""

    def __init__(self) -> None:
        """Make those of targets without certificates of their own."""
        self._made: dict[tuple[Tls, bool], ssl.SSLContext] = {}
        self._plain = {unverified: _context(_NO_TLS, unverified) for unverified in (False, True)}

    def context(self, tls: Tls | None, skip_cert_verify: bool) -> ssl.SSLContext:
        """Give the context for a target."""
        if tls is None:
            return self._plain[skip_cert_verify]
        key = (tls, skip_cert_verify)
        made = self._made.pop(key, None) or _context(*key)
        self._made[key] = made  # the last used one is the last
        if len(self._made) > _KEPT:
            del self._made[next(iter(self._made))]
        return made


def _context(tls: Tls, skip_cert_verify: bool) -> ssl.SSLContext:
    context = trusting(tls.ca)
    if skip_cert_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # h2 is named first, for servers that take the client's first choice.
    context.set_alpn_protocols(["h2", "http/1.1"])
    _with_certificate(context, tls)
    return context


def _with_certificate(context: ssl.SSLContext, tls: Tls) -> None:
    if tls.client_cert is None or tls.client_key is None:
        return
    try:
        ssl.create_default_context(cadata=tls.client_cert)
    except (ssl.SSLError, ValueError, TypeError):
        raise UnusableTlsError("tls.client_cert", "is no certificate in PEM") from None
    pair = f"{tls.client_cert}\n{tls.client_key.get_secret_value()}\n"
    try:
        with _file_in_memory(pair.encode()) as path:
            # With a passphrase given, if an empty one, OpenSSL does not ask the terminal for it.
            context.load_cert_chain(path, password="")
    except ssl.SSLError as error:
        raise UnusableTlsError("tls.client_key", _why_no_key(error)) from None


def _why_no_key(error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "is not the key of tls.client_cert"
    return "is no private key in PEM without a passphrase"


@contextmanager
def _file_in_memory(content: bytes) -> Iterator[str]:
    """Give the path of a file that no other process finds and that is gone afterwards."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("portcall", os.MFD_CLOEXEC), "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
        return
    with tempfile.NamedTemporaryFile() as file:  # macOS has no files in memory
        file.write(content)
        file.flush()
        yield file.name
