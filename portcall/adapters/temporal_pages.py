"""Pages of workflows, newest first by start time, on a visibility store that cannot sort.

SQL visibility has no ORDER BY and hands out open workflows first. A page is therefore cut
from windows of start time, which grow or shrink until they hold about as much as is wanted.
Items never move between pages: a start time does not change.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from temporalio.client import Client, WorkflowExecution

from portcall.search import Cursor, ids_query, timestamp

SMALLEST = timedelta(seconds=1)
FIRST = timedelta(minutes=1)
LARGEST = timedelta(days=3650)
IDS_IN_QUERY = 50
MOST = 1000
"""Workflows read for one window at most, unless they all started within one second."""


async def page_of_newest_runs(
    client: Client, workflow_type: str, query: str, *, cursor: str | None, limit: int
) -> tuple[list[WorkflowExecution], str | None]:
    """Give a page, newest first, each workflow once as its newest run, and where it goes on.

    `query` finds workflows of the one type.
    """
    page: list[WorkflowExecution] = []
    batch: list[WorkflowExecution] = []
    async for execution in _from_cursor(client, query, cursor, limit):
        batch.append(execution)
        if len(page) + len(batch) > limit:
            page += await newest_runs(client, workflow_type, batch)
            batch = []
        if len(page) > limit:
            break
    page += await newest_runs(client, workflow_type, batch)
    return _cut(page, limit)


async def page_of_runs(
    client: Client, query: str, *, cursor: str | None, limit: int
) -> tuple[list[WorkflowExecution], str | None]:
    """Give a page, newest first, with every run of a workflow that was reset."""
    page: list[WorkflowExecution] = []
    async for execution in _from_cursor(client, query, cursor, limit):
        page.append(execution)
        if len(page) > limit:
            break
    return _cut(page, limit)


def _from_cursor(
    client: Client, query: str, cursor: str | None, limit: int
) -> AsyncIterator[WorkflowExecution]:
    behind = Cursor.decode(cursor) if cursor else None
    return newest_first(client, query, cursor=behind, now=datetime.now(UTC), guess=limit)


def _cut(page: list[WorkflowExecution], limit: int) -> tuple[list[WorkflowExecution], str | None]:
    following = place(page[limit - 1]).encode() if len(page) > limit else None
    return page[:limit], following


async def newest_first(
    client: Client, query: str, *, cursor: Cursor | None, now: datetime, guess: int
) -> AsyncIterator[WorkflowExecution]:
    """Give the executions that `query` finds, newest first, those behind `cursor`.

    `guess` is how many are likely to be wanted: where no more than that exist, one request
    does.
    """
    # The store may keep nanoseconds, which a cursor's microseconds would cut off.
    behind = cursor.started_at + timedelta(microseconds=1) if cursor else None
    upper = behind or now + timedelta(minutes=5)
    bounded = f"{query} AND StartTime <= {timestamp(upper)}"
    first = client.list_workflows(bounded, page_size=guess + 1)
    await first.fetch_next_page()
    if not first.next_page_token:
        for execution in _sorted(first.current_page or [], cursor):
            yield execution
        return
    width = FIRST
    while width <= LARGEST:
        lower = upper - width
        window = f"{query} AND StartTime > {timestamp(lower)} AND StartTime <= {timestamp(upper)}"
        count = (await client.count_workflows(window)).count
        if count > MOST and width > SMALLEST:
            width = max(width / 8, SMALLEST)
            continue
        if count:
            found = [execution async for execution in client.list_workflows(window)]
            for execution in _sorted(found, cursor):
                yield execution
            earlier = f"{query} AND StartTime <= {timestamp(lower)}"
            if not (await client.count_workflows(earlier)).count:
                return
        upper = lower
        width *= 1 if count > guess else 8


def _sorted(found: Sequence[WorkflowExecution], cursor: Cursor | None) -> list[WorkflowExecution]:
    ordered = sorted(found, key=place, reverse=True)
    return [e for e in ordered if place(e) < cursor] if cursor else list(ordered)


def place(execution: WorkflowExecution) -> Cursor:
    """Give where an execution stands in the order."""
    return Cursor(execution.start_time.astimezone(UTC), execution.run_id)


async def newest_runs(
    client: Client, workflow_type: str, found: Sequence[WorkflowExecution]
) -> list[WorkflowExecution]:
    """Keep those that are the newest run of their workflow id: a reset leaves older ones."""
    newest: dict[str, Cursor] = {}
    for start in range(0, len(found), IDS_IN_QUERY):
        some = {execution.id for execution in found[start : start + IDS_IN_QUERY]}
        async for run in client.list_workflows(ids_query(workflow_type, some)):
            newest[run.id] = max(newest.get(run.id, place(run)), place(run))
    return [run for run in found if place(run) >= newest.get(run.id, place(run))]
