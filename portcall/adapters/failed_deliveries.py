"""The deliveries that failed, on Temporal: counted, found oldest first, sent again one by one."""

from contextlib import aclosing
from datetime import datetime

from temporalio.client import Client
from temporalio.client import WorkflowExecutionStatus as Status

from activities.oldest_first import oldest_first
from portcall.adapters.resets import reset_run, was_reset_from
from portcall.adapters.temporal import translated
from portcall.adapters.temporal_pages import newest_runs
from portcall.ports.redeliveries import SentAgain
from portcall.redeliveries import FailedCount, FailedFilter, FailedPage, FailedRun
from portcall.search import DELIVERY_WORKFLOW, timestamp

COUNTED_EXACTLY = 2000
"""Runs that are read to count; beyond that Temporal counts, which knows no newest run."""

PAGE = 500


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
            found = [run async for run in self._client.list_workflows(query)]
            newest = await newest_runs(self._client, DELIVERY_WORKFLOW, found)
            return FailedCount(count=len(newest))

    async def oldest(
        self, wanted: FailedFilter, *, after: datetime | None, before: datetime
    ) -> FailedPage:
        """Give those of the first window of start time that has any; it holds a page at most."""
        query = f"{wanted.query()} AND StartTime < {timestamp(before)}"
        if after:
            query += f" AND StartTime > {timestamp(after)}"
        with translated():
            count = (await self._client.count_workflows(query)).count
            walk = oldest_first(
                self._client, query, count=count, since=after, until=before, most=self._page
            )
            async with aclosing(walk):
                found, end = await anext(walk, ([], before))
            newest = await newest_runs(self._client, DELIVERY_WORKFLOW, found)
        runs = tuple(FailedRun(id=run.id, run_id=run.run_id) for run in newest)
        return FailedPage(runs=runs, after=end if end < before else None)

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
