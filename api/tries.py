"""`POST /api/v1/sources/try`: what a notification would become. Nothing is started or kept."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from api.authorization import admin_router
from api.intake import is_ignored
from api.problems import invalid, problems
from api.services import Services, TheServices
from api.sources import mapping_errors
from portcall.auth import NoAuth, SourceAuth
from portcall.errors import NotificationError, TooLargeError
from portcall.events import RegistryEvent
from portcall.policies import Source
from portcall.sources.kind import Notification, Parsed, Refusal, SourceKind
from portcall.spec import Name

router = admin_router("sources")


class TriedSource(Source):
    """A source that need not exist. Without a kind it is the name of one that does."""

    name: Name = "tried"
    kind: str = ""
    auth: SourceAuth = NoAuth()


def _by_name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Trial(BaseModel):
    """A notification that might come; a `body` that is text is taken as it is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "source": {
                        "kind": "custom",
                        "mapping": {"type": "'artifact.pushed'", "repository": "image"},
                    },
                    "body": {"image": "prod/app:v1.2.3"},
                },
                {"source": {"name": "registry-eu"}, "body": {"events": []}},
            ]
        },
    )

    source: Annotated[TriedSource, BeforeValidator(_by_name)]
    body: Any
    headers: dict[str, str] = {}
    hint: str | None = None


class RefusedEvent(BaseModel):
    """An event, or a whole notification, that is not understood."""

    field: str
    reason: str
    message: str


class TrialAnswer(BaseModel):
    """The events that would be started, those that the source ignores, and what is refused.

    `reply` is what a sender that asks for consent would be answered.
    """

    events: list[RegistryEvent] = []
    ignored: list[RegistryEvent] = []
    refusals: list[RefusedEvent] = []
    reply: Mapping[str, Any] | None = None


@router.post("/try", operation_id="try_source", responses=problems(404))
async def try_source(services: TheServices, trial: Trial) -> TrialAnswer:
    """Say what a notification would become, by a stored source or by one that is described."""
    source, kind = await _source(services, trial)
    body = trial.body if isinstance(trial.body, str) else json.dumps(trial.body)
    notification = Notification(
        source.name,
        body.encode("utf-8", "surrogatepass"),
        headers={name.lower(): value for name, value in trial.headers.items()},
        hint=trial.hint,
        mapping=source.mapping,
        received_at=datetime.now(UTC),
    )
    if len(notification.body) > kind.body_limit:
        raise TooLargeError(f"The body is over this kind's limit of {kind.body_limit} bytes.")
    parsed = _parsed(kind, notification)
    answer = TrialAnswer(reply=parsed.reply)
    for event in parsed.events:
        known = answer.ignored if is_ignored(source.ignore, event) else answer.events
        known.append(event.without_raw())
    answer.refusals = [
        RefusedEvent(field=error.field, reason=error.reason, message=error.message)
        for error in (refusal.error for refusal in parsed.refusals)
    ]
    return answer


def _parsed(kind: SourceKind, notification: Notification) -> Parsed:
    try:
        return kind.parse(notification)
    except NotificationError as error:
        return Parsed(refusals=(Refusal(error, notification.body),))


async def _source(services: Services, trial: Trial) -> tuple[Source, SourceKind]:
    source: Source = trial.source
    if not source.kind:
        source = (await services.store.sources.get(source.name)).spec
    kind = services.kinds.get(source.kind)
    if kind is None:
        message = f"one of: {', '.join(sorted(services.kinds))}"
        raise invalid([{"field": "source.kind", "message": message}])
    if errors := list(mapping_errors(kind, source)):
        raise invalid([error | {"field": f"source.{error['field']}"} for error in errors])
    return source, kind
