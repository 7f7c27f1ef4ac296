"""The activity that gives an event to the workflow that gathers its group."""

from datetime import datetime

from temporalio import activity
from temporalio.common import WorkflowIDConflictPolicy

from portcall.events import Value
from portcall.gathering import Group
from portcall.grouping import Gathered, GroupRun, group_of, group_title


class GroupInput(Value):
    """What `GroupWorkflow` begins with; here, since an activity starts it and may not import it.

    It is how to gather, and what an earlier run has left: since when, and which events. A new
    run begins when history holds `longest` events.
    """

    group: Group
    longest: int = 2000
    since: datetime | None = None
    left: tuple[Gathered, ...] = ()


@activity.defn
async def gather_event(given: Gathered) -> GroupRun:
    """Signal the group's workflow, which starts where there is none; give the run.

    Temporal repeats it until it succeeds: the workflow counts what it is told twice once.
    """
    group = given.match.group or Group()
    handle = await activity.client().start_workflow(
        "GroupWorkflow",
        GroupInput(group=group),
        id=group_of(given, group),
        task_queue=activity.info().task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal="gather",
        start_signal_args=[given],
        static_summary=group_title(given, group),
    )
    return GroupRun(
        policy=given.match.policy, workflow_id=handle.id, run_id=handle.result_run_id or ""
    )
