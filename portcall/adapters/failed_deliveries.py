"""The deliveries that failed, on Temporal: counted, found oldest first, sent again one by one."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from temporalio.client import Client, WorkflowExecution
from temporalio.client import WorkflowExecutionStatus as Status

from portcall.adapters.resets import reset_run, was_reset_from
from portcall.adapters.temporal import translated
from portcall.adapters.temporal_pages import newest_runs, place
from portcall.ports.redeliveries import SentAgain
from portcall.redeliveries import FailedCount, FailedFilter, FailedPage, FailedRun
from portcall.search import DELIVERY_WORKFLOW, timestamp

COUNTED_EXACTLY = 2000
"""Runs that are read to count; beyond that Temporal counts, which knows no newest run."""

PAGE = 500
NARROWEST = timedelta(milliseconds=1)
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


class TemporalFailedDeliveries:
    """`ports.FailedDeliveries` on a Temporal client."""

    def __init__(self, client: Client, *, page: int = PAGE, exactly: int = COUNTED_EXACTLY) -> None:
        """Read and reset through `client`."""
        self._client = client
        self._page = page
        self._exactly = exactly

    async def count(self, wanted: FailedFilter) -> FailedCount:
        """Count them, each once where they are not too many."""
        with translated():
            query = wanted.query()
            runs = (await self._client.count_workflows(query)).count
            if runs > self._exactly:
                return FailedCount(count=runs, exact=False)
            return FailedCount(count=len(await self._newest(query)))

    async def oldest(
        self, wanted: FailedFilter, *, after: datetime | None, before: datetime
    ) -> FailedPage:
        """Give those of a window of start time, narrow enough to hold about a page.

        The search on SQL cannot sort, but it counts fast: the window is found by halving.
        """
        with translated():
            lower, upper = after or wanted.since or BEGINNING, before
            while (
                upper - lower > NARROWEST and await self._count(wanted, lower, upper) > self._page
            ):
                middle = lower + (upper - lower) / 2
                if await self._count(wanted, lower, middle):
                    upper = middle
                else:
                    lower = middle
            found = await self._newest(_within(wanted, lower, upper))
        runs = tuple(FailedRun(id=run.id, run_id=run.run_id) for run in sorted(found, key=place))
        return FailedPage(runs=runs, after=upper if upper < before else None)

    async def _count(self, wanted: FailedFilter, lower: datetime, upper: datetime) -> int:
        return (await self._client.count_workflows(_within(wanted, lower, upper))).count

    async def _newest(self, query: str) -> Sequence[WorkflowExecution]:
        found = [run async for run in self._client.list_workflows(query)]
        return await newest_runs(self._client, DELIVERY_WORKFLOW, found)

    async def send_again(self, run: FailedRun, *, reason: str, repeated: bool) -> SentAgain:
        """Reset a run that is still the newest one and has failed.

        Temporal is asked for the newest run itself: its search may be behind.
        """
        with translated():
            newest = await self._client.get_workflow_handle(run.id).describe()
        if newest.run_id != run.run_id:
            ours = repeated and await was_reset_from(
                self._client, run.id, newest.run_id, run.run_id
            )
            return "redelivered" if ours else "skipped"
        if newest.status in (Status.RUNNING, Status.COMPLETED):
            return "skipped"
        await reset_run(self._client, run.id, run.run_id, reason)
        return "redelivered"


def _within(wanted: FailedFilter, lower: datetime, upper: datetime) -> str:
    bounds = f"StartTime >= {timestamp(lower)} AND StartTime < {timestamp(upper)}"
    return f"{wanted.query()} AND {bounds}"
