"""Walks over what a visibility query finds, oldest first, on a store that cannot sort.

By windows of start time, as `adapters/temporal_pages.py` does from the newest on: here a window
that holds too much is halved, so that the head of a very long queue is found by counting alone.
"""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

from temporalio.client import Client, WorkflowExecution

from portcall.search import timestamp

MOST = 500
"""Workflows read at once, unless they all started within `SMALLEST`."""
SMALLEST = timedelta(milliseconds=10)
LONGEST = timedelta(days=3650)


async def oldest_first(
    client: Client,
    query: str,
    *,
    count: int,
    since: datetime | None,
    until: datetime,
    most: int = MOST,
) -> AsyncGenerator[tuple[list[WorkflowExecution], datetime]]:
    """Give the `count` executions that `query` finds, sorted, window after window with its end.

    None of them started after `until`. `since` is where the oldest stood a moment ago, which
    saves looking for it.
    """

    def within(lower: datetime, upper: datetime) -> str:
        return f"{query} AND StartTime > {timestamp(lower)} AND StartTime <= {timestamp(upper)}"

    windows = [(until - LONGEST, until, count)]
    if since and count > most:
        # The store may keep fractions of a second that the search's answer has rounded up.
        known = since.astimezone(UTC) - timedelta(milliseconds=1)
        if not (await client.count_workflows(within(until - LONGEST, known))).count:
            windows = [(known, until, count)]
    while windows:
        lower, upper, count = windows.pop()
        if count > most and upper - lower > SMALLEST:
            middle = lower + (upper - lower) / 2
            earlier = (await client.count_workflows(within(lower, middle))).count
            # What changed meanwhile may be in the later half, however few were left for it.
            windows.append((middle, upper, count - earlier))
            if earlier:
                windows.append((lower, middle, earlier))
        elif found := [run async for run in client.list_workflows(within(lower, upper))]:
            yield sorted(found, key=lambda run: (run.start_time, run.run_id)), upper
