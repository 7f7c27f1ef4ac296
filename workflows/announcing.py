"""Has a delivery that was given up told as an event of Portcall's own."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.announce import Announce
    from activities.attempt_delivery import AttemptInput
    from portcall.attempts import Outcome
    from portcall.own_events import OWN_SOURCE, GivenUp


async def announce_given_up(
    last: AttemptInput, outcome: Outcome, reason: str, attempts: int, status: int | None
) -> None:
    """Start the event, unless the delivery was of such events itself: no loop can come of it.

    `last` is its last attempt, or the one before which it expired.
    """
    foreign = [e for e in (last.event, *last.more) if e.source != OWN_SOURCE]
    if not foreign:
        return
    given_up = GivenUp(
        event=foreign[0].without_raw(),
        policy=last.policy,
        target=last.target,
        outcome=outcome,
        reason=reason,
        attempts=attempts,
        http_status=status,
        more=len(foreign) - 1,
    )
    try:
        await workflow.execute_activity_method(
            Announce.announce_given_up,
            given_up,
            start_to_close_timeout=timedelta(seconds=10),
            schedule_to_close_timeout=timedelta(minutes=5),
            retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=30)),
            summary=f"tell that it was {outcome.value}",
        )
    except ActivityError:
        workflow.logger.warning("nobody was told that a delivery was given up")
