"""The parts of Harbor's `event_data`, member for member in the order of Harbor's structs.

A member that Harbor always writes is always there, with Go's empty value where nothing is known;
one that Harbor leaves out when it is empty is absent.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from portcall.events import RegistryEvent, Replication, Retention, Scan
from portcall.formats.go_json import go_time
from portcall.formats.names import project_and_name

_REPORT = "application/vnd.security.vulnerability.report; version=1.1"
_SCAN_STATUSES = {"completed": "Success", "failed": "Error", "stopped": "Stopped"}
_JOB_STATUSES = {
    "running": "Running",
    "succeeded": "Success",
    "failed": "Error",
    "stopped": "Stopped",
}


def known(**members: Any) -> dict[str, Any]:
    """Give the members that have a value."""
    return {name: value for name, value in members.items() if value is not None}


def overview(scan: Scan) -> dict[str, Any]:
    """Write the overview of a scan's report; Scan All has none (goharbor/harbor#22212)."""
    if scan.kind == "sbom":
        return {"sbom_overview": _sbom(scan)}
    said = (scan.severity, scan.scanner, scan.report_id, scan.total, scan.started_at)
    if any(value is not None for value in said) or scan.counts:
        return {"scan_overview": {_REPORT: _report(scan)}}
    return {}


def _status(scan: Scan) -> str:
    return _SCAN_STATUSES.get(scan.status or "") or scan.status or ""


def _scanner(scan: Scan) -> dict[str, str] | None:
    names = {
        "name": scan.scanner,
        "vendor": scan.scanner_vendor,
        "version": scan.scanner_version,
    }
    return {name: value or "" for name, value in names.items()} if any(names.values()) else None


def _report(scan: Scan) -> dict[str, Any]:
    summary = None
    if scan.counts or scan.total is not None:
        total = sum(scan.counts.values()) if scan.total is None else scan.total
        counts = dict(sorted(scan.counts.items()))
        summary = {"total": total, "fixable": scan.fixable or 0, "summary": counts}
    scanner = _scanner(scan)
    return {
        "report_id": scan.report_id or "",
        "scan_status": _status(scan),
        "severity": scan.severity or "",
        "duration": _whole_seconds(scan.started_at, scan.ended_at),
        "summary": summary,
        "start_time": go_time(scan.started_at),
        "end_time": go_time(scan.ended_at),
        **({"scanner": scanner} if scanner else {}),
        "complete_percent": 100 if summary else 0,
    }


def _whole_seconds(start: datetime | None, end: datetime | None) -> int:
    """Take one time's seconds from the other's, each without its fraction, as Harbor does."""
    return max(int(end.timestamp()) - int(start.timestamp()), 0) if start and end else 0


def _sbom(scan: Scan) -> dict[str, Any]:
    """Write a map, whose keys Go sorts; a run that made nothing has but its id and status."""
    status = _status(scan)
    if not scan.sbom_digest:
        return {"report_id": scan.report_id or "", "scan_status": status}
    took = scan.ended_at - scan.started_at if scan.ended_at and scan.started_at else None
    return known(
        duration=max(int(took.total_seconds()), 0) if took else 0,
        end_time=go_time(scan.ended_at),
        report_id=scan.report_id,
        sbom_digest=scan.sbom_digest,
        sbom_repository=scan.sbom_repository or "",
        scan_status=status,
        scanner=_scanner(scan),
        start_time=go_time(scan.started_at),
    )


def replication_data(event: RegistryEvent, replication: Replication) -> dict[str, Any]:
    """Write a replication's task."""
    status = _job_status(event, replication)
    kind = replication.artifact_type or "image"
    ended = {"Success": "successful_artifact", "Error": "failed_artifact"}.get(status)
    references = list(replication.references)
    artifact = {
        "type": kind,
        "status": status,
        "name_tag": f"{project_and_name(event)[1]} [{len(references)} item(s) in total]",
        "references": references,
    }
    return known(
        harbor_hostname=event.registry,
        job_status=status or None,
        description=replication.description,
        artifact_type=kind,
        override_mode=replication.override or None,
        trigger_type=replication.trigger,
        policy_creator=replication.created_by or event.actor,
        execution_timestamp=replication.started_at and int(replication.started_at.timestamp()),
        **_both_ends(event, replication),
        **{ended: [artifact]} if ended and event.repository else {},
        execution_id=_number(replication.execution_id),
        task_id=_number(replication.task_id),
    )


def _job_status(event: RegistryEvent, replication: Replication) -> str:
    native = replication.native_status or ""
    if event.kind == "harbor" and native:
        return native
    return _JOB_STATUSES.get(replication.status or "") or native


def _both_ends(event: RegistryEvent, replication: Replication) -> dict[str, Any]:
    """Write both registries; only the remote one has a name.

    When Harbor pushes, it writes each side's namespace on the other side, and so do we:
    who reads Harbor's messages knows it.
    """
    source = replication.source_registry, replication.source_type
    destination = replication.destination_registry, replication.destination_type
    namespaces = replication.source_namespace, replication.destination_namespace
    if _is_local(destination[0], event):
        return {
            "src_resource": _remote(*source, namespaces[0]),
            "dest_resource": _local(*destination, namespaces[1]),
        }
    return {
        "src_resource": _local(*source, namespaces[1]),
        "dest_resource": _remote(*destination, namespaces[0]),
    }


def _is_local(registry: str | None, event: RegistryEvent) -> bool:
    return registry is None or "://" in registry or registry == event.registry


def _remote(registry: str | None, kind: str | None, namespace: str | None) -> Mapping[str, str]:
    endpoint = registry if registry and "://" in registry else ""
    return known(
        registry_name=registry, registry_type=kind or "", endpoint=endpoint, namespace=namespace
    )


def _local(registry: str | None, kind: str | None, namespace: str | None) -> Mapping[str, str]:
    host = registry or ""
    endpoint = host if "://" in host or not host else f"https://{host}"
    return known(registry_type=kind or "harbor", endpoint=endpoint, namespace=namespace)


def retention_data(event: RegistryEvent, retention: Retention) -> dict[str, Any]:
    """Write what a retention run deleted; its `references` are null, unlike a replication's."""
    project = project_and_name(event)[0]
    status = retention.status or "SUCCESS"
    deleted = [
        {
            "type": "image",
            "status": status,
            "name_tag": name.removeprefix(f"{project}/"),
            "references": None,
        }
        for name in retention.deleted
    ]
    return known(
        total=retention.total or 0,
        retained=retention.retained or 0,
        harbor_hostname=event.registry,
        project_name=project or None,
        retention_policy_id=_number(retention.policy_id),
        retention_rule=[{"template": name} for name in retention.rules] or None,
        result=status,
        deleted_artifact=deleted or None,
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,18}", text) else None
