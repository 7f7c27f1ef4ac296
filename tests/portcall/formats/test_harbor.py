"""The bodies in `fixtures/harbor` were written by Go, from structs with Harbor's members."""

import json
from pathlib import Path

import pytest

from portcall.events import RawOriginal, RegistryEvent, Replication, Scan
from portcall.formats.go_json import go_json, go_time
from portcall.formats.known import load_formats
from tests.portcall.formats.events import DIGEST, PUSH, RECORDED, but
from tests.portcall.sources.notifications import only

FILES = Path(__file__).parents[2] / "fixtures" / "harbor"
BODIES = {file.stem: file.read_bytes() for file in sorted(FILES.glob("*.json"))}
HARBOR = load_formats()["harbor"]

LOST = {
    "push-with-date": {("event_data", "repository", "date_created")},
    "replication-pull-succeeded": {("event_data", "replication", "src_resource", "endpoint")},
    "replication-pull-stopped": {("event_data", "replication", "src_resource", "endpoint")},
    "replication-push-failed": {("event_data", "replication", "dest_resource", "endpoint")},
    "replication-push-running": {("event_data", "replication", "dest_resource", "endpoint")},
    "retention": {
        ("event_data", "retention", "retention_rule", "0", name)
        for name in ("params", "tag_selectors", "scope_selectors")
    },
}
"""What the normalised event does not know, and the raw original does."""

EVERY_TYPE = {
    "PUSH_ARTIFACT", "PULL_ARTIFACT", "DELETE_ARTIFACT", "SCANNING_COMPLETED", "SCANNING_FAILED",
    "SCANNING_STOPPED", "REPLICATION", "TAG_RETENTION", "QUOTA_EXCEED", "QUOTA_WARNING",
}  # fmt: skip


def data_of(event):
    return json.loads(HARBOR.render(event).body)["event_data"]


def as_another_kind(event):
    return event.model_copy(update={"kind": "quay", "raw": None})


def test_there_is_a_body_of_every_type_that_harbor_has():
    assert {json.loads(body)["type"] for body in BODIES.values()} == EVERY_TYPE


@pytest.mark.parametrize("name", BODIES)
def test_what_harbor_sent_goes_on_byte_for_byte(name):
    message = HARBOR.render(only("harbor", BODIES[name]))
    assert (message.body, message.content_type, message.headers) == (
        BODIES[name],
        "application/json",
        (),
    )


@pytest.mark.parametrize("name", BODIES)
def test_without_the_original_harbors_body_is_made_again_byte_for_byte(name):
    made = HARBOR.render(only("harbor", BODIES[name]).without_raw()).body
    assert made == go_json(without(json.loads(BODIES[name]), LOST.get(name, set())))


def without(value, lost, place=()):
    """Give a body without the members that are lost; an endpoint, which must be, is empty."""
    if isinstance(value, list):
        return [without(item, lost, (*place, str(at))) for at, item in enumerate(value)]
    if not isinstance(value, dict):
        return "" if place in lost else value
    return {
        name: without(member, lost, (*place, name))
        for name, member in value.items()
        if (*place, name) not in lost or name == "endpoint"
    }


@pytest.mark.parametrize("name", BODIES)
def test_a_reader_of_harbors_learns_the_same_from_what_is_made_again(name):
    event = only("harbor", BODIES[name]).without_raw()
    again = only("harbor", HARBOR.render(event).body)
    assert again.model_dump(exclude={"id", "raw"}) == event.model_dump(exclude={"id", "raw"})


@pytest.mark.parametrize("name", BODIES)
def test_another_registrys_event_has_the_members_of_harbors(name):
    event = only("harbor", BODIES[name])
    made = json.loads(HARBOR.render(as_another_kind(event)).body)
    assert members(made) == members(without(json.loads(BODIES[name]), LOST.get(name, set())))


def members(value):
    if isinstance(value, dict):
        return {name: members(member) for name, member in value.items()}
    if isinstance(value, list):
        return [members(item) for item in value]
    return type(value)


@pytest.mark.parametrize("event", RECORDED, ids=lambda event: f"{event.kind}-{event.type}")
def test_members_stand_in_harbors_order_whatever_the_registry(event):
    body = json.loads(HARBOR.render(event.without_raw()).body)
    assert list(body) == ["type", "occur_at", "operator", "event_data"]
    in_order(body["event_data"], ORDER)


ORDER = {
    "resources": [
        {"digest": 0, "tag": 0, "resource_url": 0, "scan_overview": 0, "sbom_overview": 0}
    ],
    "repository": {"name": 0, "namespace": 0, "repo_full_name": 0, "repo_type": 0},
    "replication": {
        "harbor_hostname": 0, "job_status": 0, "description": 0, "artifact_type": 0,
        "override_mode": 0, "trigger_type": 0, "policy_creator": 0, "execution_timestamp": 0,
        "src_resource": {"registry_name": 0, "registry_type": 0, "endpoint": 0, "namespace": 0},
        "dest_resource": {"registry_name": 0, "registry_type": 0, "endpoint": 0, "namespace": 0},
        "successful_artifact": [{"type": 0, "status": 0, "name_tag": 0, "references": 0}],
        "failed_artifact": [{"type": 0, "status": 0, "name_tag": 0, "references": 0}],
        "execution_id": 0, "task_id": 0,
    },
    "retention": {
        "total": 0, "retained": 0, "harbor_hostname": 0, "project_name": 0,
        "retention_policy_id": 0, "retention_rule": 0, "result": 0, "deleted_artifact": 0,
    },
    "scan": {"scan_type": 0},
    "custom_attributes": {"Details": 0},
}  # fmt: skip
"""The members of Harbor's structs, in their order."""


