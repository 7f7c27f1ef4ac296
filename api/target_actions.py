"""What can be done to one target: enable it again, send it a test event."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import structlog
from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

from api.authorization import admin_router
from api.problems import invalid, problems
from api.services import Services, TheServices
from api.suspension import release_held
from api.target_health import Health, health_of
from portcall.attempts import AttemptRecord, Outcome
from portcall.durations import Duration
from portcall.errors import ConflictError, PortcallError, UnavailableError
from portcall.events import Value
from portcall.formats.template import Template
from portcall.health import TargetHealth, TargetState
from portcall.ids import delivery_workflow_id
from portcall.pings import ping_event, ping_key
from portcall.policies import Target
from portcall.redeliveries import FailedFilter
from portcall.spec import Name

GRACE = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=6)
UNTESTABLE = {"raw": "there is no original of a test event", Template.name: "see policies/preview"}

log = structlog.get_logger(__name__)
router = admin_router("targets")


class Enabled(Value):
    """How a target stood, stands once it was enabled, and what failed while it was not well.

    `failed` counts the deliveries that ended since it began to fail and were not delivered, null
    where it was well or Temporal does not answer. `redeliver` is the body for
    `POST /api/v1/redeliveries` that sends these again.
    """

    was: TargetState
    health: Health
    failed: int | None = None
    redeliver: dict[str, Any] | None = None


@router.post("/{name}/enable", responses=problems(404, 409, 412))
async def enable(services: TheServices, name: Name) -> Enabled:
    """Begin anew with a target: neither disabled, by whomever, nor paused, nor failing.

    What is held or queued for it goes on at once. What failed meanwhile stays so until it is sent
    again: `redeliver` says how.
    """
    stored = await services.store.targets.get(name)
    target = stored.spec
    was = await services.states.reset(name)
    if not target.enabled:
        wanted = target.model_copy(update={"enabled": True})
        saved = await services.store.targets.put(wanted, if_version=stored.version)
        target = saved.spec
    await release_held(services, stored.spec, target)
    try:
        await services.engine.drain(name, look_now=True)
    except PortcallError as error:
        log.warning("queued deliveries go on later", target=name, why=error.message)
    failed, redeliver = await _failed_since(services, target, was)
    return Enabled(
        was=was.state if stored.spec.enabled else TargetState.DISABLED,
        health=await health_of(services, target),
        failed=failed,
        redeliver=redeliver,
    )


async def _failed_since(
    services: Services, target: Target, was: TargetHealth
) -> tuple[int | None, dict[str, Any] | None]:
    since = was.failing_since or was.disabled_at
    if since is None:
        return None, None
    wanted = FailedFilter(target=target.name, failed_since=since)
    try:
        found = await services.failed.count(wanted)
    except UnavailableError:
        return None, wanted.named()
    return found.count, wanted.named() if found.count else None


class PingQuestion(BaseModel):
    """In which format the test event is written, and how long its end is awaited.

    Absent `wait`: for the target's time-out and a little more.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    format: Annotated[str, Field(max_length=50)] = "default"
    wait: Annotated[Duration, Field(le=LONGEST_WAIT)] | None = None


class Ping(Value):
    """What came of a test event; `record` is null while it is under way.

    `id` is that of a delivery, which stands in the log like any other.
    """

    id: str
    outcome: Outcome
    delivered: bool
    record: AttemptRecord | None = None
    temporal_url: str | None = None


@router.post("/{name}/ping", responses={202: {"model": Ping}, **problems(404, 409)})
async def ping(
    services: TheServices, name: Name, response: Response, question: PingQuestion | None = None
) -> Ping:
    """Send a test event to a target and show what was sent and answered.

    It is of the type `target.pinged`, is sent once and goes the way of any delivery, through the
    same checks of the address; a target that is paused, at its limit or disabled by Portcall gets
    it all the same, one that a user has disabled does not. 202 where its end did not come in time.
    """
    question = question or PingQuestion()
    _check_format(services, question.format)
    target = (await services.store.targets.get(name)).spec
    if not target.enabled:
        raise ConflictError(f"The target {name} is disabled: enable it first.")
    event = ping_event(name, datetime.now(UTC))
    identity = delivery_workflow_id(ping_key(event, name))
    wait = target.timeout + GRACE if question.wait is None else question.wait
    if not await services.pings.ping(event, name, question.format, wait=wait):
        response.status_code = 202
        return Ping(id=identity, outcome=Outcome.DELIVERING, delivered=False)
    ended = await services.deliveries.delivery(identity)
    return Ping(
        id=identity,
        outcome=ended.outcome,
        delivered=ended.outcome is Outcome.DELIVERED,
        record=ended.attempt_records[-1] if ended.attempt_records else None,
        temporal_url=ended.temporal_url,
    )


def _check_format(services: Services, name: str) -> None:
    """Refuse a format that there is not, or that a test event cannot be written in."""
    if name in UNTESTABLE:
        raise invalid([{"field": "format", "message": f"not for a test: {UNTESTABLE[name]}"}])
    if name not in services.formats:
        known = ", ".join(sorted(services.formats.keys() - UNTESTABLE.keys()))
        raise invalid([{"field": "format", "message": f"one of: {known}"}])
