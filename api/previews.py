"""`/api/v1/policies/{name}/preview`: the requests that an event would cause, secrets masked."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from pydantic import Field

from api.authorization import admin_router
from api.backtests import TriedPolicy
from api.policies import DescribedEvent, MatchQuestion, asked_about, check
from api.problems import invalid, problems
from api.services import Services, TheServices
from portcall.attempts import RequestRecord
from portcall.auth import OAuth2Auth
from portcall.events import RegistryEvent, Value
from portcall.formats.format import Message, rendered
from portcall.formats.template import of_policy
from portcall.formats.template_language import TemplateError
from portcall.grouping import whole
from portcall.ids import DeliveryKey, webhook_id
from portcall.matching import Miss, explain
from portcall.outgoing import outgoing_request
from portcall.policies import Policy, Target, is_holding
from portcall.recording import request_record
from portcall.redaction import REDACTED, redaction_for
from portcall.spec import Name

router = admin_router("policies")


class PreviewQuestion(MatchQuestion):
    """Of which event, and of which policy: absent, the stored one.

    `more` are the other events of a group, where the policy has `group`.
    """

    policy: TriedPolicy | None = None
    more: Annotated[list[DescribedEvent], Field(max_length=99)] = []


class PreviewedRequest(Value):
    """What a target would be sent, as an attempt's record shows it."""

    target: str
    request: RequestRecord


class Preview(Value):
    """A request for each target, and why some, or all, would not be sent.

    `grouped` is what a group of several events becomes, where the policy has `group`.
    """

    requests: tuple[PreviewedRequest, ...]
    grouped: tuple[PreviewedRequest, ...] = ()
    misses: tuple[Miss, ...] = Field(default=(), description="empty where all would be sent")


@router.post("/{name}/preview", responses=problems(404, 409))
async def preview(services: TheServices, name: Name, question: PreviewQuestion) -> Preview:
    """Show the request that the policy makes of an event for each target; nothing is sent.

    The signature is made for this moment, by the target's own secrets. A policy that does not
    match is shown as well; then `misses` says why nothing would be sent. Without `more`, a group
    is shown as the event and its like. No OAuth 2.0 access token is asked for.
    """
    policy = await _policy(services, name, question.policy)
    event = await asked_about(services, question)
    targets = [(await services.store.targets.get(target)).spec for target in policy.targets]
    skipping = {t.name for t in targets if not (t.enabled or is_holding(t))}
    answers = explain(policy, event, skipping)
    others: Sequence[RegistryEvent] = question.more or [_like(event)]
    # A template may take its 0.3 s, during which other requests go on.
    make = partial(_requests, services, policy, targets)
    return Preview(
        requests=await asyncio.to_thread(make, [event]),
        grouped=await asyncio.to_thread(make, [event, *others]) if policy.group else (),
        misses=tuple(answer for answer in answers if isinstance(answer, Miss)),
    )


def _like(event: RegistryEvent) -> RegistryEvent:
    return event.model_copy(update={"id": f"{event.id}-2"})


async def _policy(services: Services, name: Name, tried: TriedPolicy | None) -> Policy:
    """Give the policy; one that was not stored yet is checked as if it were to be."""
    if tried and tried.name not in ("", name):
        raise invalid([{"field": "policy.name", "message": "another name than in the path"}])
    policy = tried or (await services.store.policies.get(name)).spec
    faults = await check(services, policy)
    if faults:
        raise invalid([{**fault, "field": f"policy.{fault['field']}"} for fault in faults])
    return policy.model_copy(update={"name": name})


def _requests(
    services: Services, policy: Policy, targets: Sequence[Target], events: Sequence[RegistryEvent]
) -> tuple[PreviewedRequest, ...]:
    known = of_policy(services.formats[policy.format], policy)
    has_raw = known.needs_raw and len(events) == 1
    try:
        message = rendered(known, events if has_raw else [e.without_raw() for e in events])
    except TemplateError as error:
        raise invalid([{"field": "template.body", "message": str(error)}]) from None
    shown = whole(events) if len(events) > 1 else events[0]
    return tuple(
        PreviewedRequest(
            target=target.name,
            request=_request(
                target, message, DeliveryKey(shown.source, shown.id, policy.name, target.name)
            ),
        )
        for target in targets
    )


def _request(target: Target, message: Message, key: DeliveryKey) -> RequestRecord:
    token = REDACTED if isinstance(target.auth, OAuth2Auth) else None
    request = outgoing_request(target, message, webhook_id(key), datetime.now(UTC), token)
    return request_record(request, redaction_for(target))
