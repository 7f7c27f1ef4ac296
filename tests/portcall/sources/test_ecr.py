import json
from datetime import UTC, datetime

import pytest

from portcall.errors import NotificationError
from portcall.events import Replication, Scan
from tests.portcall.sources.notifications import facts, only, parse, recorded, recording, sent

DIGEST = "sha256:" + "1" * 64
HOST = "000000000000.dkr.ecr.eu-west-1.amazonaws.com"
PUSH = recording("ecr", "push")
SCAN = recording("ecr", "scan-complete")


def changed(event=PUSH, detail=None, **envelope):
    return event | {"detail": event["detail"] | (detail or {})} | envelope


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (
            "push",
            {
                "type": "artifact.pushed",
                "native_type": "ECR Image Action.PUSH",
                "occurred_at": datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC),
                "registry": HOST,
                "project": "000000000000",
                "repository": "shop/web",
                "tags": ("1.4.2",),
                "digest": DIGEST,
                "media_type": None,
                "actor": None,
                "attributes": {},
            },
        ),
        (
            "push-untagged",
            {
                "tags": (),
                "media_type": "application/vnd.oci.image.index.v1+json",
                "artifact_type": "application/vnd.oci.image.config.v1+json",
            },
        ),
        (
            "push-failed",
            {
                "type": "artifact.rejected",
                "attributes": {"action": "PUSH", "result": "FAILURE"},
            },
        ),
        ("push-in-china", {"registry": "000000000000.dkr.ecr.cn-north-1.amazonaws.com.cn"}),
        ("delete", {"type": "artifact.deleted", "tags": ("1.4.2",), "digest": DIGEST}),
        (
            "archive",
            {"type": "artifact.storage_changed", "attributes": {"storage_class": "ARCHIVE"}},
        ),
        (
            "referrer-push",
            {"type": "referrer.pushed", "artifact_type": "application/spdx+json", "tags": ()},
        ),
        (
            "referrer-restore",
            {
                "type": "artifact.storage_changed",
                "attributes": {
                    "storage_class": "STANDARD",
                    "last_activated_at": "2025-06-14T19:13:02.74Z",
                },
            },
        ),
        (
            "scan-complete",
            {
                "type": "scan.completed",
                "repository": "shop/web",
                "tags": ("1.4.2", "latest"),
                "scan": Scan(
                    kind="vulnerability",
                    status="completed",
                    severity="Critical",
                    total=19,
                    counts={"Critical": 10, "Medium": 9},
                ),
            },
        ),
        (
            "scan-clean",
            {"tags": (), "scan": Scan(kind="vulnerability", status="completed", total=0)},
        ),
        (
            "scan-failed",
            {"type": "scan.failed", "scan": Scan(kind="vulnerability", status="failed")},
        ),
        ("scan-unforeseen-status", {"type": "ecr.image_scan.unsupported_image"}),
        (
            "scan-frequency",
            {
                "type": "scan.config_changed",
                "repository": "shop/web",
                "attributes": {
                    "scan_frequency": "SCAN_ON_PUSH",
                    "previous_scan_frequency": "MANUAL",
                    "scan_type": "ENHANCED",
                },
            },
        ),
        (
            "cache-synced",
            {
                "type": "cache.synced",
                "repository": "docker-hub/busybox",
                "tags": ("1.36",),
                "replication": Replication(
                    status="succeeded",
                    native_status="SUCCESS",
                    source_registry="upstream.example.test",
                    destination_registry=HOST,
                ),
                "attributes": {"prefix": "docker-hub"},
            },
        ),
        (
            "cache-failed",
            {
                "type": "cache.failed",
                "attributes": {
                    "prefix": "docker-hub",
                    "failure_code": "UpstreamUnavailable",
                    "failure_reason": "The upstream registry does not answer.",
                },
            },
        ),
        (
            "replicated",
            {
                "type": "replication.changed",
                "tags": ("1.4.2",),
                "replication": Replication(
                    status="succeeded",
                    native_status="SUCCESS",
                    source_registry="000000000000.dkr.ecr.us-west-2.amazonaws.com",
                    destination_registry=HOST,
                    references=("1.4.2",),
                ),
            },
        ),
        ("replication-failed", {"type": "replication.changed", "digest": DIGEST}),
        (
            "inspector-scan",
            {
                "type": "scan.completed",
                "native_type": "Inspector2 Scan.INITIAL_SCAN_COMPLETE",
                "repository": "shop/web",
                "scan": Scan(
                    kind="vulnerability",
                    status="completed",
                    severity="High",
                    total=10,
                    counts={"Critical": 0, "High": 1, "Medium": 6},
                    scanner="Amazon Inspector",
                ),
            },
        ),
        (
            "inspector-finding",
            {
                "type": "vulnerability.found",
                "registry": "111111111111.dkr.ecr.eu-west-1.amazonaws.com",
                "project": "111111111111",
                "repository": "shop/web",
                "tags": ("1.4.2",),
                "digest": DIGEST,
                "platforms": ("linux/amd64",),
                "scan": Scan(kind="vulnerability", severity="Medium", scanner="Amazon Inspector"),
                "attributes": {
                    "vulnerability": "CVE-2025-0001",
                    "title": "CVE-2025-0001 - libfoo",
                    "fix_available": "YES",
                    "finding": "arn:aws:inspector2:eu-west-1:000000000000:finding/f1",
                },
            },
        ),
        ("inspector-finding-closed", {"type": "ecr.inspector2_finding.closed"}),
        (
            "inspector-finding-of-a-machine",
            {"type": "ecr.inspector2_finding.active", "repository": None, "platforms": ()},
        ),
        (
            "inspector-scan-of-a-machine",
            {"type": "ecr.inspector2_scan.initial_scan_complete", "repository": None, "scan": None},
        ),
        ("inspector-coverage", {"type": "ecr.inspector2_coverage", "repository": None}),
        (
            "cloudtrail-call",
            {
                "type": "ecr.aws_api_call_via_cloudtrail.putlifecyclepolicy",
                "repository": "shop/web",
                "actor": "arn:aws:sts::000000000000:assumed-role/ci/run-7",
                "attributes": {
                    "request_addr": "192.0.2.10",
                    "user_agent": "aws-cli/2.15",
                    "error": "AccessDenied",
                },
            },
        ),
        ("unforeseen", {"type": "ecr.lifecycle_preview.done", "repository": "shop/web"}),
    ],
)
def test_what_eventbridge_sends_is_understood(case, expected):
    event = only("ecr", recorded("ecr", case))
    assert facts(event, expected) == expected
    assert event.kind == "ecr"
    assert event.raw is not None
    assert event.raw.content() == recorded("ecr", case).body


