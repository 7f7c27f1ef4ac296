"""What the chat formats tell of several events: «12 pushes», where, and a line for each.

As in a `Summary`, everything is bounded and on one line; what others chose is told from our own
words, so that the formats need only escape it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC

from portcall.events import RegistryEvent
from portcall.formats.summary import Level, Summary, about_our_own, one_line, summary
from portcall.own_events import OWN_SOURCE

LINES = 12
"""Events that are shown: one screen, and within the limits of every chat."""

_NAMED = {
    "artifact.pushed": ("pushes", "to"),
    "artifact.pulled": ("pulls", "from"),
    "artifact.deleted": ("deletions", "from"),
    "tag.deleted": ("deleted tags", "in"),
    "scan.completed": ("scans", "of"),
    "scan.failed": ("failed scans", "of"),
    "vulnerability.found": ("findings", "in"),
}
_WORST_FIRST: tuple[Level, ...] = ("bad", "warning", "neutral", "good")

Piece = tuple[str, bool]
"""A text, and whether others chose it."""


@dataclass(frozen=True)
class GroupSummary:
    """`headline` ends in a preposition where there is a `subject`, which may be empty.

    `more` counts the events beyond those that have a line.
    """

    headline: str
    subject: str
    level: Level
    lines: tuple[tuple[Piece, ...], ...]
    more: int
    origin: str


def group_summary(events: Sequence[RegistryEvent]) -> GroupSummary:
    """Tell several events, whatever their types."""
    told = [summary(event) for event in events]
    places = {place for event in events if (place := event.repository or event.project)}
    one_type = len({event.type for event in events}) == 1
    headline, preposition = _counted(events, told) if one_type else (f"{len(events)} events", "in")
    if len(places) > 1:
        headline += f" {preposition} {len(places)} repositories"
    return GroupSummary(
        headline=f"{headline} {preposition}" if len(places) == 1 else headline,
        subject=one_line(places.pop(), 200) if len(places) == 1 else "",
        level=next(level for level in _WORST_FIRST if level in {t.level for t in told}),
        lines=tuple(
            tuple(_line(event, "" if one_type else told.headline, within=len(places) < 2))
            for event, told in zip(events[:LINES], told, strict=False)
        ),
        more=max(len(events) - LINES, 0),
        origin=_origin(events),
    )


def _counted(events: Sequence[RegistryEvent], told: Sequence[Summary]) -> tuple[str, str]:
    noun, preposition = _NAMED.get(events[0].type, (f"events: {told[0].headline}", "in"))
    return f"{len(events)} {noun}", preposition


def _line(event: RegistryEvent, headline: str, *, within: bool) -> Iterator[Piece]:
    """Give a line's pieces; `within`: the place is told already."""
    about = one_line(_reference(event, within=within), 80)
    if headline or not about:
        yield one_line(headline or summary(event).headline, 40), False
    if about:
        yield about, True
    if event.source == OWN_SOURCE:
        yield from _why(event, about)
        return
    detail = (event.scan and event.scan.severity) or (
        event.replication and event.replication.status
    )
    if detail := one_line(detail or "", 15):
        yield detail, True
    if actor := one_line(event.actor or "", 30):
        yield "by", False
        yield actor, True


def _why(event: RegistryEvent, about: str) -> Iterator[Piece]:
    """Give the target that an event of Portcall's own names, and the reason."""
    target, reason = (str(event.attributes.get(name) or "") for name in ("target", "reason"))
    if target and target != about:
        yield "to", False
        yield one_line(target, 50), True
    if reason := one_line(reason, 55):
        yield reason, True


def _reference(event: RegistryEvent, *, within: bool) -> str:
    """Give the tags, else the digest's first digits, after the place; else what is ours."""
    place = "" if within else event.repository or event.project or ""
    tags = ", ".join(event.tags[:3]) + (", …" if len(event.tags) > 3 else "")
    if tags:
        return f"{place}:{tags}" if place else tags
    digits = (event.digest or "").rpartition(":")[2][:12]
    if digits:
        return f"{place}@{digits}" if place else digits
    return place or about_our_own(event)


def _origin(events: Sequence[RegistryEvent]) -> str:
    names = {event.source for event in events}
    source = f"{len(names)} sources" if len(names) > 1 else one_line(names.pop(), 50)
    times = [event.occurred_at.astimezone(UTC) for event in events]
    begin, end = min(times), max(times)
    same_day = begin.date() == end.date()
    until = end.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M:%S")
    return f"{source} · {begin.strftime('%Y-%m-%d %H:%M:%S')} to {until} UTC"
