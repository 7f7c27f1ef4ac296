"""Reads what Quay's notifications say beside the artifact: builds, CVEs, mirrors and quotas."""

from typing import Any

from portcall.events import Quota, Replication, Scan
from portcall.sources.fields import Part, host, known
from portcall.sources.quay_names import MIRROR, MIRROR_STATUSES

_VULNERABILITIES_LIMIT = 100


def vulnerabilities(body: Part) -> list[Part]:
    """Give the CVEs: one in today's notifications, a list in those of another form."""
    found = [body.part("vulnerability"), *body.parts("vulnerabilities")]
    return [part for part in found if part.members][:_VULNERABILITIES_LIMIT]


def read_scan(body: Part, event_type: str) -> Scan | None:
    """Read the severity of what was found; how much else there is, Quay does not say."""
    if event_type != "vulnerability.found":
        return None
    # The worst stands first in a list (quay/quay, notificationevent.py).
    severities = [part.text("priority") for part in vulnerabilities(body)]
    return Scan(kind="vulnerability", severity=severities[0] if severities else None)


def read_replication(body: Part, native_type: str) -> Replication | None:
    """Read what became of a mirror's synchronisation."""
    if not native_type.startswith(MIRROR):
        return None
    return Replication(
        status=MIRROR_STATUSES.get(native_type),
        native_status=native_type.removeprefix(MIRROR).removeprefix("_") or None,
        destination_registry=host(body.text("docker_url", 2048)),
        destination_namespace=body.text("namespace"),
    )


def read_quota(body: Part, event_type: str) -> Quota | None:
    """Read the figures of a namespace's quota."""
    if not event_type.startswith("quota."):
        return None
    texts = [body.text(f"{name}_bytes_formatted") for name in ("usage", "limit")]
    return Quota(
        details="{} of {}".format(*texts) if all(texts) else None,
        used=body.integer("usage_bytes"),
        limit=body.integer("limit_bytes"),
    )


def read_actor(body: Part) -> str | None:
    """Give who started a build by hand, else who wrote what it builds; pushes name nobody."""
    author = body.part("trigger_metadata").part("commit_info").part("author")
    return body.text("manual_user") or author.text("username") or author.text("name")


def read_attributes(body: Part) -> dict[str, Any]:
    """Give what only describes the event."""
    trigger = body.part("trigger_metadata")
    commit = trigger.part("commit_info")
    found = [_vulnerability(part) for part in vulnerabilities(body)]
    return known(
        build_id=body.text("build_id"),
        build_name=body.text("build_name"),
        is_manual=body.flag("is_manual"),
        trigger_id=body.text("trigger_id"),
        trigger_kind=body.text("trigger_kind"),
        ref=trigger.text("ref"),
        commit=trigger.text("commit"),
        commit_url=commit.text("url", 2048),
        commit_message=commit.text("message", 2000),
        error_message=body.text("error_message", 2000),
        image_id=body.text("image_id"),
        manifest_digests=body.texts("manifest_digests") or None,
        cve=found[0].get("id") if found else None,
        vulnerabilities=found or None,
        message=body.text("message", 2000),
        expiring_in=body.text("expiring_in"),
        threshold_percent=body.integer("threshold_percent"),
        usage_percent=body.integer("usage_percent"),
    )


def _vulnerability(part: Part) -> dict[str, Any]:
    return known(
        id=part.text("id"),
        severity=part.text("priority"),
        has_fix=part.flag("has_fix"),
        link=part.text("link", 2048),
        description=part.text("description", 1000),
    )
