"""Conditions on what only some events have: a scan, a replication, a quota, a retention run.

What an event does not say satisfies no condition but a `not`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from portcall.conditions.numbers import (
    CountCondition,
    NumberCondition,
    Severity,
    SeverityCondition,
    SizeCondition,
    severity,
)
from portcall.conditions.text import TextCondition
from portcall.events import Quota, RegistryEvent
from portcall.spec import Spec

LONGEST_ATTRIBUTE = 1000
"""Characters of an attribute that a condition looks at."""

Key = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class ScanConditions(Spec):
    """What a scan found."""

    severity: SeverityCondition | None = None
    status: TextCondition | None = None
    kind: TextCondition | None = None
    scanner: TextCondition | None = None
    total: CountCondition | None = None
    fixable: CountCondition | None = None
    counts: Annotated[dict[Severity, CountCondition], Field(min_length=1)] | None = None


class ReplicationConditions(Spec):
    """What became of a replication task, and between which registries."""

    status: TextCondition | None = None
    native_status: TextCondition | None = None
    policy: TextCondition | None = None
    trigger: TextCondition | None = None
    source_registry: TextCondition | None = None
    source_namespace: TextCondition | None = None
    destination_registry: TextCondition | None = None
    destination_namespace: TextCondition | None = None


class QuotaConditions(Spec):
    """How full it is; `percent` is what is used of the limit."""

    used: SizeCondition | None = None
    limit: SizeCondition | None = None
    percent: NumberCondition | None = None


class RetentionConditions(Spec):
    """What a tag-retention run did; `deleted` and `retained` are numbers of artifacts."""

    status: TextCondition | None = None
    total: CountCondition | None = None
    retained: CountCondition | None = None
    deleted: CountCondition | None = None


PARTS: Mapping[str, type[Spec]] = {
    "scan": ScanConditions,
    "replication": ReplicationConditions,
    "quota": QuotaConditions,
    "retention": RetentionConditions,
}
"""The parts of an event that a block of conditions has a part for, by the name of both."""


def part_values(part: str, field: str, event: RegistryEvent) -> Sequence[Any]:
    """Give what the event says in place of `part.field`; nothing where it does not say."""
    value: Any = getattr(getattr(event, part), field, None)
    if (part, field) == ("quota", "percent"):
        value = percent_used(event.quota)
    elif (part, field) == ("retention", "deleted") and value is not None:
        value = len(value)
    return () if value is None or value == "" else (value,)


def percent_used(quota: Quota | None) -> float | None:
    """Give what is used of the limit in percent; None where one of both is not known."""
    if quota is None or quota.used is None or not quota.limit:
        return None
    return 100 * quota.used / quota.limit


def count_values(wanted: str, event: RegistryEvent) -> Sequence[int]:
    """Give how many findings are so severe: none where a scan lists others, or found nothing."""
    scan = event.scan
    if scan is None or not (scan.counts or scan.total == 0):
        return ()
    return (sum(count for word, count in scan.counts.items() if severity(word) == wanted),)


def attribute_values(name: str, event: RegistryEvent) -> Sequence[str]:
    """Give an attribute as text, cut; each item of a list is one value."""
    value = event.attributes.get(name)
    items = value if isinstance(value, list | tuple) else [value]
    return tuple(attribute_text(item) for item in items if item is not None)


def attribute_text(value: Any) -> str:
    """Give an attribute's value as text, what is no text as JSON; lone surrogates are none."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, sort_keys=True)
    return text[:LONGEST_ATTRIBUTE].encode(errors="replace").decode()
