"""Who may send to a target now, and how many of those that wait may go.

Pure: where the target stands and the time come in, the answer and the new standing go out.
The adapters keep the standing so that it holds over all workers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from portcall.attempts import AttemptRecord
from portcall.auth import TOKEN_TIMEOUT, OAuth2Auth
from portcall.health import RESUMED, HealthChange, TargetHealth, after_attempt
from portcall.policies import Target
from portcall.ports.gate import Closed, NotYet, Permit, Room
from portcall.receiving import per_second

SECOND = timedelta(seconds=1)
MARGIN = timedelta(seconds=10)
LOOK_AGAIN = timedelta(milliseconds=200)
BATCH = 20
"""How many queued deliveries of a target without limits may go at each look."""

MANY = 1000
FORGOTTEN = timedelta(hours=1)
"""One that has waited so long since its last look may have been missed by the queue's walk."""


@dataclass(frozen=True)
class Standing:
    """A target's health and what is under way to it.

    `rate_at` is when the next attempt is due at the target's rate, `backlog` says that others
    are queued, `probe` is the lease of the attempt that tries after a pause, and holds until
    `probe_until`. `leases` are those of `max_concurrent`, and until when they hold; `changed_at`
    is when the target was last changed.
    """

    health: TargetHealth = field(default_factory=TargetHealth)
    rate_at: datetime | None = None
    backlog: bool = False
    probe: str = ""
    probe_until: datetime | None = None
    leases: Mapping[str, datetime] = field(default_factory=dict)
    changed_at: datetime | None = None

    def is_probed(self, now: datetime) -> bool:
        """Whether an attempt that tries after a pause is under way."""
        return self.probe_until is not None and self.probe_until > now

    def under_way(self, now: datetime) -> int:
        """Count the leases that hold."""
        return sum(until > now for until in self.leases.values())


def is_limited(target: Target) -> bool:
    """Whether it has limits that hold over all workers."""
    return target.max_concurrent is not None or target.rate is not None


def lease_time(target: Target) -> timedelta:
    """Give how long an attempt may hold its lease; a worker that died holds it no longer.

    With OAuth 2.0 a token may have to be fetched, the request be refused, and both done again.
    """
    if isinstance(target.auth, OAuth2Auth):
        return 2 * (target.timeout + TOKEN_TIMEOUT) + MARGIN
    return target.timeout + MARGIN


def admit(
    standing: Standing, target: Target, lease: str, now: datetime, *, queued: bool
) -> tuple[Permit | NotYet | Closed, Standing]:
    """Answer one that asks to make an attempt, under `lease` if it needs one."""
    health = standing.health
    if health.disabled_at:
        why = f"Portcall has disabled the target {target.name}: {health.disabled_reason}"
        return Closed(why), standing
    reason = _paused(standing, target, now) or _full(standing, target, now, queued=queued)
    if reason:
        return NotYet(reason), replace(standing, backlog=standing.backlog or is_limited(target))
    probe, until = health.paused_until is not None, now + lease_time(target)
    if probe:
        standing = replace(standing, probe=lease, probe_until=until)
    if target.rate:
        due = _due(standing, target.rate, now) + _interval(target.rate)
        standing = replace(standing, rate_at=due)
    if target.max_concurrent:
        standing = replace(standing, leases={**standing.leases, lease: until})
    return Permit(target, lease if probe or target.max_concurrent else "", probe), standing


def settle(
    standing: Standing, permit: Permit, record: AttemptRecord | None, now: datetime
) -> tuple[Sequence[HealthChange], Standing]:
    """Take a permit back, with how the attempt ended."""
    if permit.lease:
        left = {lease: until for lease, until in standing.leases.items() if lease != permit.lease}
        standing = replace(standing, leases=left)
        if standing.probe == permit.lease:
            standing = replace(standing, probe="", probe_until=None)
    if record is None:
        return (), standing
    if standing.changed_at and record.started_at < standing.changed_at:
        return (), standing  # it says nothing of the target as it is now
    health, changes = after_attempt(standing.health, permit.target, record, now, probe=permit.probe)
    return changes or _resumed(standing.health, health, permit, now), replace(
        standing, health=health
    )


