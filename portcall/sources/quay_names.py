"""Quay's words for what happened, and how to guess the word where the notification has none."""

from collections.abc import Mapping
from typing import Any

from portcall.sources.fields import Part

NATIVE_TYPES = {
    "repo_push": "artifact.pushed",
    "build_queued": "build.queued",
    "build_start": "build.started",
    "build_success": "build.succeeded",
    "build_failure": "build.failed",
    "build_cancelled": "build.cancelled",
    "vulnerability_found": "vulnerability.found",
    "repo_mirror_sync_started": "replication.changed",
    "repo_mirror_sync_success": "replication.changed",
    "repo_mirror_sync_failed": "replication.changed",
    "repo_mirror_sync": "replication.changed",
    "repo_image_expiry": "artifact.expiring",
    "quota_warning": "quota.warned",
    "quota_error": "quota.exceeded",
}
"""`repo_mirror_sync` is a guess that does not know what came of it."""

MIRROR = "repo_mirror_sync"
MIRROR_STATUSES = {
    "repo_mirror_sync_started": "running",
    "repo_mirror_sync_success": "succeeded",
    "repo_mirror_sync_failed": "failed",
}

_SIGNS = {
    "updated_tags": "repo_push",
    "vulnerability": "vulnerability_found",
    "vulnerabilities": "vulnerability_found",
    "expiring_in": "repo_image_expiry",
}


def guess(body: Part) -> str:
    """Tell the event by members that only its kind has, `unknown` where none is there."""
    members = body.members
    for member, word in _SIGNS.items():
        if member in members:
            return word
    if "threshold_percent" in members:
        return "quota_error" if (body.integer("threshold_percent") or 0) >= 100 else "quota_warning"
    if "build_id" in members:
        return _guess_build(members)
    return "repo_mirror_sync" if "message" in members else "unknown"


def _guess_build(members: Mapping[str, Any]) -> str:
    if "error_message" in members:
        return "build_failure"
    if "is_manual" in members:
        return "build_queued"
    # One that was cancelled may have an image_id too.
    return "build_success" if "manifest_digests" in members else "build"
