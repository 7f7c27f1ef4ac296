"""What the chat formats tell of an event: a headline, its subject and a few facts, in plain text.

Everything in it is bounded and on one line, so that the formats need only escape it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Literal

from portcall.events import Quota, RegistryEvent, Replication, Retention, Scan
from portcall.formats.names import subject
from portcall.own_events import OWN_SOURCE

LONGEST_FACT = 250
ROOM = 1200
"""Characters of all facts together: one screen, and within the limits of every chat."""

_HEADLINES = {
    "quota.warned": "Quota almost used up",
    "registry.unknown": "Notification of an unknown kind",
    "scan.config_changed": "Scan configuration changed",
    "artifact.storage_changed": "Storage class of an artifact changed",
    "source.silent": "Source is silent",
    "source.rejected": "Notifications rejected",
    "target.pinged": "Test message",
    "target.disabled": "Target disabled",
    "target.recovered": "Target works again",
    "delivery.exhausted": "Delivery given up",
    "delivery.rejected": "Delivery refused by its receiver",
    "delivery.blocked": "Delivery blocked",
}
_NOTED = (
    "vulnerability", "cve", "title", "fix_available", "build_name", "ref", "renamed_to",
    "expiring_in", "message", "error", "error_message", "failure_reason",
)  # fmt: skip
"""Attributes that say more of what happened; the others are for machines."""

_NOTED_OF_OUR_OWN = {
    "reason": "Reason", "policy": "Policy", "target": "Target", "source": "Source",
    "event_type": "Event", "more_events": "More events", "attempts": "Attempts",
    "http_status": "HTTP status", "since": "Since", "delivery_id": "Delivery",
    "inbox_id": "Inbox entry",
}  # fmt: skip
"""Attributes of events of Portcall's own, with their labels."""

Level = Literal["bad", "warning", "good", "neutral"]

_LEVELS: tuple[tuple[Level, frozenset[str]], ...] = (
    ("bad", frozenset({
        "failed", "exceeded", "rejected", "quarantined", "found", "critical", "high",
        "exhausted", "blocked", "disabled",
    })),
    ("warning", frozenset({
        "warned", "expiring", "stopped", "cancelled", "medium", "unverified", "silent",
    })),
    ("good", frozenset({"completed", "succeeded", "finished", "synced", "recovered"})),
)  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """What a person wants to read; `subject` may be empty, a fact is a label and a value."""

    headline: str
    subject: str
    level: Level
    facts: tuple[tuple[str, str], ...]
    origin: str


def summary(event: RegistryEvent) -> Summary:
    """Tell an event, whatever its type."""
    when = event.occurred_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return Summary(
        headline=_headline(event),
        subject=one_line(_subject(event), 400),
        level=_level(event),
        facts=tuple(_that_fit(_facts(event))),
        origin=f"{one_line(event.source, 50)} · {when}",
    )


def one_line(text: str, longest: int = LONGEST_FACT) -> str:
    """Give a text without line breaks, control and direction characters, cut where too long."""
    shown = "".join(char if char.isprintable() else " " for char in text[: 4 * longest])
    words = " ".join(shown.split())
    return words if len(words) <= longest else words[: longest - 1] + "…"


def as_code(text: str) -> str:
    """Write a text that others chose as code, in which no Markdown is read."""
    return "`" + text.replace("`", "'") + "`"


def about_our_own(event: RegistryEvent) -> str:
    """Give the target or source that an event of Portcall's own is about, where it is of one."""
    about = event.type.partition(".")[0] if event.source == OWN_SOURCE else ""
    return str(event.attributes.get(about) or "")


def _headline(event: RegistryEvent) -> str:
    """Give letters, figures and spaces: they mean the same in every chat."""
    changed = event.type == "replication.changed" and event.replication
    words = _HEADLINES.get(event.type, event.type)
    if changed and changed.status:
        words = f"Replication {changed.status}"
    words = re.sub(r"[\W_]+", " ", words).strip()
    return one_line(words[:1].upper() + words[1:], 100) or "Event"


