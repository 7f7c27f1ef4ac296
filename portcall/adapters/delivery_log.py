"""The log of deliveries on Temporal: lists from visibility, one from its histories, resets."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote as url_quote

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionDescription
from temporalio.client import WorkflowExecutionStatus as Status

from portcall import ids
from portcall.adapters.history import RunHistory
from portcall.adapters.resets import reset_run
from portcall.adapters.temporal import translated
from portcall.adapters.temporal_pages import newest_runs, page_of_newest_runs, place
from portcall.attempts import OPEN_OUTCOMES, Outcome
from portcall.errors import ConflictError, NotFoundError
from portcall.log import DeliveryDetail, DeliverySummary, Filter
from portcall.search import DELIVERY_WORKFLOW, Cursor, in_event_ids, visibility_query

MOST_RUNS = 100
WAITS = "an earlier delivery of the same policy, target and repository has not ended"
_ENDED_BY_HAND = (Status.CANCELED, Status.TERMINATED)


class WebUi(NamedTuple):
    """Where Temporal's Web UI is, if anywhere."""

    url: str | None
    namespace: str

    def link(self, workflow_id: str, run_id: str) -> str | None:
        """Give the address of a run's history."""
        if self.url is None:
            return None
        path = f"namespaces/{self.namespace}/workflows/{url_quote(workflow_id, safe='')}"
        return f"{self.url.rstrip('/')}/{path}/{run_id}/history"


def delivery_outcome(execution: WorkflowExecution) -> Outcome:
    """Give where a run stands; one that somebody ended by hand cannot say so itself."""
    if execution.status in _ENDED_BY_HAND:
        return Outcome.CANCELLED
    outcome = Outcome(execution.typed_search_attributes.get(ids.OUTCOME, Outcome.DELIVERING))
    if execution.status is not Status.RUNNING and outcome in OPEN_OUTCOMES:
        return Outcome.EXHAUSTED
    return outcome


def delivery_summary(execution: WorkflowExecution, ui: WebUi) -> DeliverySummary:
    """Give what the list shows, from visibility alone."""
    found = execution.typed_search_attributes
    outcome = delivery_outcome(execution)
    return DeliverySummary(
        id=execution.id,
        event_id=found.get(ids.EVENT_ID, ""),
        event_type=found.get(ids.EVENT_TYPE, ""),
        source=found.get(ids.SOURCE, ""),
        repository=found.get(ids.REPOSITORY),
        tags=tuple(found.get(ids.TAGS, ())),
        digest=found.get(ids.DIGEST),
        policy=found.get(ids.POLICY, ""),
        target=found.get(ids.TARGET, ""),
        outcome=outcome,
        attempts=found.get(ids.ATTEMPTS, 0),
        http_status=found.get(ids.HTTP_STATUS),
        started_at=execution.start_time,
        closed_at=execution.close_time,
        next_attempt_at=found.get(ids.NEXT_ATTEMPT_AT) if outcome is Outcome.RETRYING else None,
        run_id=execution.run_id,
        temporal_url=ui.link(execution.id, execution.run_id),
    )


def _standing(summary: DeliverySummary, run: RunHistory) -> dict[str, Any]:
    """Say why a delivery ended, or what it waits for since when."""
    if summary.outcome is Outcome.WAITING:
        return {"reason": WAITS, "queued_since": summary.started_at}
    if summary.outcome is Outcome.DELIVERING:
        return {}
    return {
        "reason": run.reason,
        "held_since": run.held_since if summary.outcome is Outcome.HELD else None,
        "queued_since": run.queued_since if summary.outcome is Outcome.QUEUED else None,
    }


