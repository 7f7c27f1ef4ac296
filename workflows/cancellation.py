"""The end of a workflow that is cancelled, be it by Temporal or by a signal of ours."""

import asyncio
from datetime import timedelta
from typing import NoReturn

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.request_cancellation import request_cancellation


async def end_cancelled() -> NoReturn:
    """End as Canceled. A signal alone cannot: Temporal must have been asked to cancel."""
    if workflow.cancellation_reason() is None:
        await workflow.execute_local_activity(
            request_cancellation, start_to_close_timeout=timedelta(seconds=10)
        )
        await workflow.wait_condition(lambda: False)
    raise asyncio.CancelledError
