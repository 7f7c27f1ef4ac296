"""`/api/v1/policies`: the users' rules, and which of them match an event that one describes."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from api.problems import problems
from api.services import Services, TheServices
from api.specs import FieldErrors, Noun, spec_router
from portcall.conditions.doubts import Known, doubts
from portcall.events import RegistryEvent
from portcall.formats.format import GroupFormat
from portcall.formats.template import Template
from portcall.formats.template_language import TemplateError
from portcall.matching import MatchResult, match_event
from portcall.policies import Policy


async def check(services: Services, policy: Policy) -> FieldErrors:
    """Say which format and targets of a policy there are not, and what its template lacks."""
    errors = []
    if message := _format_fault(services, policy):
        errors.append({"field": "format", "message": message})
    if policy.template:
        try:
            template = Template(policy.template.body, policy.template.content_type)
            await asyncio.to_thread(template.check)
        except TemplateError as error:
            errors.append({"field": "template.body", "message": str(error)})
    known = {stored.spec.name for stored in await services.store.targets.list()}
    errors += [
        {"field": f"targets.{index}", "message": "there is no target of this name"}
        for index, name in enumerate(policy.targets)
        if name not in known
    ]
    return errors


def _format_fault(services: Services, policy: Policy) -> str | None:
    if policy.format not in services.formats:
        return f"one of: {', '.join(sorted(services.formats))}"
    if policy.group and not isinstance(services.formats[policy.format], GroupFormat):
        names = [name for name, known in services.formats.items() if isinstance(known, GroupFormat)]
        return f"writes one event at a time, with group one of: {', '.join(sorted(names))}"
    return None


async def _doubts(services: Services) -> Callable[[Policy], list[str]]:
    """Give what says of a policy what it can hardly mean, by what is configured now."""
    sources = [stored.spec.name for stored in await services.store.sources.list()]
    return partial(doubts, known=Known(services.kinds.keys(), sources))


MISSES_SHOWN = 500
"""Misses that a dry run names: more than the history of every event does."""

router = spec_router(
    Noun(
        name="policy",
        plural="policies",
        model=Policy,
        collection=lambda services: services.store.policies,
        check=check,
        doubts=_doubts,
        example={
            "name": "deploy-prod",
            "match": {
                "event_types": ["artifact.pushed"],
                "repository": {"glob": "prod/**"},
                "tag": {"regex": "v\\d+\\.\\d+\\.\\d+"},
            },
            "targets": ["ci"],
            "retry": {"initial_interval": "5s", "maximum_attempts": 10, "expires_after": "3d"},
        },
    )
)


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _now() -> datetime:
    return datetime.now(UTC)


class DescribedEvent(RegistryEvent):
    """An event as somebody describes it: `type` (or `event_type`) and what the policies look at.

    `tag` is another name of `tags`, and takes one as well as several.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    id: str = "described"
    source: str = ""
    kind: str = ""
    type: str = Field(validation_alias=AliasChoices("type", "event_type"))
    tags: Annotated[tuple[str, ...], BeforeValidator(_one_or_more)] = Field(
        default=(), validation_alias=AliasChoices("tags", "tag")
    )
    occurred_at: datetime = Field(default_factory=_now)
    received_at: datetime = Field(default_factory=_now)


class MatchQuestion(BaseModel):
    """Which policies would match this event, or would now match the event of this id?"""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "event": {
                        "type": "artifact.pushed",
                        "source": "harbor-eu",
                        "repository": "prod/app",
                        "tags": ["v1.2.3"],
                    }
                }
            ]
        },
    )

    event: DescribedEvent | None = None
    event_id: Annotated[str | None, Field(min_length=1, max_length=500)] = None

    @model_validator(mode="after")
    def _one_event(self) -> Self:
        if (self.event is None) is (self.event_id is None):
            raise ValueError("give either event or event_id")
        return self


async def asked_about(services: Services, question: MatchQuestion) -> RegistryEvent:
    """Give the event that is described, or that of the log."""
    if question.event_id is not None:
        return (await services.events.event(question.event_id)).event
    return question.event or DescribedEvent(type="")


@router.post("/match", operation_id="match_event", responses=problems(404, 409))
async def match(services: TheServices, question: MatchQuestion) -> MatchResult:
    """Say which policies match an event and, for the others, the first condition that failed.

    Nothing is started. Policies and targets that are switched off are among the misses; those
    for other event types, sources or projects are counted.
    """
    event = await asked_about(services, question)
    snapshot = await services.store.snapshot()
    needing_raw = {name for name, known in services.formats.items() if known.needs_raw}
    return match_event(snapshot, event, needing_raw, MISSES_SHOWN)