def _resumed(
    before: TargetHealth, after: TargetHealth, permit: Permit, now: datetime
) -> tuple[HealthChange, ...]:
    """Tell the queue, which sleeps until the pause is over, where an attempt has ended it."""
    until = before.paused_until
    if until is None or until <= now or after.paused_until:
        return ()
    reason = "the receiver is there, and did not take one message"
    return (HealthChange(type=RESUMED, target=permit.target.name, reason=reason, at=now),)


def begun_anew(standing: Standing) -> Standing:
    """Give the standing without what was held against the target."""
    return replace(standing, health=TargetHealth(), probe="", probe_until=None)


def has_turn(told: bool, waited: timedelta, left: timedelta) -> bool:
    """Whether one that is queued may go before those that come new.

    One that has only looked by itself stands behind those that are told to go: of a long queue
    so many look that they would leave no room for the oldest. But where the search may have missed
    it, and at its expiry, it goes if there is room.
    """
    return told or waited >= FORGOTTEN or waited >= left


def room(standing: Standing, target: Target, now: datetime) -> Room:
    """Say how many queued deliveries may go now, why not one, and when to look again."""
    found = _room(standing, target, now)
    why = _paused(standing, target, now) or _full(standing, target, now, queued=True)
    return found if found.now else replace(found, why=why or "")


def _room(standing: Standing, target: Target, now: datetime) -> Room:
    health = standing.health
    if health.disabled_at:
        return Room(MANY, LOOK_AGAIN)  # each ends at once, and says why
    if health.paused_until and health.paused_until > now:
        return Room(0, health.paused_until - now)
    if standing.is_probed(now):
        return Room(0, LOOK_AGAIN)
    if not is_limited(target):
        return Room(1 if health.paused_until else BATCH, LOOK_AGAIN)
    free = 1 if health.paused_until else MANY
    if target.max_concurrent:
        free = min(free, max(0, target.max_concurrent - standing.under_way(now)))
    if not target.rate:
        return Room(free, LOOK_AGAIN)
    due, interval = _due(standing, target.rate, now), _interval(target.rate)
    free = min(free, max(0, (now + _ahead(interval) - due) // interval + 1))
    return Room(free, max(LOOK_AGAIN, due + free * interval - _ahead(interval) - now))


def _paused(standing: Standing, target: Target, now: datetime) -> str | None:
    until, why = standing.health.paused_until, standing.health.pause_reason
    if until is None:
        return None
    if until > now:
        return f"the target {target.name} is paused until {until:%H:%M:%S} UTC: {why}"
    if standing.is_probed(now):
        return f"the target {target.name} was paused ({why}), and one delivery is trying it"
    return None


def _full(standing: Standing, target: Target, now: datetime, *, queued: bool) -> str | None:
    if not is_limited(target):
        return None
    if standing.backlog and not queued:
        return f"others are queued for the target {target.name}"
    if target.max_concurrent and standing.under_way(now) >= target.max_concurrent:
        return f"the target {target.name} takes {target.max_concurrent} at a time"
    if target.rate:
        due = _due(standing, target.rate, now) - _ahead(_interval(target.rate))
        if due > now:
            return f"the target {target.name} takes {target.rate}, the next at {due:%H:%M:%S} UTC"
    return None


def _due(standing: Standing, rate: str, now: datetime) -> datetime:
    """Give when the next attempt is due, which is now where the last one was not at this rate.

    It is further off than this rate ever makes it where the rate was lower before, or a worker's
    clock was wrong. A second is left for clocks that nearly agree.
    """
    interval, due = _interval(rate), standing.rate_at or now
    return now if due > now + interval + _ahead(interval) + SECOND else max(due, now)


def _interval(rate: str) -> timedelta:
    """Give the time between two attempts, rounded up to the microsecond."""
    return timedelta(microseconds=math.ceil(1e6 / per_second(rate) - 1e-6))


def _ahead(interval: timedelta) -> timedelta:
    """Give how far attempts may be ahead of the rate: all of a second's may come at once.

    Without that the queue could not be sent on in steps and keep the rate up (GCRA, ITU-T I.371).
    """
    return max(timedelta(), SECOND - interval)
