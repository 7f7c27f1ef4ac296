"""What the attempts have shown of a target: healthy, failing, paused, disabled.

Pure: attempts and the time come in, the next state goes out, with what is worth telling.
"""

from datetime import datetime
from enum import StrEnum

from portcall.events import Value


class TargetState(StrEnum):
    """Where a target stands."""

    HEALTHY = "healthy"
    FAILING = "failing"
    PAUSED = "paused"
    DISABLED = "disabled"


class TargetHealth(Value):
    """A target's state; one that nothing was sent to yet is healthy.

    `failures` counts in a row, `pauses` those of the breaker in a row. `paused_until` is when
    the next delivery may try, `pause_reason` who asked for the pause: the breaker, or the
    receiver by `Retry-After`. `disabled_reason` is set where Portcall disabled the target.
    """

    failing_since: datetime | None = None
    failures: int = 0
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    last_error: str | None = None
    paused_until: datetime | None = None
    pause_reason: str | None = None
    pauses: int = 0
    disabled_at: datetime | None = None
    disabled_reason: str | None = None

    def state(self, now: datetime) -> TargetState:
        """Say where it stands."""
        if self.disabled_at:
            return TargetState.DISABLED
        if self.pauses or (self.paused_until and self.paused_until > now):
            return TargetState.PAUSED
        return TargetState.FAILING if self.failing_since else TargetState.HEALTHY


class HealthChange(Value):
    """What became of a target, worth an event of its own: it was disabled, or has recovered.

    `since` is when it began to fail.
    """

    type: str
    target: str
    reason: str
    at: datetime
    since: datetime | None = None
