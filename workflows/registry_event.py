"""One workflow per registry event: match it against the policies, start a delivery per match.

Where the source wants it, the registry is first asked whether the event is true.

It waits until the deliveries have started, not until they end, and so never fails because a
receiver is down. What matched, and what did not and why, is the match activity's result.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.match_policies import MatchInput, MatchPolicies
    from portcall import ids
    from portcall.attempts import EventOutcome
    from portcall.events import RegistryEvent, Value
    from portcall.matching import Match
    from workflows.delivery import DeliveryInput, DeliveryWorkflow
    from workflows.verification import verified_event

CHUNK_BYTES = 1 << 20
"""Child inputs started in one workflow task; a gRPC message ends at 4 MiB."""


class RegistryEventInput(Value):
    """The event as its source's parser gave it."""

    event: RegistryEvent


class RegistryEventResult(Value):
    """The deliveries that were started, by workflow id; none where no policy matched."""

    outcome: EventOutcome
    deliveries: tuple[str, ...] = ()


@workflow.defn
class RegistryEventWorkflow:
    """Verify, match, fan out, done. Search attributes: those of the event, and `Outcome`."""

    @workflow.run
    async def run(self, given: RegistryEventInput) -> RegistryEventResult:
        """Start the deliveries of one event."""
        event = await verified_event(given.event)
        result = await workflow.execute_activity_method(
            MatchPolicies.match_policies,
            MatchInput(event=event.without_raw()),
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=30)),
            summary="match the policies",
        )
        outcome = EventOutcome.MATCHED if result.matches else EventOutcome.UNMATCHED
        workflow.upsert_search_attributes([ids.OUTCOME.value_set(outcome.value)])
        deliveries: list[str] = []
        for chunk in _chunks(event, result.matches):
            deliveries += await asyncio.gather(*(_start_delivery(event, match) for match in chunk))
        return RegistryEventResult(outcome=outcome, deliveries=tuple(deliveries))


def _chunks(event: RegistryEvent, matches: tuple[Match, ...]) -> list[tuple[Match, ...]]:
    raw = event.raw.size if event.raw and any(match.needs_raw for match in matches) else 0
    size = max(1, CHUNK_BYTES // (8192 + 2 * min(raw, CHUNK_BYTES)))
    return [matches[i : i + size] for i in range(0, len(matches), size)]


async def _start_delivery(event: RegistryEvent, match: Match) -> str:
    """Start one child; one that exists already, after a reset of this workflow, is as good."""
    key = ids.DeliveryKey(event.source, event.id, match.policy, match.target)
    workflow_id = ids.delivery_workflow_id(key)
    try:
        await workflow.start_child_workflow(
            DeliveryWorkflow.run,
            DeliveryInput(**dict(match), event=event if match.needs_raw else event.without_raw()),
            id=workflow_id,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            search_attributes=ids.delivery_attributes(event, match.policy, match.target),
            static_summary=ids.delivery_title(event, match.policy, match.target),
        )
    except WorkflowAlreadyStartedError:
        workflow.logger.info("delivery exists already", extra={"delivery": workflow_id})
    return workflow_id
