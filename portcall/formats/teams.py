"""The format `teams`: an Adaptive Card for a Teams workflow that posts what its webhook receives.

Text runs read no Markdown (https://adaptivecards.io/explorer/TextRun.html), so that nothing in an
event can be a link or a mention. A message ends at 28 KB; a `Summary` cannot make as much.
"""

from collections.abc import Sequence
from typing import Any

from portcall.events import RegistryEvent
from portcall.formats.format import Message, json_message
from portcall.formats.group_summary import GroupSummary, group_summary
from portcall.formats.summary import Summary, summary

_COLOURS = {"bad": "attention", "warning": "warning", "good": "good", "neutral": "default"}


class Teams:
    """A card with a headline, a line for each fact, and where it comes from."""

    name = "teams"
    needs_raw = False

    def render(self, event: RegistryEvent) -> Message:
        """Give the message: the card is its only attachment."""
        told = summary(event)
        return _message(
            told,
            [
                _line(_run(f"{label}: ", weight="bolder"), _run(value))
                for label, value in told.facts
            ],
        )

    def render_group(self, events: Sequence[RegistryEvent]) -> Message:
        """Give a card with a line for each event."""
        told = group_summary(events)
        lines = [
            _line(
                *(
                    _run(f"{text} ", **({"fontType": "monospace"} if chosen else {}))
                    for text, chosen in line
                )
            )
            for line in told.lines
        ]
        more = [_line(_run(f"… and {told.more} more"))] if told.more else []
        return _message(told, lines + more)


def _message(told: Summary | GroupSummary, middle: list[dict[str, Any]]) -> Message:
    headline = _run(told.headline, weight="bolder", size="medium", color=_COLOURS[told.level])
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [
            _line(headline),
            *([_line(_run(told.subject, fontType="monospace"))] if told.subject else ()),
            *middle,
            _line(_run(f"Portcall · {told.origin}", isSubtle=True, size="small")),
        ],
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    # Written out in UTF-8: as \u escapes the same text is three times as large.
    return json_message({"type": "message", "attachments": [attachment]}, ascii_only=False)


def _line(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "spacing": "small", "inlines": list(runs)}


def _run(text: str, **look: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **look}