def test_a_failed_replication_says_so():
    replication = only("ecr", recorded("ecr", "replication-failed")).replication
    assert replication is not None
    assert (replication.status, replication.native_status) == ("failed", "FAILED")


def test_a_change_of_several_repositories_is_one_event_for_each():
    case = recorded("ecr", "scan-frequency-of-two-repositories")
    first, second = parse("ecr", case).events
    assert (first.repository, second.repository) == ("shop/web", "shop/api")
    assert first.id != second.id
    assert [event.id for event in parse("ecr", case).events] == [first.id, second.id]
    assert first.raw is not None
    assert [
        part["repository-name"]
        for part in json.loads(first.raw.content())["detail"]["repositories"]
    ] == ["shop/web"]


def test_one_event_of_several_can_be_read_again_from_its_own_bytes():
    for event in parse("ecr", recorded("ecr", "scan-frequency-of-two-repositories")).events:
        assert event.raw is not None
        again = only("ecr", sent(event.raw.content()))
        assert again.without_raw() == event.without_raw()


def test_a_list_of_repositories_in_another_event_does_not_divide_it():
    body = changed(detail={"repositories": [{"a": 1}, {"b": 2}]})
    assert only("ecr", body).repository == "shop/web"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (changed(account=None), {"registry": None, "project": None}),
        (changed(region=""), {"registry": None, "project": "000000000000"}),
        (changed(detail={"result": None}), {"type": "artifact.pushed"}),
        (changed(detail={"action-type": "RENAME"}), {"type": "ecr.image_action.rename"}),
        (
            changed(detail={"image-tag": DIGEST, "image-digest": None}),
            {"tags": (), "digest": DIGEST},
        ),
        (changed({**PUSH, "detail-type": "ECR Artifact Action"}), {"type": "artifact.pushed"}),
        (changed(SCAN, {"finding-severity-counts": None}), {"tags": ("1.4.2", "latest")}),
        (
            changed(recording("ecr", "replicated"), {"result": None}),
            {"type": "replication.changed"},
        ),
        (changed(recording("ecr", "scan-frequency"), {"repositories": []}), {"repository": None}),
        (changed(recording("ecr", "inspector-finding"), {"resources": None}), {"repository": None}),
    ],
)
def test_what_is_left_out_is_absent(body, expected):
    assert facts(only("ecr", body), expected) == expected


def test_figures_that_nobody_gave_are_unknown_and_not_zero():
    body = changed(SCAN, {"finding-severity-counts": None})
    scan = only("ecr", body).scan
    assert scan is not None
    assert (scan.total, scan.severity, scan.counts) == (None, None, {})


def test_figures_that_are_none_are_left_out():
    counts = {"HIGH": "many", "LOW": 2, "a" * 60: 1}
    scan = only("ecr", changed(SCAN, {"finding-severity-counts": counts})).scan
    assert scan is not None
    assert scan.counts == {"Low": 2, "A" + "a" * 49: 1}


def test_a_repeat_has_eventbridges_own_id():
    assert only("ecr", recorded("ecr", "push")).id == PUSH["id"]


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({}, "detail-type", "missing_field"),
        ({"detail-type": "ECR Image Action"}, "detail", "missing_field"),
        (changed(detail={"action-type": None}), "detail.action-type", "missing_field"),
        (changed(detail={"repository-name": ""}), "detail.repository-name", "missing_field"),
        (changed(detail={"image-digest": "latest"}), "detail.image-digest", "wrong_type"),
        (changed(id=None), "id", "missing_field"),
        (changed(time="yesterday"), "time", "wrong_type"),
        (changed(SCAN, {"scan-status": None}), "detail.scan-status", "missing_field"),
        (changed(SCAN, {"repository-name": None}), "detail.repository-name", "missing_field"),
        (changed(SCAN, {"image-tags": [5]}), "detail.image-tags.0", "wrong_type"),
        (
            changed(recording("ecr", "cache-synced"), {"sync-status": ""}),
            "detail.sync-status",
            "missing_field",
        ),
        (
            changed(recording("ecr", "cloudtrail-call"), {"eventName": None}),
            "detail.eventName",
            "missing_field",
        ),
    ],
)
def test_a_refusal_names_the_field(body, field, reason):
    with pytest.raises(NotificationError) as refused:
        parse("ecr", body)
    assert (refused.value.field, refused.value.reason) == (field, reason)
