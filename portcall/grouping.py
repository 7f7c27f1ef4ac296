"""Which events make one group, when it is full, and what it is as a whole.

Pure: `workflows/group.py` has the time and the signals, and starts the deliveries.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from portcall.events import RegistryEvent, Value
from portcall.gathering import Group
from portcall.ids import cut, derived_id, group_workflow_id
from portcall.matching import Match

GROUP_BYTES = 256 * 1024
"""Events of one group: as much as one event with its raw original, for every attempt has them."""

GROUPED = "events.grouped"
"""The type of a group of events of several types."""

_OF_THE_MOMENT = {"id", "occurred_at", "received_at", "correlation_id", "raw"}
_IN_COMMON = (
    "source", "kind", "registry", "project", "repository", "digest", "media_type",
    "artifact_type", "visibility", "actor",
)  # fmt: skip
_MOST_TAGS = 100


class Gathered(Value):
    """One event for the group of a policy: how it matched, and for which of the targets."""

    event: RegistryEvent
    match: Match
    targets: tuple[str, ...]


class GroupRun(Value):
    """The run of a workflow that gathers, to which an event was given."""

    policy: str
    workflow_id: str
    run_id: str


def by_policy(event: RegistryEvent, matches: Iterable[Match]) -> tuple[Gathered, ...]:
    """Put the grouped matches of an event together, one for each policy."""
    found: dict[str, Gathered] = {}
    for match in matches:
        before = found[match.policy].targets if match.policy in found else ()
        targets = (*before, match.target)
        found[match.policy] = Gathered(event=event.without_raw(), match=match, targets=targets)
    return tuple(found.values())


def group_of(given: Gathered, group: Group) -> str:
    """Give the id of the workflow that gathers this event with those that agree in `by`."""
    agreed = sorted(agreed_on(given.event, group).items())
    return group_workflow_id(given.match.policy, (part for pair in agreed for part in pair))


def group_title(given: Gathered, group: Group) -> str:
    """Say in one line what is gathered, for the Web UI: `deploy-prod: prod/app`."""
    agreed = ", ".join(value or "-" for value in agreed_on(given.event, group).values())
    return cut(f"{given.match.policy}: {agreed or 'all events'}")


def agreed_on(event: RegistryEvent, group: Group) -> dict[str, str]:
    """Give what the events of a group agree in, by the names of `by`."""
    fields = {name: "type" if name == "event_type" else name for name in group.by}
    return {name: getattr(event, field) or "" for name, field in fields.items()}


def fingerprint(event: RegistryEvent) -> str:
    """Give what is equal for events that say the same: all but ids, times and the original.

    Nor does the connection count of which some registries tell (its port, HEAD before GET).
    """
    attributes = {k: v for k, v in event.attributes.items() if not k.startswith("request_")}
    said = event.model_copy(update={"attributes": attributes})
    text = said.model_dump_json(exclude=_OF_THE_MOMENT)
    return hashlib.sha256(text.encode()).hexdigest()


class Gathering:
    """What one window has: events that differ, `most` of them at most, and so many bytes."""

    def __init__(self, most: int) -> None:
        """Start with no event."""
        self.taken: list[Gathered] = []
        self._most = most
        self._fingerprints: set[str] = set()
        self._bytes = 0

    def add(self, given: Gathered) -> bool:
        """Take the event, or say that there is no room; one that is there already counts once."""
        said = fingerprint(given.event)
        if said in self._fingerprints:
            return True
        size = len(given.event.model_dump_json().encode())
        if self.is_full or (self.taken and self._bytes + size > GROUP_BYTES):
            return False
        self.taken.append(given)
        self._fingerprints.add(said)
        self._bytes += size
        return True

    @property
    def is_full(self) -> bool:
        """Whether as many are there as may be."""
        return len(self.taken) >= self._most

    def has(self, event: RegistryEvent) -> bool:
        """Whether this very event is there: it was signalled twice."""
        return any((g.event.source, g.event.id) == (event.source, event.id) for g in self.taken)


def per_target(taken: Iterable[Gathered]) -> list[tuple[Match, tuple[RegistryEvent, ...]]]:
    """Give each target its events in the order in which they occurred, and how to deliver them.

    What the policy said last holds; one that was suspended meanwhile holds the whole group.
    """
    events: dict[str, list[RegistryEvent]] = {}
    matches: dict[str, Match] = {}
    for given in taken:
        for target in given.targets:
            held = given.match.held or (target in matches and matches[target].held)
            matches[target] = given.match.model_copy(update={"target": target, "held": held})
            events.setdefault(target, []).append(given.event)
    return [
        (match, tuple(sorted(events[target], key=lambda e: (e.occurred_at, e.received_at))))
        for target, match in matches.items()
    ]


def whole(events: Sequence[RegistryEvent]) -> RegistryEvent:
    """Give the event that a group is as a whole: what all agree in, and the tags of all.

    Its id comes from theirs. Its source is the first one's where there are several.
    """
    first = events[0]
    facts: dict[str, Any] = {
        name: getattr(first, name)
        for name in _IN_COMMON
        if len({getattr(event, name) for event in events}) == 1
    }
    types = {event.type for event in events}
    tags = dict.fromkeys(tag for event in events for tag in event.tags)
    return RegistryEvent.model_validate(
        {
            "source": first.source,
            "kind": first.kind,
            **facts,
            "id": derived_id(part for event in events for part in (event.source, event.id)),
            "type": first.type if len(types) == 1 else GROUPED,
            "occurred_at": first.occurred_at,
            "received_at": max(event.received_at for event in events),
            "tags": tuple(tags)[:_MOST_TAGS],
            "attributes": {"count": len(events)},
        }
    )