class TemporalDeliveryLog:
    """`ports.DeliveryLog` on a Temporal client."""

    def __init__(self, client: Client, ui: WebUi) -> None:
        """Read and act through `client`; link into `ui`."""
        self._client = client
        self._ui = ui

    async def ping(self) -> None:
        """Raise EngineUnavailableError where Temporal does not answer within two seconds."""
        with translated():
            async with asyncio.timeout(2):
                await self._client.count_workflows("WorkflowId = 'ping'")

    async def deliveries(
        self, wanted: Filter, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[DeliverySummary], str | None]:
        """Give a page of deliveries, newest first, each as its newest run stands."""
        with translated():
            query = visibility_query(DELIVERY_WORKFLOW, wanted)
            page, following = await page_of_newest_runs(
                self._client, DELIVERY_WORKFLOW, query, cursor=cursor, limit=limit
            )
        return [delivery_summary(run, self._ui) for run in page], following

    async def count(self, wanted: Filter) -> int:
        """Count the runs; one that is open is the newest of its delivery."""
        with translated():
            query = visibility_query(DELIVERY_WORKFLOW, wanted)
            return (await self._client.count_workflows(query)).count

    async def newest_of_events(self, wanted: Filter, event_ids: set[str]) -> dict[str, Cursor]:
        """Give where each event's newest delivery stands, by the event's workflow id."""
        query = visibility_query(DELIVERY_WORKFLOW, wanted)
        newest: dict[str, Cursor] = {}
        with translated():
            within = f"{query} AND {in_event_ids(event_ids)}"
            found = [run async for run in self._client.list_workflows(within)]
            for run in await newest_runs(self._client, DELIVERY_WORKFLOW, found):
                key = ids.parse_delivery_id(run.id)
                if key:
                    event = ids.event_workflow_id(key.source, key.event_id)
                    newest[event] = max(newest.get(event, place(run)), place(run))
        return newest

    async def delivery(self, delivery_id: str) -> DeliveryDetail:
        """Give one delivery with the attempts of all its runs."""
        with translated():
            newest = await self._describe(delivery_id)
            runs = await self._runs(delivery_id, newest.run_id)
        # A reset copies history: of one attempt found twice, the older run's record is kept.
        records = {
            (record.number, record.started_at): record for _, run in runs for record in run.attempts
        }
        attempts = tuple(sorted(records.values(), key=lambda record: record.started_at))
        summary, run = delivery_summary(newest, self._ui), runs[0][1]
        return DeliveryDetail(
            **{**dict(summary), "attempts": max(summary.attempts, len(run.attempts))},
            **_standing(summary, run),
            runs=tuple(run_id for run_id, _ in reversed(runs)),
            attempt_records=attempts,
        )

    async def _describe(self, delivery_id: str) -> WorkflowExecutionDescription:
        if ids.parse_delivery_id(delivery_id) is None:
            raise NotFoundError(f"There is no delivery {delivery_id}.")
        try:
            with translated():
                return await self._client.get_workflow_handle(delivery_id).describe()
        except NotFoundError:
            raise NotFoundError(
                f"There is no delivery {delivery_id}, or its log's retention is over."
            ) from None

    async def _runs(self, workflow_id: str, run_id: str) -> list[tuple[str, RunHistory]]:
        """Read the newest run and those it was reset from, newest first."""
        runs: list[tuple[str, RunHistory]] = []
        following: str | None = run_id
        while following and len(runs) < MOST_RUNS:
            try:
                runs.append((following, await self._history(workflow_id, following)))
            except NotFoundError:
                break
            following = runs[-1][1].base_run_id
        return runs

    async def _history(self, workflow_id: str, run_id: str) -> RunHistory:
        with translated():
            handle = self._client.get_workflow_handle(workflow_id, run_id=run_id)
            history = await handle.fetch_history()
            return await RunHistory(run_id, self._client.data_converter).read(history.events)

    async def redeliver(self, delivery_id: str, *, reason: str) -> DeliverySummary:
        """Reset the newest run to its first completed workflow task."""
        newest = await self._describe(delivery_id)
        if newest.status is Status.RUNNING:
            raise ConflictError(
                "The delivery is still under way: retry-now makes its next attempt at once."
            )
        await reset_run(self._client, delivery_id, newest.run_id, reason)
        return delivery_summary(await self._describe(delivery_id), self._ui)

    async def retry_now(self, delivery_id: str) -> None:
        """Signal the delivery, where it waits for its next attempt."""
        newest = await self._describe(delivery_id)
        if newest.status is not Status.RUNNING:
            raise ConflictError("The delivery has ended: redeliver sends it again.")
        if delivery_outcome(newest) is Outcome.WAITING:
            raise ConflictError(f"The delivery waits for its turn: {WAITS}.")
        if not (await self._history(delivery_id, newest.run_id)).is_waiting:
            raise ConflictError("An attempt is under way; there is no wait to cut short.")
        with translated():
            handle = self._client.get_workflow_handle(delivery_id, run_id=newest.run_id)
            await handle.signal("retry_now")

    async def cancel(self, delivery_id: str) -> None:
        """Ask Temporal to cancel the delivery."""
        newest = await self._describe(delivery_id)
        if newest.status is not Status.RUNNING:
            raise ConflictError("The delivery has ended; there is nothing to cancel.")
        with translated():
            await self._client.get_workflow_handle(delivery_id, run_id=newest.run_id).cancel()
