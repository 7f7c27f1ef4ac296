"""Walks over what a visibility query finds, oldest first, on a store that cannot sort.

As `adapters/temporal_pages.py` does for pages: by windows of start time, here from the oldest
on, so that the head of a very long queue is found without reading the rest of it.
"""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

from temporalio.client import Client, WorkflowExecution

from portcall.search import timestamp

MOST = 500
"""Workflows read at once, unless they all started within `SMALLEST`."""
SMALLEST = timedelta(milliseconds=10)
FIRST = timedelta(minutes=1)
LONGEST = timedelta(days=3650)


async def oldest_first(
    client: Client,
    query: str,
    *,
    count: int,
    since: datetime | None,
    now: datetime,
    most: int = MOST,
) -> AsyncGenerator[WorkflowExecution]:
    """Give the `count` executions that `query` finds, by start time.

    `since` is where the oldest stood a moment ago, which saves looking for it.
    """
    if count <= most:
        for execution in await _sorted(client, query):
            yield execution
        return
    end = now + timedelta(minutes=5)
    lower, width = await _before_the_oldest(client, query, since, now)
    while lower < end:
        upper = min(lower + width, end)
        window = f"{query} AND StartTime > {timestamp(lower)} AND StartTime <= {timestamp(upper)}"
        found = (await client.count_workflows(window)).count
        if found > most and width > SMALLEST:
            width = max(width / 8, SMALLEST)
            continue
        if found:
            for execution in await _sorted(client, window):
                yield execution
        lower = upper
        width *= 1 if found > most / 8 else 8


async def _sorted(client: Client, query: str) -> list[WorkflowExecution]:
    found = [execution async for execution in client.list_workflows(query)]
    return sorted(found, key=lambda execution: (execution.start_time, execution.run_id))


async def _before_the_oldest(
    client: Client, query: str, since: datetime | None, now: datetime
) -> tuple[datetime, timedelta]:
    """Give a time before which nothing started, and how long the first window should be."""

    async def none_until(when: datetime) -> bool:
        return not (
            await client.count_workflows(f"{query} AND StartTime <= {timestamp(when)}")
        ).count

    # The store may keep fractions of a second that the search's answer has rounded up.
    start = since and since.astimezone(UTC) - timedelta(milliseconds=1)
    if start and await none_until(start):
        return start, timedelta(seconds=1)
    width = FIRST
    while width < LONGEST and not await none_until(now - width):
        width *= 8
    return now - width, width
