"""Decides which policies want an event, for which targets, and why the others do not.

Pure: the policies and the names of switched-off targets come in as a snapshot. What leaves
goes through Temporal's history, so it holds no secret and its size is bounded.
"""

from collections.abc import Container, Iterator
from fnmatch import fnmatchcase
from itertools import islice

from portcall.conditions.text import TextCondition
from portcall.events import RegistryEvent, Value
from portcall.policies import Policy, RetryPolicy, is_holding
from portcall.ports import PolicySnapshot

MISSES_LISTED = 100
"""Misses that a result names; the rest are counted."""

LONGEST_TEXT = 200
"""Characters of `wanted` and `seen`, which may come from a pattern of 10,000."""


class Match(Value):
    """One delivery to make, with the policy's format and retry as they are now.

    `held`: the policy is suspended, and the delivery waits until it is resumed.
    """

    policy: str
    target: str
    format: str = "default"
    needs_raw: bool = False
    held: bool = False
    retry: RetryPolicy = RetryPolicy()


class Miss(Value):
    """Why a policy, or one target of it, does not want the event: the first failing condition.

    `condition` is `enabled`, `event_types`, `sources`, `repository`, `tag` or `target`;
    `seen` is what the event has in its place, None where it has nothing.
    """

    policy: str
    condition: str
    wanted: str
    seen: str | None = None


class MatchResult(Value):
    """All matches; the first `MISSES_LISTED` misses, and how many more there were."""

    matches: tuple[Match, ...] = ()
    misses: tuple[Miss, ...] = ()
    more_misses: int = 0


def match_event(
    snapshot: PolicySnapshot, event: RegistryEvent, formats_needing_raw: Container[str]
) -> MatchResult:
    """Ask every policy of the snapshot."""
    matches: list[Match] = []
    misses: list[Miss] = []
    for policy in snapshot.policies:
        for answer in explain(policy, event, snapshot.disabled_targets, formats_needing_raw):
            if isinstance(answer, Match):
                matches.append(answer)
            else:
                misses.append(answer)
    return MatchResult(
        matches=tuple(matches),
        misses=tuple(islice(misses, MISSES_LISTED)),
        more_misses=max(0, len(misses) - MISSES_LISTED),
    )


def explain(
    policy: Policy,
    event: RegistryEvent,
    disabled_targets: Container[str],
    formats_needing_raw: Container[str] = (),
) -> list[Match | Miss]:
    """Give an answer per target where all conditions hold, else the first that does not."""
    for miss in _failing(policy, event):
        return [miss]
    return [
        Miss(policy=policy.name, condition="target", wanted=f"{name} enabled", seen="disabled")
        if name in disabled_targets
        else Match(
            policy=policy.name,
            target=name,
            format=policy.format,
            needs_raw=policy.format in formats_needing_raw,
            held=is_holding(policy),
            retry=policy.retry,
        )
        for name in policy.targets
    ]


def _failing(policy: Policy, event: RegistryEvent) -> Iterator[Miss]:
    match = policy.match
    if not policy.enabled and not is_holding(policy):
        yield _miss(policy, "enabled", "true", "false")
    types = match.event_types
    if types is not None and not any(fnmatchcase(event.type, pattern) for pattern in types):
        yield _miss(policy, "event_types", ", ".join(types), event.type)
    if match.sources is not None and event.source not in match.sources:
        yield _miss(policy, "sources", ", ".join(match.sources), event.source)
    if not _holds(match.repository, (event.repository,) if event.repository else ()):
        yield _miss(policy, "repository", str(match.repository), event.repository)
    if not _holds(match.tag, event.tags):
        yield _miss(policy, "tag", str(match.tag), ", ".join(event.tags))


def _holds(condition: TextCondition | None, values: tuple[str, ...]) -> bool:
    return condition is None or any(map(condition.holds, values))


def _miss(policy: Policy, condition: str, wanted: str, seen: str | None) -> Miss:
    return Miss(
        policy=policy.name, condition=condition, wanted=_short(wanted), seen=_short(seen) or None
    )


def _short(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
