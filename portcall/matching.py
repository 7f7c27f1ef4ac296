"""Decides which policies want an event, for which targets, and why the others do not.

Pure: the policies and the names of switched-off targets come in as a snapshot. What leaves
goes through Temporal's history, so it holds no secret and its size is bounded.
"""

from collections.abc import Container, Iterator
from itertools import chain, islice

from portcall.conditions.asking import Failure, shown
from portcall.conditions.block import TEXT_FIELDS
from portcall.events import RegistryEvent, Value
from portcall.gathering import Group
from portcall.index import Sifted
from portcall.own_events import OWN_SOURCE
from portcall.policies import Policy, RetryPolicy, is_holding
from portcall.ports import PolicySnapshot

MISSES_LISTED = 20
"""Misses that a history names, nearest first; the rest are counted."""

LONGEST_TEXT = 200
"""Characters of `wanted` and `seen`, which may come from a pattern of 10,000."""


class Match(Value):
    """One delivery to make, with the policy's format, retry and gathering as they are now.

    `held`: the policy is suspended, and the delivery waits until it is resumed.
    """

    policy: str
    target: str
    format: str = "default"
    needs_raw: bool = False
    held: bool = False
    retry: RetryPolicy = RetryPolicy()
    group: Group | None = None
    ordered: bool = False


class Miss(Value):
    """Why a policy, or one target of it, does not want the event: the first failing condition.

    `condition` is its dotted name: `repository`, `scan.severity`, `tagged`, `expression`,
    `exclude.0` for a block that holds, last `enabled` and `target`, so that a policy which would
    have matched says so. `seen` is what the event has in its place, None where it has nothing.
    `policy` stands for one that could not be read: nobody knows whether it would have matched.
    """

    policy: str
    condition: str
    wanted: str
    seen: str | None = None


class MatchResult(Value):
    """All matches, the nearest misses, and how many more there were.

    `ruled_out` counts the policies that want other event types, sources or projects; they are
    no misses.
    """

    matches: tuple[Match, ...] = ()
    misses: tuple[Miss, ...] = ()
    more_misses: int = 0
    ruled_out: dict[str, int] = {}


def match_event(
    snapshot: PolicySnapshot,
    event: RegistryEvent,
    formats_needing_raw: Container[str],
    listed: int = MISSES_LISTED,
) -> MatchResult:
    """Ask the policies that the index leaves; list at most so many of those that miss."""
    sifted = snapshot.index.sift(event)
    matches: list[Match] = []
    misses = [
        _miss(name, "policy", "one that this version of Portcall can read", why)
        for name, why in snapshot.unreadable.items()
    ]
    for policy in sifted.candidates():
        for answer in explain(policy, event, snapshot.disabled_targets, formats_needing_raw):
            if isinstance(answer, Match):
                matches.append(answer)
            else:
                misses.append(answer)
    count = len(misses) + sifted.near_count()
    nearest = tuple(islice(chain(misses, _near_misses(sifted, event)), listed))
    return MatchResult(
        matches=tuple(matches),
        misses=nearest,
        more_misses=count - len(nearest),
        ruled_out=sifted.ruled_out,
    )


def _near_misses(sifted: Sifted, event: RegistryEvent) -> Iterator[Miss]:
    for name, policies in sifted.near():
        seen = _short(shown(TEXT_FIELDS[name](event))) or None
        for policy in policies:
            wanted = _short(str(getattr(policy.match, name)))
            yield Miss(policy=policy.name, condition=name, wanted=wanted, seen=seen)


def explain(
    policy: Policy,
    event: RegistryEvent,
    disabled_targets: Container[str],
    formats_needing_raw: Container[str] = (),
) -> list[Match | Miss]:
    """Give an answer per target where all conditions hold, else the first that does not."""
    failure = _failure(policy, event)
    if failure:
        return [_miss(policy.name, *failure)]
    return [
        _miss(policy.name, "target", f"{name} enabled", "disabled")
        if name in disabled_targets
        else Match(
            policy=policy.name,
            target=name,
            format=policy.format,
            needs_raw=policy.format in formats_needing_raw,
            held=is_holding(policy),
            retry=policy.retry,
            group=policy.group,
            ordered=policy.ordered,
        )
        for name in policy.targets
    ]


def _failure(policy: Policy, event: RegistryEvent) -> Failure | None:
    failure = policy.match.failure(event)
    unnamed = event.source == OWN_SOURCE and policy.match.sources is None
    if unnamed and not (failure and failure.path == "event_types"):
        return Failure("sources", f"{OWN_SOURCE}, by name", event.source)
    if failure:
        return failure
    for index, block in enumerate(policy.exclude):
        if block.failure(event) is None:
            return Failure(f"exclude.{index}", f"not ({block})", block.seen(event))
    if not policy.enabled and not is_holding(policy):
        return Failure("enabled", "true", "false: skipped while disabled")
    return None


def _miss(policy: str, condition: str, wanted: str, seen: str) -> Miss:
    return Miss(
        policy=policy, condition=condition, wanted=_short(wanted), seen=_short(seen) or None
    )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
