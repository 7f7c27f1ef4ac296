"""`/api/v1/policies`: the users' rules, and which of them match an event that one describes."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from api.services import Services, TheServices
from api.specs import FieldErrors, Noun, spec_router
from portcall.events import RegistryEvent
from portcall.matching import MatchResult, match_event
from portcall.policies import Policy, is_holding
from portcall.ports import PolicySnapshot


async def _check(services: Services, policy: Policy) -> FieldErrors:
    errors = []
    if policy.format not in services.formats:
        message = f"one of: {', '.join(sorted(services.formats))}"
        errors.append({"field": "format", "message": message})
    known = {stored.spec.name for stored in await services.store.targets.list()}
    errors += [
        {"field": f"targets.{index}", "message": "there is no target of this name"}
        for index, name in enumerate(policy.targets)
        if name not in known
    ]
    return errors


router = spec_router(
    Noun(
        name="policy",
        plural="policies",
        model=Policy,
        collection=lambda services: services.store.policies,
        check=_check,
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
    """Which policies would match this event?"""

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

    event: DescribedEvent


@router.post("/match", operation_id="match_event")
async def match(services: TheServices, question: MatchQuestion) -> MatchResult:
    """Say which policies match an event and, for the others, the first condition that failed.

    Nothing is started. Policies and targets that are switched off are among the misses.
    """
    policies = await services.store.policies.list()
    targets = await services.store.targets.list()
    snapshot = PolicySnapshot(
        policies=tuple(stored.spec for stored in policies),
        disabled_targets=frozenset(
            t.spec.name for t in targets if not t.spec.enabled and not is_holding(t.spec)
        ),
    )
    needing_raw = {name for name, known in services.formats.items() if known.needs_raw}
    return match_event(snapshot, question.event, needing_raw)
