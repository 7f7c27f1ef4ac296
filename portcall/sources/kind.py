"""What a kind of source is: `parse` takes a notification and gives events and refusals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from portcall.errors import NotificationError
from portcall.events import RegistryEvent

BODY_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True)
class Notification:
    """One authenticated HTTP request of a source.

    `headers` have lower-case names, credentials removed. `hint` is the path part behind the
    source's name, for senders whose body does not name the event.
    """

    source: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    hint: str | None = None
    received_at: datetime = field(kw_only=True)


@dataclass(frozen=True)
class Refusal:
    """One event of a notification that was not understood; `raw` is its own bytes."""

    error: NotificationError
    raw: bytes


@dataclass(frozen=True)
class Parsed:
    """What a notification said. A test ping gives neither events nor refusals."""

    events: tuple[RegistryEvent, ...] = ()
    refusals: tuple[Refusal, ...] = ()


class SourceKind(Protocol):
    """A kind of registry."""

    @property
    def kind(self) -> str:
        """The word in a source's `kind`."""
        ...

    @property
    def body_limit(self) -> int:
        """Bytes of a request body at most."""
        ...

    def parse(self, notification: Notification) -> Parsed:
        """Give the events; raise NotificationError where nothing could be understood."""
        ...
