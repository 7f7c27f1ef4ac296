"""Ask Temporal to cancel the workflow that runs this: a workflow cannot ask for itself."""

from temporalio import activity


@activity.defn
async def request_cancellation() -> None:
    """Request the cancellation of the calling workflow's run."""
    info = activity.info()
    await (
        activity.client()
        .get_workflow_handle(info.workflow_id or "", run_id=info.workflow_run_id)
        .cancel()
    )
