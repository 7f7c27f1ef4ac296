"""The format `raw`: the registry's own bytes under their own content type."""

from portcall.events import RawOriginal, RegistryEvent
from portcall.formats.format import Message


class Raw:
    """What the registry sent for this one event, unread."""

    name = "raw"
    needs_raw = True

    def render(self, event: RegistryEvent) -> Message:
        """Give the bytes; `portcall-raw-size` tells the size of an original that was cut."""
        raw = event.raw or RawOriginal()
        cut = (("portcall-raw-size", str(raw.size)),) if raw.truncated else ()
        return Message(raw.content_type, raw.content(), cut)
