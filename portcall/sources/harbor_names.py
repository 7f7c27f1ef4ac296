"""Harbor's words for what happened, of every release and draft, and Portcall's for them."""

PING = "source.pinged"
NEED_A_REPOSITORY = ("artifact.", "chart.", "scan.")

NATIVE_TYPES = {
    # Harbor 2, payload format Default
    "push_artifact": "artifact.pushed",
    "pull_artifact": "artifact.pulled",
    "delete_artifact": "artifact.deleted",
    "scanning_completed": "scan.completed",
    "scanning_failed": "scan.failed",
    "scanning_stopped": "scan.stopped",
    "replication": "replication.changed",
    "tag_retention": "retention.finished",
    "quota_exceed": "quota.exceeded",
    "quota_warning": "quota.warned",
    "upload_chart": "chart.pushed",
    "download_chart": "chart.pulled",
    "delete_chart": "chart.deleted",
    # Harbor 2.8, payload format CloudEvents
    "harbor.artifact.pushed": "artifact.pushed",
    "harbor.artifact.pulled": "artifact.pulled",
    "harbor.artifact.deleted": "artifact.deleted",
    "harbor.scan.completed": "scan.completed",
    "harbor.scan.failed": "scan.failed",
    "harbor.scan.stopped": "scan.stopped",
    "harbor.replication.status.changed": "replication.changed",
    "harbor.tag_retention.finished": "retention.finished",
    "harbor.quota.exceeded": "quota.exceeded",
    "harbor.quota.warned": "quota.warned",
    # Harbor 1.9 and 1.10, and the last drafts of the proposal
    "pushimage": "artifact.pushed",
    "pullimage": "artifact.pulled",
    "deleteimage": "artifact.deleted",
    "uploadchart": "chart.pushed",
    "downloadchart": "chart.pulled",
    "deletechart": "chart.deleted",
    "scanningcompleted": "scan.completed",
    "scanningfailed": "scan.failed",
    "projectquota": "quota.exceeded",
    "testendpoint": PING,
    # The first drafts of the proposal
    "push": "artifact.pushed",
    "pull": "artifact.pulled",
    "delete": "artifact.deleted",
    "upload": "chart.pushed",
    "download": "chart.pulled",
}
"""Keys are lower-case: the drafts do not agree on the case."""

REPLICATION_STATUSES = {
    "pending": "running",
    "scheduled": "running",
    "running": "running",
    "success": "succeeded",
    "error": "failed",
    "stopped": "stopped",
}
