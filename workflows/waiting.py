"""How a delivery waits: for the time, for somebody who wants it to go on, for a cancellation."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from portcall.attempts import Outcome
    from portcall.ids import without_attempt
    from workflows.cancellation import end_cancelled


class Waiting:
    """What was signalled: to go on at once, that an ordered delivery's turn has come, to end."""

    def __init__(self) -> None:
        """Start with nobody having asked for anything."""
        self.go_on = False
        self.turn = False
        self.cancel = False

    async def wait(
        self,
        delay: timedelta,
        summary: str,
        *,
        since: datetime | None = None,
        signalled: bool = False,
    ) -> None:
        """Wait for `go_on`, at most so long; `since`: it waits already; `signalled`: it came."""
        self.go_on = signalled
        await self._until(lambda: self.go_on, delay, summary, since)

    async def wait_for_turn(self, longest: timedelta, lane: str, since: datetime) -> None:
        """Wait for the turn, at most so long, or for somebody who has it asked for again."""
        self.go_on = False
        summary = f"waits for its turn in {lane}"
        await self._until(lambda: self.turn or self.go_on, longest, summary, since)

    async def end_if_cancelled(self) -> None:
        """End the workflow where that was asked for, be it before a worker took it up."""
        if self.cancel or workflow.cancellation_reason() is not None:
            workflow.set_current_details("Cancelled.")
            workflow.upsert_search_attributes(without_attempt(Outcome.CANCELLED))
            await end_cancelled()

    async def _until(
        self, is_over: Callable[[], bool], delay: timedelta, summary: str, since: datetime | None
    ) -> None:
        """Wait, which the Web UI shows meanwhile; a cancellation ends the workflow."""
        began = since or workflow.now()
        workflow.set_current_details(f"Since {began:%Y-%m-%d %H:%M:%S} UTC: {summary}.")
        try:
            await workflow.wait_condition(
                lambda: is_over() or self.cancel, timeout=delay, timeout_summary=summary
            )
        except TimeoutError:
            return
        except asyncio.CancelledError:
            self.cancel = True
        await self.end_if_cancelled()
