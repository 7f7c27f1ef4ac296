"""An ordered delivery's side of its lane: wait for the turn, give it on."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from portcall.attempts import Outcome
    from portcall.ids import without_attempt
    from workflows.waiting import Waiting


async def take_turn(waiting: Waiting) -> None:
    """Wait until all that was ordered before has ended; `retry_now` does not wait for it."""
    if not waiting.turn:
        workflow.upsert_search_attributes(without_attempt(Outcome.WAITING))
    await waiting.wait_for_turn()


async def end_turn(lane: str) -> None:
    """Tell the lane that this delivery has ended, however it did."""
    await workflow.get_external_workflow_handle(lane).signal("ended", workflow.info().workflow_id)
