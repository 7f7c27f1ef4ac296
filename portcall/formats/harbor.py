"""The format `harbor`: what Harbor v2 sends in its payload format Default.

An event that came from Harbor goes on as Harbor wrote it. For any other registry the same
members are filled in, in Harbor's order, as far as the event knows them.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from portcall.events import RawOriginal, RegistryEvent, Replication, Retention, Scan
from portcall.formats.format import Message, json_message
from portcall.formats.names import project_and_name, shouted

_TYPES = {
    "artifact.pushed": "PUSH_ARTIFACT",
    "artifact.pulled": "PULL_ARTIFACT",
    "artifact.deleted": "DELETE_ARTIFACT",
    "tag.deleted": "DELETE_ARTIFACT",
    "scan.completed": "SCANNING_COMPLETED",
    "scan.failed": "SCANNING_FAILED",
    "scan.stopped": "SCANNING_STOPPED",
    "replication.changed": "REPLICATION",
    "retention.finished": "TAG_RETENTION",
    "quota.exceeded": "QUOTA_EXCEED",
    "quota.warned": "QUOTA_WARNING",
    "chart.pushed": "UPLOAD_CHART",
    "chart.pulled": "DOWNLOAD_CHART",
    "chart.deleted": "DELETE_CHART",
}
_SCAN_STATUSES = {"completed": "Success", "failed": "Error", "stopped": "Stopped"}
_JOB_STATUSES = {
    "running": "Running",
    "succeeded": "Success",
    "failed": "Error",
    "stopped": "Stopped",
}
_REPORT = "application/vnd.security.vulnerability.report; version=1.1"


class Harbor:
    """A receiver that was written for Harbor works unchanged."""

    name = "harbor"
    needs_raw = True

    def render(self, event: RegistryEvent) -> Message:
        """Give Harbor's own body where the event came with one, else one of the same shape."""
        if event.kind != "harbor" or not event.raw or event.raw.truncated:
            return _message(event, _event_data(event))
        data = _cloud_event_data(event.raw)
        if data is None:
            return Message("application/json", event.raw.content())
        return _message(event, data)


def _cloud_event_data(raw: RawOriginal) -> Any:
    """Give `event_data` out of Harbor's CloudEvents format, which holds it unchanged."""
    body = json.loads(raw.content())
    return body.get("data") or {} if "specversion" in body else None


def _message(event: RegistryEvent, event_data: Mapping[str, Any]) -> Message:
    return json_message(
        {
            "type": _TYPES.get(event.type) or shouted(event),
            "occur_at": int(event.occurred_at.timestamp()),
            "operator": event.actor or "",
            "event_data": event_data,
        }
    )


def _event_data(event: RegistryEvent) -> dict[str, Any]:
    if event.replication:
        return {"replication": _replication(event, event.replication)}
    if event.retention:
        return {"retention": _retention(event, event.retention)}
    data: dict[str, Any] = {}
    if event.digest or event.tags:
        data["resources"] = [_resource(event, tag) for tag in event.tags or ("",)]
    if event.repository:
        data["repository"] = _repository(event)
    if event.scan:
        data["scan"] = _known(scan_type=event.scan.kind)
    if event.quota:
        data["custom_attributes"] = _known(Details=event.quota.details)
    return data


def _resource(event: RegistryEvent, tag: str) -> dict[str, Any]:
    """Write one artifact. Harbor puts the digest in place of the tag of an untagged one."""
    place = f"{event.registry}/{event.repository}" if event.registry and event.repository else None
    reference = f":{tag}" if tag else f"@{event.digest}"
    return _known(
        digest=event.digest,
        tag=tag or (None if event.scan else event.digest),
        resource_url=place and place + reference,
        **_overview(event.scan) if event.scan else {},
    )


def _repository(event: RegistryEvent) -> dict[str, Any]:
    project, name = project_and_name(event)
    return {
        "name": name,
        "namespace": project,
        "repo_full_name": event.repository,
        "repo_type": event.visibility or "",
    }


def _overview(scan: Scan) -> dict[str, Any]:
    status = _SCAN_STATUSES.get(scan.status or "", scan.status)
    scanner = _known(name=scan.scanner, vendor=scan.scanner_vendor, version=scan.scanner_version)
    if scan.kind == "sbom":
        return {
            "sbom_overview": _known(
                report_id=scan.report_id,
                sbom_repository=scan.sbom_repository,
                sbom_digest=scan.sbom_digest,
                scan_status=status,
                scanner=scanner or None,
                **_times(scan),
            )
        }
    if not (scan.kind or scan.severity or scan.scanner):
        return {}  # Harbor's Scan All says no more (goharbor/harbor#22212)
    summary = _known(total=scan.total, fixable=scan.fixable, summary=scan.counts or None)
    report = _known(
        report_id=scan.report_id,
        scan_status=status,
        severity=scan.severity,
        summary=summary or None,
        scanner=scanner or None,
        **_times(scan),
    )
    return {"scan_overview": {_REPORT: report}}


def _times(scan: Scan) -> dict[str, str | None]:
    return {
        "start_time": scan.started_at.isoformat() if scan.started_at else None,
        "end_time": scan.ended_at.isoformat() if scan.ended_at else None,
    }


def _replication(event: RegistryEvent, replication: Replication) -> dict[str, Any]:
    status = _JOB_STATUSES.get(replication.status or "") or replication.native_status or ""
    references = list(replication.references)
    artifact = {
        "type": "image",
        "status": status,
        "name_tag": f"{project_and_name(event)[1]} [{len(references)} item(s) in total]",
        "references": references,
    }
    ended = {"Success": "successful_artifact", "Error": "failed_artifact"}.get(status)
    return _known(
        harbor_hostname=event.registry,
        job_status=status,
        description=replication.description,
        artifact_type=replication.artifact_type or "image",
        override_mode=replication.override or None,
        trigger_type=replication.trigger,
        policy_creator=replication.created_by or event.actor,
        execution_timestamp=replication.started_at and int(replication.started_at.timestamp()),
        src_resource=_known(
            registry_name=replication.source_registry,
            registry_type=replication.source_type,
            namespace=replication.source_namespace,
        ),
        dest_resource=_known(
            registry_type=replication.destination_type,
            registry_name=replication.destination_registry,
            namespace=replication.destination_namespace,
        ),
        **{ended: [artifact]} if ended and event.repository else {},
        execution_id=_number(replication.execution_id),
        task_id=_number(replication.task_id),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,18}", text) else None


def _retention(event: RegistryEvent, retention: Retention) -> dict[str, Any]:
    project = project_and_name(event)[0]
    status = retention.status or "SUCCESS"
    return _known(
        total=retention.total,
        retained=retention.retained,
        harbor_hostname=event.registry,
        project_name=project,
        retention_policy_id=_number(retention.policy_id),
        retention_rule=[{"template": name} for name in retention.rules] or None,
        result=status,
        deleted_artifact=[
            {
                "type": "image",
                "status": status,
                "name_tag": name.removeprefix(f"{project}/"),
                "references": None,
            }
            for name in retention.deleted
        ],
    )


def _known(**members: Any) -> dict[str, Any]:
    """Give the members that have a value."""
    return {name: value for name, value in members.items() if value is not None}
