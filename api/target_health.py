"""`/api/v1/targets/{name}/health` and `/api/v1/target-health`: how the receivers are doing."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import Field

from api.authorization import admin_router
from api.pages import LIMIT, Limit, Page
from api.problems import problems
from api.services import Services, TheServices
from portcall.attempts import OPEN_OUTCOMES, Outcome
from portcall.errors import UnavailableError
from portcall.events import Value
from portcall.health import TargetHealth, TargetState
from portcall.log import Filter
from portcall.policies import Target
from portcall.ports import Figures
from portcall.spec import Name

router = admin_router("targets")
states_router = admin_router("target-health")


class Standing(Value):
    """Where a target stands, since when, and why.

    `disabled_by` is `user` where `enabled` is false, `portcall` where it failed for too long or
    answered 410. `failures` counts those in a row.
    """

    name: str
    state: TargetState
    since: datetime | None = None
    reason: str | None = None
    disabled_by: Literal["user", "portcall"] | None = None
    failures: int = 0


class Share(Value):
    """Attempts of a while, the share that was delivered, and how long the answers took."""

    attempts: int
    delivered: int
    success_share: float | None = Field(description="null where there was no attempt")
    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None


class Backlog(Value):
    """Deliveries that are not over yet, by where they stand."""

    delivering: int
    retrying: int
    queued: int
    waiting: int
    held: int


class Health(Standing):
    """All that is known of a target; `backlog` is null while Temporal does not answer."""

    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    last_error: str | None = None
    paused_until: datetime | None = None
    last_hour: Share
    last_day: Share
    backlog: Backlog | None


@states_router.get("")
async def list_target_health(
    services: TheServices, limit: Limit = LIMIT, cursor: Name | None = None
) -> Page[Standing]:
    """Give where every target stands, by name."""
    found = await services.store.targets.list(after=cursor or "", limit=limit + 1)
    unhealthy = await services.states.unhealthy()
    targets = [stored.spec for stored in found]
    return Page(
        items=[
            Standing(**_standing(target, unhealthy.get(target.name, TargetHealth())))
            for target in targets[:limit]
        ],
        next_cursor=targets[limit - 1].name if len(targets) > limit else None,
    )


@router.get("/{name}/health", responses=problems(404))
async def show_target_health(services: TheServices, name: Name) -> Health:
    """Give where a target stands, its figures for the last hour and day, and what waits for it."""
    target = (await services.store.targets.get(name)).spec
    return await health_of(services, target)


async def health_of(services: Services, target: Target) -> Health:
    """Give all that is known of a target."""
    now = datetime.now(UTC)
    known = await services.states.health(target.name)
    hour = await services.states.figures(target.name, now - timedelta(hours=1))
    day = await services.states.figures(target.name, now - timedelta(days=1))
    return Health(
        **_standing(target, known),
        last_success_at=known.last_success_at,
        last_failure_at=known.last_failure_at,
        last_error=known.last_error,
        paused_until=known.paused_until,
        last_hour=_share(hour),
        last_day=_share(day),
        backlog=await _backlog(services, target.name),
    )


def _standing(target: Target, known: TargetHealth) -> dict[str, Any]:
    state, since, reason, by = known.state, known.failing_since, known.last_error, None
    if not target.enabled:
        fate = f"is disabled and {target.while_disabled}s what arrives"
        state, since, reason, by = TargetState.DISABLED, None, f"it {fate}", "user"
    elif state is TargetState.DISABLED:
        since, reason, by = known.disabled_at, known.disabled_reason, "portcall"
    elif state is TargetState.PAUSED:
        reason = known.pause_reason
    elif state is TargetState.HEALTHY:
        reason = None
    return {
        "name": target.name,
        "state": state,
        "since": since,
        "reason": reason,
        "disabled_by": by,
        "failures": known.failures,
    }


def _share(figures: Figures) -> Share:
    share = figures.delivered / figures.attempts if figures.attempts else None
    return Share(
        attempts=figures.attempts,
        delivered=figures.delivered,
        success_share=share,
        p50_ms=figures.p50,
        p90_ms=figures.p90,
        p99_ms=figures.p99,
    )


async def _backlog(services: Services, name: str) -> Backlog | None:
    """Count what is not over; Temporal's search counts one outcome at a time."""

    async def count(outcome: Outcome) -> int:
        wanted = Filter.model_validate({"target": name, "outcome": outcome.value})
        return await services.deliveries.count(wanted)

    try:
        counts = await asyncio.gather(*map(count, OPEN_OUTCOMES))
    except UnavailableError:
        return None
    return Backlog(**dict(zip(map(str, OPEN_OUTCOMES), counts, strict=True)))
