"""When each source was last heard."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol


class SourceActivity(Protocol):
    """When each source last sent a notification that was accepted, over all API processes."""

    async def note(self, heard: Mapping[str, datetime]) -> None:
        """Keep the later of these times and those that are known; one of no source is dropped."""
        ...

    async def last_heard(self) -> Mapping[str, datetime]:
        """Give the times, by the sources' names; a source that is new has none."""
        ...
