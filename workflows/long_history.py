"""When a workflow that lives long has to begin a new run."""

from temporalio import workflow


def is_long(longest: int) -> bool:
    """Whether this run's history holds so many events, or Temporal finds it large already."""
    info = workflow.info()
    return info.get_current_history_length() >= longest or info.is_continue_as_new_suggested()
