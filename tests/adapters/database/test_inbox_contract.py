"""What every `Inbox` does, the fake one included."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from portcall.adapters.database import Database
from portcall.errors import NotFoundError, UnavailableError
from portcall.events import RawOriginal, RegistryEvent
from portcall.ports import Inbox
from tests.adapters.database.conftest import INBOX_LIMIT

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def event(number: int = 1) -> RegistryEvent:
    return RegistryEvent(
        id=f"e{number}",
        source="eu",
        kind="harbor",
        type="artifact.pushed",
        occurred_at=NOW,
        received_at=NOW,
        tags=("v1", "naïve \u0000 ✓"),
        attributes={"nested": [1, None, {"a": "\u0000"}]},
        raw=RawOriginal.of(b"\x00\xff"),
    )


@pytest.fixture
def inbox(database: Database) -> Inbox:
    return database.inbox


async def park(
    inbox: Inbox, body: bytes = b"{", hint: str | None = None, source: str = "eu"
) -> int:
    return await inbox.park(source, "not JSON", body, {"content-type": "text/plain"}, hint)


async def test_events_wait_as_they_came_oldest_first(inbox: Inbox) -> None:
    first = await inbox.keep_waiting("eu", [event(1), event(2)])
    second = await inbox.keep_waiting("us", [event(3)])
    waiting = await inbox.oldest_waiting(10)
    assert [(entry.id, entry.source, entry.state) for entry in waiting] == [
        (first, "eu", "waiting"),
        (second, "us", "waiting"),
    ]
    assert [entry.events for entry in waiting] == [(event(1), event(2)), (event(3),)]
    assert waiting[0].size > 0
    assert await inbox.oldest_waiting(1) == waiting[:1]


async def test_a_notification_is_parked_with_its_bytes_headers_and_hint(inbox: Inbox) -> None:
    body = bytes(range(256))
    entry_id = await inbox.park("eu", "not JSON", body, {"x-a": "b", "content-type": "c"}, "push")
    entry = await inbox.get(entry_id)
    assert (entry.source, entry.state, entry.reason) == ("eu", "parked", "not JSON")
    assert (entry.body, entry.size, entry.hint) == (body, 256, "push")
    assert entry.headers == {"x-a": "b", "content-type": "c"}
    assert entry.events == ()
    assert datetime.now(UTC) - entry.received_at < timedelta(minutes=1)


async def test_a_parked_entry_does_not_wait(inbox: Inbox) -> None:
    await park(inbox)
    assert await inbox.oldest_waiting(10) == []


async def test_the_same_bytes_again_are_counted_not_kept_twice(inbox: Inbox) -> None:
    first = await park(inbox)
    assert await park(inbox) == first
    entry = await inbox.get(first)
    assert entry.count == 2
    assert entry.last_seen_at is not None
    assert entry.last_seen_at >= entry.received_at
    assert await inbox.counts() == {"waiting": 0, "parked": 1}


async def test_other_bytes_source_or_hint_are_another_entry(inbox: Inbox) -> None:
    ids = {
        await park(inbox),
        await park(inbox, body=b"["),
        await park(inbox, hint="push"),
        await park(inbox, source="us"),
    }
    assert len(ids) == 4


async def test_the_same_bytes_parked_at_the_same_time_are_one_entry(inbox: Inbox) -> None:
    ids = await asyncio.gather(*(park(inbox) for _ in range(8)))
    assert len(set(ids)) == 1
    assert (await inbox.get(ids[0])).count == 8


async def test_a_notification_forgotten_and_parked_again_is_a_new_entry(inbox: Inbox) -> None:
    first = await park(inbox)
    await inbox.remove(first)
    second = await park(inbox)
    assert second > first
    assert (await inbox.get(second)).count == 1


async def test_a_reason_and_a_hint_may_hold_any_character(inbox: Inbox) -> None:
    entry_id = await inbox.park("eu", "odd \x00 \ud800 text", b"", {}, "a\x00b")
    assert "odd" in (await inbox.get(entry_id)).reason


async def test_a_full_inbox_says_so_and_keeps_what_it_has(inbox: Inbox) -> None:
    for number in range(INBOX_LIMIT - 1):
        await inbox.keep_waiting("eu", [event(number)])
    parked = await park(inbox)
    with pytest.raises(UnavailableError, match="inbox is full"):
        await inbox.keep_waiting("eu", [event()])
    with pytest.raises(UnavailableError, match="inbox is full"):
        await park(inbox, body=b"other")
    assert await park(inbox) == parked
    assert await inbox.counts() == {"waiting": INBOX_LIMIT - 1, "parked": 1}


async def test_what_is_not_understood_leaves_room_for_what_waits(inbox: Inbox) -> None:
    for number in range(INBOX_LIMIT // 2):
        first = await park(inbox, body=b"%d" % number)
    with pytest.raises(UnavailableError, match="inbox is full"):
        await park(inbox, body=b"other")
    assert await park(inbox, body=b"%d" % number) == first
    for number in range(INBOX_LIMIT // 2):
        await inbox.keep_waiting("eu", [event(number)])
    assert set((await inbox.counts()).values()) == {INBOX_LIMIT // 2}


async def test_what_waited_and_is_refused_can_be_parked_in_a_full_inbox(inbox: Inbox) -> None:
    for number in range(INBOX_LIMIT):
        await inbox.keep_waiting("eu", [event(number)])
    [oldest] = await inbox.oldest_waiting(1)
    await inbox.park("eu", "too large", b"", {}, None, events=oldest.events)
    await inbox.remove(oldest.id)
    assert await inbox.counts() == {"waiting": INBOX_LIMIT - 1, "parked": 1}


async def test_a_full_inbox_takes_again_what_fits_after_a_removal(inbox: Inbox) -> None:
    ids = [await inbox.keep_waiting("eu", [event()]) for _ in range(INBOX_LIMIT)]
    await inbox.remove(ids[0])
    assert await inbox.keep_waiting("eu", [event()]) > ids[-1]


async def test_of_too_many_at_once_only_as_many_as_fit_are_kept(inbox: Inbox) -> None:
    kept = [inbox.keep_waiting("eu", [event(number)]) for number in range(INBOX_LIMIT + 5)]
    results = await asyncio.gather(*kept, return_exceptions=True)
    assert sum(isinstance(result, UnavailableError) for result in results) == 5
    assert (await inbox.counts())["waiting"] == INBOX_LIMIT


async def test_each_of_many_at_once_gets_the_id_of_its_own_events(inbox: Inbox) -> None:
    kept = [inbox.keep_waiting("eu", [event(number)]) for number in range(INBOX_LIMIT)]
    for number, entry_id in enumerate(await asyncio.gather(*kept)):
        assert (await inbox.get(entry_id)).events == (event(number),)


async def test_entries_are_listed_newest_first_in_pages_without_what_is_large(
    inbox: Inbox,
) -> None:
    ids = [
        await inbox.keep_waiting("eu", [event()]),
        await park(inbox),
        await inbox.keep_waiting("eu", [event()]),
        await park(inbox, body=b"other"),
    ]
    listed = await inbox.list()
    assert [entry.id for entry in listed] == ids[::-1]
    assert {(entry.body, entry.events) for entry in listed} == {(b"", ())}
    assert [entry.id for entry in await inbox.list(before=ids[3], limit=2)] == [ids[2], ids[1]]
    assert [entry.id for entry in await inbox.list(state="parked")] == [ids[3], ids[1]]
    assert [entry.size for entry in await inbox.list(state="parked")] == [5, 1]


async def test_an_entry_is_forgotten_once_and_for_all(inbox: Inbox) -> None:
    entry_id = await inbox.keep_waiting("eu", [event()])
    await inbox.remove(entry_id)
    await inbox.remove(entry_id)
    with pytest.raises(NotFoundError, match=str(entry_id)):
        await inbox.get(entry_id)
    assert await inbox.oldest_waiting(10) == []


async def test_the_id_of_a_forgotten_entry_is_not_given_again(inbox: Inbox) -> None:
    first = await inbox.keep_waiting("eu", [event()])
    await inbox.remove(first)
    assert await inbox.keep_waiting("eu", [event()]) > first


async def test_an_empty_inbox_counts_no_entry_of_either_state(inbox: Inbox) -> None:
    assert await inbox.counts() == {"waiting": 0, "parked": 0}
