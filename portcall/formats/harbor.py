"""The format `harbor`: what Harbor v2 sends in its payload format Default.

An event that came from Harbor goes on as Harbor wrote it. For any other registry, or where the
original was cut, the same members are filled in as far as the event knows them, in Harbor's
order and in Go's way to write JSON.
"""

import json
from collections.abc import Mapping
from typing import Any

from portcall.events import RawOriginal, RegistryEvent
from portcall.formats.format import Message
from portcall.formats.go_json import go_json
from portcall.formats.harbor_parts import known, overview, replication_data, retention_data
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
    body = {
        "type": _TYPES.get(event.type) or _own_word(event),
        "occur_at": int(event.occurred_at.timestamp()),
        "operator": event.actor or "",
        "event_data": event_data,
    }
    return Message("application/json", go_json(body))


def _own_word(event: RegistryEvent) -> str:
    """Give Harbor's word for what nobody foresaw; its CloudEvents have another one."""
    native = event.native_type if event.kind == "harbor" else ""
    return shouted(event) if native.startswith("harbor.") or not native else native


def _event_data(event: RegistryEvent) -> dict[str, Any]:
    if event.replication:
        return {"replication": replication_data(event, event.replication)}
    if event.retention:
        return {"retention": retention_data(event, event.retention)}
    data: dict[str, Any] = {}
    if event.digest or event.tags:
        data["resources"] = [_resource(event, tag) for tag in event.tags or ("",)]
    if event.repository:
        data["repository"] = _repository(event)
    if event.scan:
        data["scan"] = known(scan_type=event.scan.kind)
    if event.quota:
        data["custom_attributes"] = known(Details=event.quota.details)
    return data


def _resource(event: RegistryEvent, tag: str) -> dict[str, Any]:
    """Write one artifact. Harbor puts the digest in place of the tag of an untagged one."""
    return known(
        digest=event.digest,
        tag=tag or (None if event.scan else event.digest),
        resource_url=_address(event, tag),
        **overview(event.scan) if event.scan else {},
    )


def _address(event: RegistryEvent, tag: str) -> str | None:
    """Give the artifact's reference; there is none in what Harbor says of quotas."""
    if event.kind == "harbor" and len(event.tags) < 2:
        return event.url
    if event.quota or not (event.registry and event.repository):
        return None
    return f"{event.registry}/{event.repository}" + (f":{tag}" if tag else f"@{event.digest}")


def _repository(event: RegistryEvent) -> dict[str, Any]:
    project, name = project_and_name(event)
    return {
        "name": name,
        "namespace": project,
        "repo_full_name": event.repository,
        "repo_type": event.visibility or "",
    }
