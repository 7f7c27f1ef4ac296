"""Starts deliveries as children that live on by themselves, for one event or for a group."""

import asyncio
from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from portcall import ids
    from portcall.attempts import Outcome
    from portcall.events import RegistryEvent
    from portcall.grouping import whole
    from portcall.matching import Match
    from workflows.delivery import DeliveryInput, DeliveryWorkflow

CHUNK_BYTES = 1 << 20
"""Child inputs started in one workflow task; a gRPC message ends at 4 MiB."""


async def start_deliveries(event: RegistryEvent, matches: Sequence[Match]) -> list[str]:
    """Start a delivery of the event for each match; give their ids."""
    raw = event.raw.size if event.raw and any(match.needs_raw for match in matches) else 0
    size = max(1, CHUNK_BYTES // (8192 + 2 * min(raw, CHUNK_BYTES)))
    found: list[str] = []
    for at in range(0, len(matches), size):
        found += await asyncio.gather(
            *(start_delivery((event,), match) for match in matches[at : at + size])
        )
    return found


async def start_delivery(events: Sequence[RegistryEvent], match: Match) -> str:
    """Start one child; one that exists already, after a reset of this workflow, is as good."""
    event = events[0] if match.needs_raw else events[0].without_raw()
    group = whole(events) if len(events) > 1 else None
    shown, (policy, target) = group or event, (match.policy, match.target)
    workflow_id = ids.delivery_workflow_id(ids.DeliveryKey(shown.source, shown.id, policy, target))
    lane = ids.lane_workflow_id(policy, target, shown.repository) if match.ordered else None
    try:
        started = await workflow.start_child_workflow(
            DeliveryWorkflow.run,
            DeliveryInput(
                **dict(match),
                event=event,
                more=tuple(events[1:]),
                group_id=group and group.id,
                lane=lane,
            ),
            id=workflow_id,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            priority=ids.fair_share(target),
            search_attributes=ids.delivery_attributes(
                shown, policy, target, Outcome.WAITING if lane else Outcome.DELIVERING
            ),
            static_summary=ids.delivery_title(shown, policy, target, len(events)),
        )
        # Its own failure is nobody's here, also where this workflow is still there to see it.
        started.add_done_callback(lambda child: child.cancelled() or child.exception())
    except WorkflowAlreadyStartedError:
        workflow.logger.info("delivery exists already", extra={"delivery": workflow_id})
    return workflow_id
