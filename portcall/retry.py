"""What to do after an attempt: delivered, try again after a while, or give up and why.

Pure: time, elapsed time and chance come in as arguments. The same table of rules stands in
`docs/retries.md`.
"""

from dataclasses import dataclass
from datetime import timedelta

from portcall.attempts import AttemptOutcome, AttemptRecord, ErrorType, Outcome
from portcall.durations import format_duration
from portcall.health import GONE
from portcall.policies import RetryPolicy


@dataclass(frozen=True)
class Delivered:
    """The receiver said 2xx."""


@dataclass(frozen=True)
class TryAgain:
    """Wait `delay`, then make the next attempt. `reconnects`: it does not count."""

    delay: timedelta
    reconnects: bool = False


@dataclass(frozen=True)
class GiveUp:
    """No further attempt. `reason` is one sentence for a person."""

    outcome: Outcome
    reason: str


Decision = Delivered | TryAgain | GiveUp
AT_ONCE = TryAgain(timedelta(), reconnects=True)
"""After a first attempt that found no connection."""


def backoff(policy: RetryPolicy, number: int, chance: float) -> timedelta:
    """Give the wait after attempt `number` (from 1), spread by `jitter` with `chance` in [0, 1)."""
    spread = 1 + policy.jitter * (2 * chance - 1)
    if policy.schedule:
        return policy.schedule[min(number, len(policy.schedule)) - 1] * spread
    longest = policy.maximum_interval.total_seconds()
    try:
        grown = policy.initial_interval.total_seconds() * policy.backoff_coefficient ** (number - 1)
    except OverflowError:
        grown = longest
    return timedelta(seconds=min(grown, longest) * spread)


def attempts_allowed(policy: RetryPolicy) -> int:
    """Give how many attempts there are: one more than the schedule has waits."""
    return len(policy.schedule) + 1 if policy.schedule else policy.maximum_attempts


def is_retryable(policy: RetryPolicy, record: AttemptRecord) -> bool:
    """Whether `retry_on` covers what happened. Our own faults and a lost worker always are."""
    if record.error:
        kind = record.error.type
        if kind in (ErrorType.LOST, ErrorType.INTERNAL):
            return True
        return ("timeout" if kind is ErrorType.TIMEOUT else "network") in policy.retry_on
    status = record.http_status or 0
    return str(status) in policy.retry_on or f"{status // 100}xx" in policy.retry_on


def decide(
    policy: RetryPolicy,
    number: int,
    record: AttemptRecord,
    elapsed: timedelta,
    chance: float,
    *,
    reconnected: bool = False,
) -> Decision:
    """Decide what follows attempt `number`, `elapsed` after the delivery began.

    `reconnected`: the first attempt found no connection and was made again at once, which does
    not count. A `Retry-After` lengthens the wait, never shortens it (RFC 9110, section 10.2.3).
    A wait that would pass `expires_after` is cut to it, so that the last attempt falls on the
    expiry.
    """
    if record.outcome is AttemptOutcome.DELIVERED:
        return Delivered()
    if record.outcome is AttemptOutcome.BLOCKED:
        return GiveUp(Outcome.BLOCKED, record.error.message if record.error else record.summary())
    if not is_retryable(policy, record):
        gone = ", and disables the target" if record.http_status == GONE else ""
        return GiveUp(Outcome.REJECTED, f"{record.summary()} is not in retry_on{gone}")
    return _after_failure(policy, number, record, elapsed, chance, reconnected=reconnected)


def _after_failure(
    policy: RetryPolicy,
    number: int,
    record: AttemptRecord,
    elapsed: timedelta,
    chance: float,
    *,
    reconnected: bool,
) -> Decision:
    counted = number - reconnected
    left = policy.expires_after - elapsed
    if policy.reconnect and number == 1 and left > timedelta() and _found_no_connection(record):
        return AT_ONCE
    if counted >= attempts_allowed(policy):
        how_many = f"{counted} of {counted} attempts{' and one made at once' * reconnected}"
        reason = f"{how_many} failed, the last with {record.summary()}"
        return GiveUp(Outcome.EXHAUSTED, reason)
    if left <= timedelta():
        return expired(policy, f"the last attempt with {record.summary()}")
    delay = max(backoff(policy, counted, chance), record.retry_after or timedelta())
    return TryAgain(min(delay, left))


def expired(policy: RetryPolicy, last: str) -> GiveUp:
    """Give up since `expires_after` is over; `last` says what stood in the way at the end."""
    limit = format_duration(policy.expires_after)
    return GiveUp(Outcome.EXHAUSTED, f"expired after {limit}, {last}")


def _found_no_connection(record: AttemptRecord) -> bool:
    return record.error is not None and record.error.type is ErrorType.CONNECT
