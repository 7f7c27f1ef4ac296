"""What a format is: `render` takes an event and gives the message to send."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from portcall.attempts import Headers
from portcall.events import RegistryEvent


@dataclass(frozen=True)
class Message:
    """A body with its content type and the headers that belong to it."""

    content_type: str
    body: bytes
    headers: Headers = ()


def json_message(
    value: Any, content_type: str = "application/json", *, ascii_only: bool = True
) -> Message:
    """Give a message of compact JSON; not `ascii_only` where no text has a lone surrogate."""
    text = json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))
    return Message(content_type, text.encode())


class Format(Protocol):
    """A way to write an event down for a receiver."""

    @property
    def name(self) -> str:
        """The word in a policy's `format`."""
        ...

    @property
    def needs_raw(self) -> bool:
        """Whether the raw original must travel with the delivery."""
        ...

    def render(self, event: RegistryEvent) -> Message:
        """Give the message; never fails for an event that a source produced."""
        ...


@runtime_checkable
class GroupFormat(Format, Protocol):
    """A format that can also write several events down as one message."""

    def render_group(self, events: Sequence[RegistryEvent]) -> Message:
        """Give one message for all of them, two at least, in the order in which they came."""
        ...


def rendered(known: Format, events: Sequence[RegistryEvent]) -> Message:
    """Give one message for all; which formats can write several is checked with the policy."""
    if len(events) == 1:
        return known.render(events[0])
    if isinstance(known, GroupFormat):
        return known.render_group(events)
    raise TypeError(f"the format {known.name} writes one event at a time")
