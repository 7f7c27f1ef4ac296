"""An ordered delivery's side of its lane: take a place, wait for the turn, give it on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.join_lane import JoinInput, Place, join_lane
    from portcall.attempts import Outcome
    from portcall.events import RegistryEvent
    from portcall.ids import without_attempt
    from workflows.waiting import Waiting


@asynccontextmanager
async def turn(lane: str | None, event: RegistryEvent, waiting: Waiting) -> AsyncIterator[None]:
    """Keep the lane for the block, whichever way it ends; nothing where there is no lane."""
    if lane is None:
        yield
        return
    info = workflow.info()
    place = Place(
        delivery=info.workflow_id,
        run_id=info.run_id,
        occurred_at=event.occurred_at,
        received_at=event.received_at,
    )
    await waiting.end_if_cancelled()
    line = lane.removeprefix("lane:").rpartition(":")[0].replace(":", " → ")
    title = f"deliveries in order: {line}, {event.repository or 'no repository'}"
    async with place_in(lane, place):
        await _take(JoinInput(lane=lane, title=title[:255], place=place), waiting)
        yield


@asynccontextmanager
async def place_in(lane: str, place: Place) -> AsyncIterator[None]:
    """Give the place up after the block, unless it is only that the worker drops this run."""
    dropped = False
    try:
        yield
    except GeneratorExit:
        dropped = True
        raise
    finally:
        if not dropped:
            await _leave(lane, place)


async def _leave(lane: str, place: Place) -> None:
    try:
        await workflow.get_external_workflow_handle(lane).signal("ended", place)
    except ApplicationError:
        workflow.logger.info("the lane is empty already", extra={"lane": lane})


async def _take(joining: JoinInput, waiting: Waiting) -> None:
    """Wait until all that was ordered before has ended, also over the end of the lane itself.

    A turn from before it joined is one of an earlier run, which a reset had told again.
    """
    waiting.turn, looks, since = False, 0, workflow.now()
    while not waiting.turn:
        try:
            await workflow.execute_activity(
                join_lane,
                joining,
                start_to_close_timeout=timedelta(seconds=10),
                retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=30)),
                summary="take a place in line",
            )
        except ActivityError as error:
            if not is_cancelled_exception(error):
                raise
            await waiting.end_if_cancelled()
        await waiting.wait_for_turn(timedelta(minutes=min(2**looks, 360)), joining.lane, since)
        looks += 1
    workflow.upsert_search_attributes(without_attempt(Outcome.DELIVERING))