def in_order(value, order):
    if isinstance(order, list) and order:
        for item in value:
            in_order(item, order[0])
    elif isinstance(order, dict):
        assert list(value) == [name for name in order if name in value]
        for name, member in value.items():
            in_order(member, order[name])


def test_json_is_escaped_as_go_does():
    assert go_json({"é<>&\u2028\u2029": '"\\\n\x01\x7f😀'}) == (
        '{"é\\u003c\\u003e\\u0026\\u2028\\u2029":"\\"\\\\\\n\\u0001\x7f😀"}'.encode()
    )
    assert go_json("\ud800") == b'"\\ufffd"'


def test_a_time_that_is_not_known_is_gos_empty_one():
    assert go_time(None) == "0001-01-01T00:00:00Z"
    assert go_time(PUSH.occurred_at) == "2026-01-02T03:04:05.678Z"
    assert go_time(PUSH.received_at) == "2026-01-02T03:04:06Z"


def test_a_word_of_harbors_that_nobody_foresaw_is_kept():
    own = {"kind": "harbor", "type": "harbor.label-added", "native_type": "LABEL_ADDED/é"}
    assert json.loads(HARBOR.render(but(**own)).body)["type"] == "LABEL_ADDED/é"
    cloud_event = own | {"native_type": "harbor.label.added"}
    assert json.loads(HARBOR.render(but(**cloud_event)).body)["type"] == "LABEL_ADDED"


def test_a_scan_of_which_only_the_end_is_known_has_no_overview():
    [resource] = data_of(but(type="scan.completed", scan=Scan(status="completed")))["resources"]
    assert resource.keys() == {"digest", "tag", "resource_url"}


def test_a_scan_has_every_member_that_harbor_always_writes():
    scan = Scan(status="odd", counts={"Low": 2, "High": 1}, scanner_vendor="Aqua")
    [resource] = data_of(but(type="scan.completed", scan=scan))["resources"]
    [report] = resource["scan_overview"].values()
    assert json.dumps(report) == json.dumps(
        {
            "report_id": "",
            "scan_status": "odd",
            "severity": "",
            "duration": 0,
            "summary": {"total": 3, "fixable": 0, "summary": {"High": 1, "Low": 2}},
            "start_time": "0001-01-01T00:00:00Z",
            "end_time": "0001-01-01T00:00:00Z",
            "scanner": {"name": "", "vendor": "Aqua", "version": ""},
            "complete_percent": 100,
        }
    )


def test_a_bill_of_materials_without_times_has_none():
    scan = Scan(kind="sbom", status="completed", sbom_digest=DIGEST)
    [resource] = data_of(but(type="scan.completed", scan=scan))["resources"]
    assert resource["sbom_overview"] == {
        "duration": 0,
        "end_time": "0001-01-01T00:00:00Z",
        "sbom_digest": DIGEST,
        "sbom_repository": "",
        "scan_status": "Success",
        "start_time": "0001-01-01T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("ends", "source", "destination"),
    [
        (
            {"source_registry": "quay.example"},
            {"registry_name": "quay.example", "registry_type": "", "endpoint": ""},
            {"registry_type": "harbor", "endpoint": ""},
        ),
        (
            {"destination_registry": "hub.example", "destination_namespace": "prj"},
            {"registry_type": "", "endpoint": ""},
            {"registry_type": "harbor", "endpoint": "https://hub.example", "namespace": "prj"},
        ),
        (
            {
                "source_registry": "hub.example",
                "source_namespace": "mine",
                "destination_registry": "far.example",
                "destination_namespace": "theirs",
            },
            {"registry_type": "harbor", "endpoint": "https://hub.example", "namespace": "theirs"},
            {
                "registry_name": "far.example",
                "registry_type": "",
                "endpoint": "",
                "namespace": "mine",
            },
        ),
        (
            {"source_registry": "https://far.example", "source_type": "quay"},
            {
                "registry_name": "https://far.example",
                "registry_type": "quay",
                "endpoint": "https://far.example",
            },
            {"registry_type": "harbor", "endpoint": ""},
        ),
    ],
)
def test_the_registry_that_reports_is_the_one_without_a_name(ends, source, destination):
    event = but(type="replication.changed", replication=Replication(status="running", **ends))
    data = data_of(event)["replication"]
    assert (data["src_resource"], data["dest_resource"]) == (source, destination)


def test_harbors_own_word_for_a_jobs_status_is_kept():
    waiting = Replication(status="running", native_status="Pending")
    event = but(kind="harbor", type="replication.changed", replication=waiting)
    assert data_of(event)["replication"]["job_status"] == "Pending"
    other = but(type="replication.changed", replication=waiting)
    assert data_of(other)["replication"]["job_status"] == "Running"
    silent = but(kind="harbor", type="replication.changed", replication=Replication())
    assert "job_status" not in data_of(silent)["replication"]


def test_a_body_in_cloudevents_becomes_gos_json_again():
    data = {"resources": [{"digest": DIGEST, "tag": "<é>"}]}
    body = {"specversion": "1.0", "id": "1", "source": "/p", "type": "harbor.artifact.pushed"}
    raw = RawOriginal.of(json.dumps(body | {"data": data}).encode())
    event = RegistryEvent.model_validate(dict(PUSH) | {"kind": "harbor", "raw": raw})
    assert '"tag":"\\u003cé\\u003e"' in HARBOR.render(event).body.decode()
