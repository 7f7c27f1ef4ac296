"""What a kind of source is: `parse` takes a notification and gives events and refusals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from portcall.errors import NotificationError
from portcall.events import RegistryEvent
from portcall.mapping import FieldMapping

BODY_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True)
class Notification:
    """One authenticated HTTP request of a source.

    `headers` have lower-case names, credentials removed. `hint` is the path part behind the
    source's name, for senders whose body does not name the event. `mapping` is the source's.
    """

    source: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    hint: str | None = None
    mapping: FieldMapping | None = None
    received_at: datetime = field(kw_only=True)


@dataclass(frozen=True)
class Refusal:
    """One event of a notification that was not understood; `raw` is its own bytes."""

    error: NotificationError
    raw: bytes


@dataclass(frozen=True)
class Parsed:
    """What a notification said. A test ping gives neither events nor refusals.

    `reply` is what a sender that asks for consent wants to read: it is answered 200 with it.
    """

    events: tuple[RegistryEvent, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    reply: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Signature:
    """Where a kind's senders put their HMAC of the raw body, and how they write it.

    `compact_json`: the body is also tried as JSON without blanks, which is what some sign.
    """

    header: str
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    compact_json: bool = False


MappingUse = Literal["none", "optional", "required"]
"""`required`: it finds the events and all that is known of them, at the least their type.

`optional`: the kind itself finds the events, a mapping reads them in another way.
"""


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

    @property
    def signature(self) -> Signature | None:
        """How senders sign, where they do; then a source's `auth` may be `{type: hmac}`."""
        ...

    @property
    def mapping_use(self) -> MappingUse:
        """Whether a source of this kind takes a `mapping`."""
        ...

    def parse(self, notification: Notification) -> Parsed:
        """Give the events; raise NotificationError where nothing could be understood."""
        ...
