"""The format `slack`: a Block Kit message for an incoming webhook.

Limits: https://docs.slack.dev/reference/block-kit (3000 characters a text, 2000 and ten of
them for fields, 50 blocks); what a `Summary` holds stays far below.
"""

from collections.abc import Sequence
from typing import Any

from portcall.events import RegistryEvent
from portcall.formats.format import Message, json_message
from portcall.formats.group_summary import GroupSummary, Piece, group_summary
from portcall.formats.summary import Summary, as_code, summary

_MARKS = {"bad": "🔴", "warning": "🟠", "good": "🟢", "neutral": "🔵"}
_LINES = 3
"""Lines of a group in one section: within 3000 characters whatever has to be escaped."""


class Slack:
    """A message with a headline, the facts in two columns, and where it comes from."""

    name = "slack"
    needs_raw = False

    def render(self, event: RegistryEvent) -> Message:
        """Give the message; `text` is what a notification and a screen reader say."""
        told = summary(event)
        fields = [f"*{_escaped(label)}*\n{_escaped(as_code(value))}" for label, value in told.facts]
        return _message(
            told,
            [
                {"type": "section", "fields": [_text(field) for field in fields[at:][:10]]}
                for at in range(0, len(fields), 10)
            ],
        )

    def render_group(self, events: Sequence[RegistryEvent]) -> Message:
        """Give a message with a line for each event, a few lines a section."""
        told = group_summary(events)
        lines = ["• " + " ".join(map(_piece, line)) for line in told.lines]
        if told.more:
            lines.append(f"… and {told.more} more")
        return _message(
            told,
            [
                {"type": "section", "text": _text("\n".join(lines[at:][:_LINES]))}
                for at in range(0, len(lines), _LINES)
            ],
        )


def _message(told: Summary | GroupSummary, middle: list[dict[str, Any]]) -> Message:
    title = _title(told)
    return json_message(
        {
            "text": title,
            "unfurl_links": False,
            "unfurl_media": False,
            "blocks": [
                {"type": "section", "text": _text(f"{_MARKS[told.level]} {title}")},
                *middle,
                {"type": "context", "elements": [_text(_escaped(f"Portcall · {told.origin}"))]},
            ],
        }
    )


def _piece(piece: Piece) -> str:
    text, chosen = piece
    return _escaped(as_code(text) if chosen else text)


def _title(told: Summary | GroupSummary) -> str:
    subject = f" {_escaped(as_code(told.subject))}" if told.subject else ""
    return f"*{_escaped(told.headline)}*{subject}"


def _text(mrkdwn: str) -> dict[str, Any]:
    """Make a text object in which only our own marks mean something: `verbatim` links nothing."""
    return {"type": "mrkdwn", "text": mrkdwn, "verbatim": True}


def _escaped(text: str) -> str:
    """Escape the three characters that make links and mentions, in code as well."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
