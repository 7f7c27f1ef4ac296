"""One workflow per registry event: match it against the policies, start a delivery per match.

Where the source wants it, the registry is first asked whether the event is true.

It waits until the deliveries have started, not until they end, and so never fails because a
receiver is down. What matched, and what did not and why, is the match activity's result.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.match_policies import MatchInput, MatchPolicies
    from portcall import ids
    from portcall.attempts import EventOutcome
    from portcall.events import RegistryEvent, Value
    from portcall.grouping import GroupRun
    from workflows.group import gather_events
    from workflows.starting import start_deliveries
    from workflows.verification import verified_event


class RegistryEventInput(Value):
    """The event as its source's parser gave it."""

    event: RegistryEvent


class RegistryEventResult(Value):
    """The deliveries that were started, by workflow id, and the groups that it was given to."""

    outcome: EventOutcome
    deliveries: tuple[str, ...] = ()
    groups: tuple[GroupRun, ...] = ()


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
        grouped = [match for match in result.matches if match.group]
        alone = [match for match in result.matches if not match.group]
        groups = await gather_events(event, grouped)
        deliveries = await start_deliveries(event, alone)
        return RegistryEventResult(outcome=outcome, deliveries=tuple(deliveries), groups=groups)