def _level(event: RegistryEvent) -> Level:
    scan, replication, verification = event.scan, event.replication, event.verification
    words = {
        re.split(r"[._-]", event.type)[-1],
        ((scan and scan.severity) or "").lower(),
        (replication and replication.status) or "",
        (verification and verification.state) or "",
    }
    return next((level for level, telling in _LEVELS if words & telling), "neutral")


def _that_fit(facts: Iterator[tuple[str, str | None]]) -> Iterator[tuple[str, str]]:
    room = ROOM
    for label, value in facts:
        told = one_line(value or "")
        room -= len(label) + len(told)
        if told and room >= 0:
            yield label, told


def _facts(event: RegistryEvent) -> Iterator[tuple[str, str | None]]:
    if event.scan:
        yield from _scan(event.scan)
    if event.replication:
        yield from _replication(event.replication)
    if event.retention:
        yield from _retention(event.retention)
    if event.quota:
        yield "Quota", _quota(event.quota)
    yield from _noted(event)
    yield from _artifact(event)


def _noted(event: RegistryEvent) -> Iterator[tuple[str, str | None]]:
    for name, label in _NOTED_OF_OUR_OWN.items() if event.source == OWN_SOURCE else ():
        value = event.attributes.get(name)
        if value not in (None, _subject(event)):
            yield label, str(value)
    for name in _NOTED:
        if isinstance(value := event.attributes.get(name), str):
            yield name.replace("_", " ").capitalize(), value


def _subject(event: RegistryEvent) -> str:
    """Give the artifact, or what an event of Portcall's own is about."""
    return subject(event) or about_our_own(event)


def _artifact(event: RegistryEvent) -> Iterator[tuple[str, str | None]]:
    if len(event.tags) > 1:
        yield "Tags", _listed(event.tags)
    if event.digest and not subject(event).endswith(event.digest):
        yield "Digest", event.digest
    yield "Platforms", _listed(event.platforms)
    yield "Artifact type", event.artifact_type
    yield "By", event.actor
    yield "Registry", event.registry
    if event.verification and event.verification.state == "unverified":
        yield "Not confirmed by the registry", event.verification.reason or "no reason given"


def _scan(scan: Scan) -> Iterator[tuple[str, str | None]]:
    yield "Scan", " ".join(filter(None, [scan.kind, scan.status]))
    yield "Severity", scan.severity
    counts = ", ".join(f"{severity} {count}" for severity, count in scan.counts.items())
    figures = (_figure(scan.total, ""), _figure(scan.fixable, " can be fixed"), counts)
    yield "Vulnerabilities", "; ".join(filter(None, figures))
    yield "Scanner", scan.scanner


def _figure(number: int | None, words: str) -> str:
    return "" if number is None else f"{number}{words}"


def _replication(replication: Replication) -> Iterator[tuple[str, str | None]]:
    yield "From", _place(replication.source_registry, replication.source_namespace)
    yield "To", _place(replication.destination_registry, replication.destination_namespace)
    yield "References", _listed(replication.references)
    yield "Policy", replication.policy
    yield "Trigger", replication.trigger


def _place(registry: str | None, namespace: str | None) -> str:
    return "/".join(filter(None, [registry, namespace]))


def _retention(retention: Retention) -> Iterator[tuple[str, str | None]]:
    yield "Status", retention.status
    figures = (_figure(retention.retained, " kept"), _figure(retention.total, " in total"))
    yield "Artifacts", ", ".join(filter(None, figures))
    yield "Deleted", _listed(retention.deleted)


def _quota(quota: Quota) -> str | None:
    known = quota.used is not None and quota.limit is not None
    return quota.details or (f"{quota.used:,} of {quota.limit:,} bytes" if known else None)


def _listed(values: Sequence[str]) -> str:
    """Give the first ten, and how many more there are, before any name that is cut."""
    more = f"{len(values)}: " if len(values) > 10 else ""
    return more + ", ".join(one_line(value, 100) for value in values[:10])
