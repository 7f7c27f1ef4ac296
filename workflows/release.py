"""One workflow per policy or target that is switched on again: its held deliveries go on.

It is told to whichever deliveries the search finds; one that it misses looks by itself, later.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.release_held import HeldBy, release_held
    from portcall.events import Value


class ReleaseInput(HeldBy):
    """What held deliveries, and how far behind Temporal's search may be."""

    search_lag: timedelta = timedelta(seconds=20)


class ReleaseResult(Value):
    """How many deliveries were signalled, and how many a little later still stood there."""

    signalled: int
    again: int


@workflow.defn
class ReleaseWorkflow:
    """Signal all that is held, twice. No search attributes."""

    @workflow.run
    async def run(self, given: ReleaseInput) -> ReleaseResult:
        """Walk over the held deliveries, now and after the search has caught up."""
        signalled = await self._signal_all(given)
        await workflow.sleep(given.search_lag)
        return ReleaseResult(signalled=signalled, again=await self._signal_all(given))

    async def _signal_all(self, given: HeldBy) -> int:
        return await workflow.execute_activity(
            release_held,
            HeldBy(noun=given.noun, name=given.name),
            start_to_close_timeout=timedelta(hours=6),
            heartbeat_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=1)),
            summary=f"deliveries held for the {given.noun} {given.name}",
        )
