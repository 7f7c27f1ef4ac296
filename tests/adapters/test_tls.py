"""A target's certificates are tried when it is written."""

import threading
from pathlib import Path

import pytest

from portcall.adapters.tls import TlsContexts, UnusableTlsError, check_tls
from portcall.receiving import Tls
from tests.fixtures.hostile import make_authority, pem_of

AUTHORITY = make_authority()
CERTIFICATE, KEY = AUTHORITY.issue("portcall")
LOCKED = pem_of(AUTHORITY.key, b"passphrase")


@pytest.mark.parametrize(
    "tls",
    [
        None,
        Tls(),
        Tls(ca=AUTHORITY.pem),
        Tls(ca=AUTHORITY.pem + CERTIFICATE),
        Tls(client_cert=CERTIFICATE, client_key=KEY),
        Tls(client_cert=CERTIFICATE + AUTHORITY.pem, client_key=KEY.rstrip()),
        Tls(client_cert=CERTIFICATE.rstrip(), client_key=KEY, ca=AUTHORITY.pem),
    ],
    ids=["none", "empty", "authority", "two", "pair", "chain", "all"],
)
def test_certificates_that_can_be_used_are_taken(tls):
    check_tls(tls)


@pytest.mark.parametrize(
    ("given", "field", "reason"),
    [
        ({"ca": "nonsense"}, "tls.ca", "is no certificate in PEM"),
        ({"ca": "ünsense"}, "tls.ca", "is no certificate in PEM"),
        ({"ca": KEY}, "tls.ca", "is no certificate in PEM"),
        ({"client_cert": "nonsense", "client_key": KEY}, "tls.client_cert", "is no certificate"),
        ({"client_cert": KEY, "client_key": KEY}, "tls.client_cert", "is no certificate in PEM"),
        (
            {"client_cert": CERTIFICATE, "client_key": "nonsense"},
            "tls.client_key",
            "is no private key in PEM without a passphrase",
        ),
        (
            {"client_cert": CERTIFICATE, "client_key": CERTIFICATE},
            "tls.client_key",
            "is no private key in PEM without a passphrase",
        ),
        (
            {"client_cert": CERTIFICATE, "client_key": LOCKED},
            "tls.client_key",
            "is no private key in PEM without a passphrase",
        ),
        (
            {"client_cert": CERTIFICATE, "client_key": pem_of(AUTHORITY.key)},
            "tls.client_key",
            "is not the key of tls.client_cert",
        ),
    ],
)
def test_certificates_that_cannot_be_used_are_refused_with_the_field(given, field, reason):
    with pytest.raises(UnusableTlsError) as told:
        check_tls(Tls(**given))
    assert told.value.field == field
    assert told.value.reason.startswith(reason)
    assert "PRIVATE" not in str(told.value)
    assert told.value.__cause__ is None


def test_a_private_key_is_on_no_disk(tmp_path, monkeypatch):
    """Whatever is opened while the pair is loaded is looked at from beside."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    seen: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for link in Path("/proc/self/fd").iterdir():
                try:
                    seen.add(str(link.readlink()))
                except OSError:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(20):
        check_tls(Tls(client_cert=CERTIFICATE, client_key=KEY))
    done.set()
    watcher.join()
    assert list(tmp_path.iterdir()) == []
    assert not [name for name in seen if name.endswith(".pem") and "portcall" in name]


def test_a_context_is_made_once_and_only_so_many_are_kept():
    contexts = TlsContexts()
    tls = [Tls(ca=AUTHORITY.pem + "\n" * number) for number in range(258)]
    first = contexts.context(tls[0], False)
    assert contexts.context(tls[0], False) is first
    assert contexts.context(tls[0], True) is not first
    assert contexts.context(None, False) is contexts.context(None, False)
    for other in tls[1:]:
        contexts.context(other, False)
    assert contexts.context(tls[0], False) is not first


@pytest.mark.parametrize("tls", [None, Tls(ca=AUTHORITY.pem)], ids=["plain", "own authority"])
def test_no_receiver_makes_a_worker_calculate_with_numbers_of_its_choice(tls):
    """A handshake by DHE with a prime of 10,000 bits kept a worker from all else for 1.4 s."""
    offered = TlsContexts().context(tls, False).get_ciphers()
    assert {cipher["kea"] for cipher in offered} == {"kx-any", "kx-ecdhe"}
