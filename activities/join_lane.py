"""The activities of a lane: a delivery takes its place in it; the lane looks whether one lives."""

from datetime import datetime, timedelta

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from portcall.durations import Duration
from portcall.events import Value


class Place(Value):
    """A run of a delivery that wants its turn; the event that occurred first goes first."""

    delivery: str
    run_id: str
    occurred_at: datetime
    received_at: datetime


class LaneInput(Value):
    """What `LaneWorkflow` begins with; here, since an activity starts it and may not import it.

    It is whose turn it is and who waits, where an earlier run has left it so. `look` is how soon
    the lane looks whether the one whose turn it is still lives; a new run begins when history
    holds `longest` events.
    """

    look: Duration = timedelta(minutes=1)
    longest: int = 2000
    current: Place | None = None
    waiting: tuple[Place, ...] = ()
    began: bool = False


class JoinInput(Value):
    """Which lane, what it is called in the Web UI, and for whom."""

    lane: str
    title: str
    place: Place


@activity.defn
async def join_lane(given: JoinInput) -> None:
    """Signal the lane, which starts where there is none; twice is as good as once."""
    await activity.client().start_workflow(
        "LaneWorkflow",
        LaneInput(),
        id=given.lane,
        task_queue=activity.info().task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal="join",
        start_signal_args=[given.place],
        static_summary=given.title,
    )


@activity.defn
async def is_under_way(place: Place) -> bool:
    """Whether this run still goes on; one that was terminated or reset cannot say so itself."""
    handle = activity.client().get_workflow_handle(place.delivery, run_id=place.run_id)
    try:
        return (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
