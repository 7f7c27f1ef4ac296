"""What the attempts have shown of a target: healthy, failing, paused, disabled.

Pure: attempts and the time come in, the next state goes out, with what is worth telling. The
same rules stand in `docs/targets.md`.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from portcall.attempts import AttemptOutcome, AttemptRecord, ErrorType
from portcall.durations import format_duration
from portcall.events import Value
from portcall.policies import Target

LONGEST_WAIT = timedelta(hours=24)
"""The longest that a receiver's `Retry-After` pauses a target."""

GONE = 410
"""The receiver is gone for good, which disables its target (RFC 9110, section 15.5.11)."""

DISABLED = "target.disabled"
RECOVERED = "target.recovered"
RESUMED = "target.resumed"
"""A pause has ended before its time, which the target's queue must know and nobody else."""

_AT_FAULT = frozenset({408, 425, 429})
_ASKS_TO_WAIT = frozenset({429, 503})
_OUR_OWN = frozenset({ErrorType.BLOCKED, ErrorType.LOST, ErrorType.INTERNAL})
_LONGEST_ERROR = 500


class TargetState(StrEnum):
    """Where a target stands."""

    HEALTHY = "healthy"
    FAILING = "failing"
    PAUSED = "paused"
    DISABLED = "disabled"


class TargetHealth(Value):
    """A target's state; one that nothing was sent to yet is healthy.

    `failures` counts what was no 2xx in a row, `strikes` those of them in a row of which the
    receiver is to blame, `pauses` those of the breaker since the last success. `paused_until` is
    when one delivery may try, and stays until that has ended; `pause_reason` says who asked for
    the pause: the breaker, or the receiver by `Retry-After`. `disabled_reason` is set where
    Portcall disabled the target.
    """

    failing_since: datetime | None = None
    failures: int = 0
    strikes: int = 0
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    last_error: str | None = None
    paused_until: datetime | None = None
    pause_reason: str | None = None
    pauses: int = 0
    disabled_at: datetime | None = None
    disabled_reason: str | None = None

    @property
    def state(self) -> TargetState:
        """Where it stands; `paused` until an attempt after the pause has ended."""
        if self.disabled_at:
            return TargetState.DISABLED
        if self.paused_until:
            return TargetState.PAUSED
        return TargetState.FAILING if self.failing_since else TargetState.HEALTHY

    @property
    def is_healthy(self) -> bool:
        """Whether nothing stands in the way of the next attempt, and the last one succeeded."""
        return not (self.failing_since or self.paused_until or self.disabled_at)


class HealthChange(Value):
    """What became of a target: it was disabled, or has recovered, or its pause has ended early.

    `since` is when it began to fail.
    """

    type: str
    target: str
    reason: str
    at: datetime
    since: datetime | None = None


Next = tuple[TargetHealth, tuple[HealthChange, ...]]
"""The state that follows, and what is to be told."""


def counts(record: AttemptRecord) -> bool:
    """Whether an attempt says anything of the receiver: it was sent, or tried to be."""
    ended = record.outcome in (AttemptOutcome.DELIVERED, AttemptOutcome.FAILED)
    return ended and not (record.error and record.error.type in _OUR_OWN)


def is_to_blame(record: AttemptRecord) -> bool:
    """Whether the receiver of a failed attempt is down, overloaded or not to be reached.

    Any other 4xx, and a 3xx, says that it is there and does not take this message.
    """
    status = record.http_status
    if record.error or status is None:
        return True
    return status >= 500 or status in _AT_FAULT


