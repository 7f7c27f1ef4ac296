"""The format `discord`: an embed for a Discord webhook, which mentions nobody.

Limits: https://discord.com/developers/docs/resources/message#embed-object-embed-limits (256
characters a title and a field's name, 1024 its value, 25 fields, 6000 together); what a
`Summary` holds stays below.
"""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from portcall.events import RegistryEvent
from portcall.formats.format import Message, json_message
from portcall.formats.group_summary import GroupSummary, group_summary
from portcall.formats.summary import Summary, as_code, summary

_COLOURS = {"bad": 0xD92D20, "warning": 0xF79009, "good": 0x12B76A, "neutral": 0x2E90FA}


class Discord:
    """An embed with a headline, the facts as fields, and where it comes from."""

    name = "discord"
    needs_raw = False

    def render(self, event: RegistryEvent) -> Message:
        """Give the message; a text from the event stands as code, in which nothing is marked."""
        told = summary(event)
        fields = [
            {"name": label, "value": as_code(value), "inline": len(value) < 30}
            for label, value in told.facts
        ]
        return _message(told, [], fields, event)

    def render_group(self, events: Sequence[RegistryEvent]) -> Message:
        """Give an embed with a line for each event."""
        told = group_summary(events)
        lines = [
            "• " + " ".join(as_code(text) if chosen else text for text, chosen in line)
            for line in told.lines
        ]
        if told.more:
            lines.append(f"… and {told.more} more")
        return _message(told, lines, [], events[-1])


def _message(
    told: Summary | GroupSummary,
    lines: Sequence[str],
    fields: Sequence[dict[str, Any]],
    last: RegistryEvent,
) -> Message:
    description = "\n".join([*([as_code(told.subject)] if told.subject else ()), *lines])
    embed = {
        "title": told.headline,
        **({"description": description} if description else {}),
        "color": _COLOURS[told.level],
        "fields": fields,
        "footer": {"text": f"Portcall · {told.origin}"},
        "timestamp": last.occurred_at.astimezone(UTC).isoformat(),
    }
    return json_message({"embeds": [embed], "allowed_mentions": {"parse": []}})
