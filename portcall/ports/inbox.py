"""The inbox: what was answered 202 but did not reach Temporal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from portcall.events import RegistryEvent


@dataclass(frozen=True)
class InboxEntry:
    """What the inbox holds of one notification.

    `state` is `waiting` (for Temporal) or `parked` (not understood, `reason` says why).
    `headers` have lower-case names and no credentials; `body` is the raw request body of a
    parked entry, `events` are the parsed events of a waiting one, `size` is the bytes kept.
    A notification parked again is counted: `count` times, lately at `last_seen_at`.
    """

    id: int
    source: str
    state: str
    reason: str
    received_at: datetime
    headers: Mapping[str, str]
    body: bytes
    hint: str | None = None
    events: tuple[RegistryEvent, ...] = ()
    size: int = 0
    count: int = 1
    last_seen_at: datetime | None = None


class Inbox(Protocol):
    """A bounded table that keeps what was answered 202 but did not reach Temporal."""

    async def keep_waiting(self, source: str, events: Sequence[RegistryEvent]) -> int:
        """Keep events until Temporal is back; give the id. Raise UnavailableError when full."""
        ...

    async def park(
        self,
        source: str,
        reason: str,
        body: bytes,
        headers: Mapping[str, str],
        hint: str | None,
        *,
        events: Sequence[RegistryEvent] = (),
    ) -> int:
        """Keep a notification that was not understood; the same bytes twice are one entry.

        `events` are given where it was understood and Temporal refused them: they were in the
        inbox before, and are kept however full it is. Raise UnavailableError when it is full, or
        half full of what is parked.
        """
        ...

    async def oldest_waiting(self, limit: int) -> Sequence[InboxEntry]:
        """Give the entries that wait for Temporal, oldest first.

        Several forwarders may read the same ones: starting an event twice is harmless, and so
        is removing an entry twice.
        """
        ...

    async def get(self, entry_id: int) -> InboxEntry:
        """Give one entry; raise NotFoundError."""
        ...

    async def list(
        self, *, state: str | None = None, before: int | None = None, limit: int = 50
    ) -> Sequence[InboxEntry]:
        """Give entries newest first, those with an id below `before`.

        They come without `body` and `events`, which may be large; `get` has both.
        """
        ...

    async def remove(self, *entry_ids: int) -> None:
        """Forget entries; one that is gone already is not an error."""
        ...

    async def counts(self) -> Mapping[str, int]:
        """Give the number of entries by state, `waiting` and `parked` always among them."""
        ...