def after_attempt(
    health: TargetHealth,
    target: Target,
    record: AttemptRecord,
    now: datetime,
    *,
    probe: bool = False,
) -> Next:
    """Give the state after an attempt that ended now; `probe`: the one made after a pause."""
    if health.disabled_at or not counts(record):
        return health, ()
    if record.outcome is AttemptOutcome.DELIVERED:
        return _delivered(health, target, now, probe=probe)
    blamed = is_to_blame(record)
    failed = _changed(
        health,
        failing_since=health.failing_since or now,
        failures=health.failures + 1,
        strikes=health.strikes + 1 if blamed else 0,
        last_failure_at=now,
        last_error=_storable(record.summary()),
        **({"paused_until": None, "pause_reason": None} if probe else {}),
    )
    reason = _why_disabled(failed, target, record, now)
    if reason:
        disabled = _changed(
            failed, disabled_at=now, disabled_reason=reason, paused_until=None, pause_reason=None
        )
        since = failed.failing_since
        told = HealthChange(type=DISABLED, target=target.name, reason=reason, at=now, since=since)
        return disabled, (told,)
    if blamed:
        return _slowed(_broken(failed, target, now), record, now), ()
    return _lifted(failed) if failed.pauses else failed, ()


def after_unnoticed_success(health: TargetHealth, at: datetime) -> TargetHealth:
    """Give the state where a success after the last failure was noticed too late to be told."""
    failed_at = health.last_failure_at
    if health.pauses or health.disabled_at or failed_at is None or failed_at >= at:
        return health
    return _changed(health, failing_since=None, failures=0, strikes=0, last_success_at=at)


def _delivered(health: TargetHealth, target: Target, now: datetime, *, probe: bool) -> Next:
    well = TargetHealth(
        last_success_at=now, last_failure_at=health.last_failure_at, last_error=health.last_error
    )
    if not health.pauses:
        # What was under way already does not end a wait that the receiver asked for.
        until = health.paused_until
        if until and until > now and not probe:
            well = _changed(well, paused_until=until, pause_reason=health.pause_reason)
        return well, ()
    since = health.failing_since
    reason = f"it answers again, after {_times(health.failures)} since {_clock(since or now)}"
    told = HealthChange(type=RECOVERED, target=target.name, reason=reason, at=now, since=since)
    return well, (told,)


def _why_disabled(
    failed: TargetHealth, target: Target, record: AttemptRecord, now: datetime
) -> str | None:
    if record.http_status == GONE:
        return "it answered 410 Gone"
    since, limit = failed.failing_since or now, target.disable_after
    if limit is None or failed.failures < 2 or now - since < limit:
        return None
    return (
        f"nothing but failures for {format_duration(limit)}: {_times(failed.failures)} since"
        f" {_clock(since)}, the last: {failed.last_error}"
    )


def _broken(failed: TargetHealth, target: Target, now: datetime) -> TargetHealth:
    """Pause it where the breaker says so; what ends within a pause began before it."""
    breaker = target.breaker
    if breaker is None or failed.paused_until or failed.strikes < breaker.failures:
        return failed
    longest = breaker.longest_pause.total_seconds()
    seconds = min(longest, breaker.pause.total_seconds() * 2.0 ** min(failed.pauses, 60))
    return _changed(
        failed,
        paused_until=now + timedelta(seconds=seconds),
        pause_reason=f"{_times(failed.strikes)} in a row, the last: {failed.last_error}",
        pauses=failed.pauses + 1,
    )


def _slowed(failed: TargetHealth, record: AttemptRecord, now: datetime) -> TargetHealth:
    """Pause it for as long as the receiver asks, unless it is paused for longer already."""
    wait = min(record.retry_after or timedelta(), LONGEST_WAIT)
    if not wait or record.http_status not in _ASKS_TO_WAIT:
        return failed
    if failed.paused_until and failed.paused_until >= now + wait:
        return failed
    reason = f"it asked to wait {format_duration(wait)} (HTTP {record.http_status}, Retry-After)"
    return _changed(failed, paused_until=now + wait, pause_reason=reason)


def _lifted(failed: TargetHealth) -> TargetHealth:
    return _changed(failed, paused_until=None, pause_reason=None)


def _changed(health: TargetHealth, **what: Any) -> TargetHealth:
    return health.model_copy(update=what)


def _storable(text: str) -> str:
    """Cut it, and take out what a database's text cannot hold."""
    return text[:_LONGEST_ERROR].replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _times(failures: int) -> str:
    return "1 failure" if failures == 1 else f"{failures} failures"


def _clock(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
