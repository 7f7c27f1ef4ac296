"""Depot's notifications are read as they should be, and the contract is kept."""

from datetime import UTC, datetime
from pathlib import Path

from portcall_depot import Depot

from portcall.sources.contract import check_kind
from portcall.sources.kind import Notification

STORED = (Path(__file__).parent / "sample.json").read_bytes()


def sent(body: bytes) -> Notification:
    return Notification("depot", body, received_at=datetime.now(UTC))


def test_what_was_stored_is_a_push():
    (event,) = Depot().parse(sent(STORED)).events
    assert (event.type, event.repository) == ("artifact.pushed", "shop/web")
    assert event.tags == ("1.4.2", "latest")


def test_the_test_button_starts_nothing():
    assert Depot().parse(sent(b'{"did": "test"}')).events == ()


def test_the_contract_is_kept():
    removed = STORED.replace(b"stored", b"removed").replace(b"0001", b"0002")
    check_kind(Depot(), [sent(STORED), sent(removed)])
