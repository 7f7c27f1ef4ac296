"""`/api/v1/policies/{name}/preview`: the requests that an event would cause, secrets masked."""

from datetime import UTC, datetime

from pydantic import Field

from api.authorization import admin_router
from api.backtests import TriedPolicy
from api.policies import MatchQuestion, asked_about, check
from api.problems import invalid, problems
from api.services import Services, TheServices
from portcall.attempts import RequestRecord
from portcall.events import RegistryEvent, Value
from portcall.formats.template import of_policy
from portcall.formats.template_language import TemplateError
from portcall.ids import DeliveryKey, webhook_id
from portcall.matching import Miss, explain
from portcall.outgoing import outgoing_request
from portcall.policies import Policy, Target, is_holding
from portcall.recording import request_record
from portcall.redaction import redaction_for
from portcall.spec import Name

router = admin_router("policies")


class PreviewQuestion(MatchQuestion):
    """Of which event, and of which policy: absent, the stored one."""

    policy: TriedPolicy | None = None


class PreviewedRequest(Value):
    """What a target would be sent, as an attempt's record shows it."""

    target: str
    request: RequestRecord


class Preview(Value):
    """A request for each target, and why some, or all, would not be sent."""

    requests: tuple[PreviewedRequest, ...]
    misses: tuple[Miss, ...] = Field(default=(), description="empty where all would be sent")


@router.post("/{name}/preview", responses=problems(404, 409))
async def preview(services: TheServices, name: Name, question: PreviewQuestion) -> Preview:
    """Show the request that the policy makes of an event for each target; nothing is sent.

    The signature is made for this moment, by the target's own secrets. A policy that does not
    match is shown as well; then `misses` says why nothing would be sent.
    """
    policy = await _policy(services, name, question.policy)
    event = await asked_about(services, question)
    targets = [(await services.store.targets.get(target)).spec for target in policy.targets]
    skipping = {t.name for t in targets if not (t.enabled or is_holding(t))}
    answers = explain(policy, event, skipping)
    return Preview(
        requests=tuple(
            PreviewedRequest(target=target.name, request=_request(services, policy, target, event))
            for target in targets
        ),
        misses=tuple(answer for answer in answers if isinstance(answer, Miss)),
    )


async def _policy(services: Services, name: Name, tried: TriedPolicy | None) -> Policy:
    """Give the policy; one that was not stored yet is checked as if it were to be."""
    if tried and tried.name not in ("", name):
        raise invalid([{"field": "policy.name", "message": "another name than in the path"}])
    policy = tried or (await services.store.policies.get(name)).spec
    faults = await check(services, policy)
    if faults:
        raise invalid([{**fault, "field": f"policy.{fault['field']}"} for fault in faults])
    return policy.model_copy(update={"name": name})


def _request(
    services: Services, policy: Policy, target: Target, event: RegistryEvent
) -> RequestRecord:
    known = of_policy(services.formats[policy.format], policy)
    try:
        message = known.render(event if known.needs_raw else event.without_raw())
    except TemplateError as error:
        raise invalid([{"field": "template.body", "message": str(error)}]) from None
    key = DeliveryKey(event.source, event.id, policy.name, target.name)
    request = outgoing_request(target, message, webhook_id(key), datetime.now(UTC))
    return request_record(request, redaction_for(target))
