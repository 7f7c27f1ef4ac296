from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from portcall.errors import NotificationError
from portcall.events import Quota
from tests.portcall.sources.notifications import RECEIVED, body, cases, facts, only, parse


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def harbor(case: str, source: str = "eu"):
    return only("harbor", body("harbor", case), source)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (
            "push",
            {
                "type": "artifact.pushed",
                "native_type": "PUSH_ARTIFACT",
                "registry": "harbor.example.test",
                "project": "shop",
                "repository": "shop/api/web",
                "tags": ("1.4.2",),
                "digest": digest("a"),
                "visibility": "private",
                "actor": "robot$shop+ci",
                "url": "harbor.example.test/shop/api/web:1.4.2",
                "occurred_at": datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC),
                "scan": None,
                "replication": None,
                "retention": None,
                "quota": None,
            },
        ),
        ("push-by-digest", {"tags": (), "digest": digest("b")}),
        ("pull-anonymous", {"type": "artifact.pulled", "actor": None, "visibility": "public"}),
        ("delete", {"type": "artifact.deleted", "actor": "harbor-jobservice"}),
        ("scan-completed", {"type": "scan.completed", "tags": ("1.4.2",)}),
        (
            "scan-completed-old-report",
            {"tags": (), "url": "harbor.example.test/shop/api/web", "digest": digest("a")},
        ),
        ("scan-child-untagged", {"tags": (), "digest": digest("c")}),
        (
            "replication-push-succeeded",
            {
                "type": "replication.changed",
                "registry": "harbor.example.test",
                "project": "shop",
                "repository": "shop/api/web",
                "tags": ("1.4.2", "1.4.1"),
                "digest": None,
            },
        ),
        ("replication-push-running", {"project": "shop", "repository": None, "tags": ()}),
        (
            "replication-pull-failed",
            {"project": "cache", "repository": "cache/web", "tags": (), "digest": digest("e")},
        ),
        ("replication-first-release", {"repository": "cache/busybox", "tags": ("1.36",)}),
        (
            "retention",
            {
                "type": "retention.finished",
                "project": "shop",
                "repository": "shop/api/web",
                "tags": ("1.3.0",),
                "digest": None,
            },
        ),
        ("quota-exceeded", {"type": "quota.exceeded", "digest": digest("a"), "tags": ("1.5.0",)}),
        (
            "quota-warning-on-a-blob",
            {"type": "quota.warned", "repository": "shop/api/web", "digest": None, "url": None},
        ),
        (
            "chart-delete",
            {
                "type": "chart.deleted",
                "registry": "harbor.example.test:8443",
                "repository": "shop/web",
                "tags": ("1.0.0", "1.1.0+build.5"),
            },
        ),
        (
            "cloudevent-push",
            {
                "type": "artifact.pushed",
                "native_type": "harbor.artifact.pushed",
                "repository": "shop/api/web",
                "correlation_id": "9d2e0000-0000-4000-8000-0000000000b1",
                "occurred_at": datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC),
                "actor": "robot$shop+ci",
            },
        ),
        ("cloudevent-without-request-id", {"correlation_id": None, "actor": None}),
        ("cloudevent-unforeseen", {"type": "harbor.artifact.signed", "tags": ("1.4.2",)}),
        ("legacy-push", {"type": "artifact.pushed", "repository": "library/app", "tags": ("v1",)}),
        ("legacy-delete-of-two-tags", {"type": "artifact.deleted", "tags": ("v1", "v2")}),
        (
            "unforeseen",
            {
                "type": "harbor.label_added_",
                "native_type": "LABEL_ADDED/é",
                "repository": "shop/api/web",
                "tags": ("1.4.2",),
            },
        ),
    ],
)
def test_what_harbor_sends_is_understood(case, expected):
    event = harbor(case)
    assert facts(event, expected) == expected
    assert event.kind == "harbor"
    assert event.raw is not None
    assert event.raw.content() == body("harbor", case)


@pytest.mark.parametrize(
    ("native_type", "event_type"),
    [
        ("UPLOAD_CHART", "chart.pushed"),
        ("DOWNLOAD_CHART", "chart.pulled"),
        ("pullImage", "artifact.pulled"),
        ("uploadChart", "chart.pushed"),
        ("downloadChart", "chart.pulled"),
        ("deleteChart", "chart.deleted"),
        ("scanningCompleted", "scan.completed"),
        ("scanningFailed", "scan.failed"),
        ("projectQuota", "quota.exceeded"),
    ],
)
def test_every_word_of_every_release_is_known(native_type, event_type):
    data = {"repository": {"namespace": "shop", "name": "web"}}
    event = only("harbor", {"type": native_type, "occur_at": 1760000000, "event_data": data})
    assert (event.type, event.repository) == (event_type, "shop/web")


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (
            "scan-completed",
            {
                "kind": "vulnerability",
                "status": "completed",
                "severity": "Critical",
                "total": 12,
                "fixable": 7,
                "counts": {"Critical": 2, "Medium": 10},
                "scanner": "Trivy",
            },
        ),
        (
            "legacy-scan-by-clair",
            {
                "kind": "vulnerability",
                "severity": "High",
                "total": None,
                "fixable": None,
                "counts": {"Low": 7, "High": 3},
                "scanner": "Clair",
            },
        ),
        ("scan-completed-old-report", {"kind": "vulnerability", "total": 12, "fixable": 7}),
        (
            "scan-all",
            {
                "kind": None,
                "status": "completed",
                "severity": None,
                "total": None,
                "fixable": None,
                "counts": {},
            },
        ),
        ("scan-child-untagged", {"severity": "None", "total": None, "counts": {}}),
        ("scan-failed", {"status": "failed", "severity": None, "total": None}),
        ("scan-stopped", {"status": "stopped", "kind": "vulnerability", "scanner": None}),
        ("sbom-completed", {"kind": "sbom", "status": "completed", "scanner": "Trivy"}),
    ],
)
def test_a_scan_is_summed_up_and_what_is_unknown_is_not_zero(case, expected):
    assert facts(harbor(case).scan or SimpleNamespace(), expected) == expected


def test_without_a_namespace_the_project_is_the_first_part_of_the_name():
    data = {"repository": {"repo_full_name": "shop/api/web"}}
    event = only("harbor", {"type": "PUSH_ARTIFACT", "event_data": data})
    assert (event.project, event.repository) == ("shop", "shop/api/web")


def test_an_sbom_without_a_scan_type_is_known_by_its_overview():
    resource = {"digest": digest("a"), "sbom_overview": {"sbom_digest": digest("d")}}
    data = {"resources": [resource], "repository": {"repo_full_name": "a/b"}}
    event = only("harbor", {"type": "SCANNING_COMPLETED", "event_data": data})
    assert event.scan is not None
    assert event.scan.kind == "sbom"
    assert event.scan.sbom_digest == digest("d")


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (
            "replication-push-succeeded",
            {
                "status": "succeeded",
                "native_status": "Success",
                "trigger": "SCHEDULE",
                "source_registry": "https://harbor.example.test",
                "source_namespace": "shop",
                "destination_registry": "disaster-site",
                "destination_namespace": "mirror",
                "task_id": "34",
                "references": ("1.4.2", "1.4.1"),
            },
        ),
        ("replication-push-running", {"status": "running", "references": ()}),
        (
            "replication-pull-failed",
            {
                "status": "failed",
                "source_registry": "disaster-site",
                "source_namespace": "library",
                "destination_namespace": "cache",
                "task_id": None,
                "references": (digest("e"),),
            },
        ),
    ],
)
def test_a_replication_has_its_namespaces_on_the_right_sides(case, expected):
    assert facts(harbor(case).replication or SimpleNamespace(), expected) == expected


def test_an_unforeseen_replication_status_is_kept_in_harbors_words():
    data = {"replication": {"job_status": "Paused"}}
    event = only("harbor", {"type": "REPLICATION", "event_data": data})
    assert event.replication is not None
    assert (event.replication.status, event.replication.native_status) == (None, "Paused")


def test_a_retention_run_names_what_it_deleted_with_the_project():
    retention = harbor("retention").retention
    assert retention is not None
    assert (retention.total, retention.retained, retention.status) == (9, 7, "SUCCESS")
    assert retention.deleted == ("shop/api/web:1.3.0", f"shop/api/web@{digest('f')}")


def test_a_retention_run_without_a_project_keeps_the_bare_names():
    data = {"retention": {"deleted_artifact": [{"name_tag": "web:1"}, {"status": "SUCCESS"}]}}
    event = only("harbor", {"type": "TAG_RETENTION", "event_data": data})
    assert event.retention is not None
    assert (event.retention.deleted, event.repository) == (("web:1",), "web")


def test_a_retention_run_that_names_nothing_has_no_repository():
    event = only("harbor", {"type": "TAG_RETENTION", "event_data": {"retention": {"total": 3}}})
    assert event.repository is None


@pytest.mark.parametrize(
    ("case", "used", "limit"),
    [
        ("quota-exceeded", int(95.5 * 1024**2), 100 * 1024**2),
        ("quota-warning-on-a-blob", 87 * 1024**3, 100 * 1024**3),
        ("quota-in-other-words", None, None),
    ],
)
def test_the_figures_of_a_quota_are_read_where_they_can_be(case, used, limit):
    quota = harbor(case).quota
    assert quota is not None
    assert (quota.used, quota.limit) == (used, limit)
    assert quota.details


def test_a_quota_below_a_kibibyte_is_in_bytes():
    details = "quota usage reach 85%: resource storage used 900 B of 1 KiB"
    data = {"custom_attributes": {"Details": details}}
    event = only("harbor", {"type": "QUOTA_WARNING", "event_data": data})
    assert event.quota == Quota(details=details, used=900, limit=1024)


def test_the_ping_of_harbor_1_starts_nothing():
    parsed = parse("harbor", body("harbor", "test-endpoint"))
    assert (parsed.events, parsed.refusals) == ((), ())


def test_a_repeat_has_the_same_id_and_another_source_another():
    assert harbor("push").id == harbor("push").id
    assert harbor("push").id != harbor("push", source="us").id


def test_no_two_of_the_cases_are_taken_for_one():
    copies = {"cloudevent-push-by-another-policy", "cloudevent-replication", "test-endpoint"}
    ids = [harbor(case).id for case in cases("harbor") if case not in copies]
    assert len(ids) == len(set(ids)) > 20


def test_copies_over_several_policies_are_one_event():
    assert harbor("cloudevent-push").id == harbor("cloudevent-push-by-another-policy").id


def test_what_else_the_same_request_did_is_another_event():
    assert harbor("cloudevent-push").id != harbor("cloudevent-delete-in-the-same-request").id


def test_without_a_request_id_a_cloudevent_is_known_by_its_own():
    first = harbor("cloudevent-without-request-id")
    other = body("harbor", "cloudevent-without-request-id").replace(b"00a1", b"00a2")
    assert first.id != only("harbor", other).id


def test_a_replication_task_has_one_event_for_each_status_in_both_formats():
    running, succeeded = harbor("replication-push-running"), harbor("replication-push-succeeded")
    assert running.id != succeeded.id
    assert running.replication is not None
    assert succeeded.replication is not None
    assert running.replication.task_id == succeeded.replication.task_id
    assert harbor("cloudevent-replication").id == succeeded.id


@pytest.mark.parametrize(
    ("content", "field", "reason"),
    [
        ({}, "type", "missing_field"),
        ({"type": 1}, "type", "wrong_type"),
        (
            {"type": "PUSH_ARTIFACT"},
            "event_data.repository.repo_full_name",
            "missing_field",
        ),
        (
            {"specversion": "1.0", "type": "harbor.scan.failed", "data": []},
            "data.repository.repo_full_name",
            "missing_field",
        ),
        ({"type": "REPLICATION", "event_data": {}}, "event_data.replication", "missing_field"),
        (
            {"type": "TAG_RETENTION", "event_data": {"retention": 1}},
            "event_data.retention",
            "wrong_type",
        ),
        ({"type": "x", "occur_at": {}}, "occur_at", "wrong_type"),
        (
            {"type": "x", "event_data": {"repository": {"namespace": "a" * 250, "name": "bcdefg"}}},
            "event_data.repository.name",
            "too_long",
        ),
        (
            {"type": "x", "event_data": {"resources": [{}, {"digest": "latest"}]}},
            "event_data.resources.1.digest",
            "wrong_type",
        ),
    ],
)
def test_a_refusal_names_the_field(content, field, reason):
    with pytest.raises(NotificationError) as refused:
        parse("harbor", content)
    assert (refused.value.field, refused.value.reason) == (field, reason)


@pytest.mark.parametrize(
    ("occur_at", "expected"),
    [
        (None, RECEIVED),
        (0, RECEIVED),
        ("1760000000", datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)),
        (1760000000500, datetime(2025, 10, 9, 8, 53, 20, 500000, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", RECEIVED),
        ("2025-10-09 08:53:20", datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_any_unit_and_one_that_is_unset_is_that_of_receipt(occur_at, expected):
    assert only("harbor", {"type": "x", "occur_at": occur_at}).occurred_at == expected


def test_facts_too_large_for_a_payload_are_refused():
    names = [{"name_tag": ":" + "\U0001f600" * 254}] * 1000
    data = {"retention": {"project_name": "shop", "deleted_artifact": names}}
    with pytest.raises(NotificationError) as refused:
        parse("harbor", {"type": "TAG_RETENTION", "event_data": data})
    assert refused.value.reason == "too_big"


@pytest.mark.parametrize(
    ("reference", "repository"),
    [
        ("hub.example.test:8443/shop/api/web:1.4.2", "shop/api/web"),
        ("hub.example.test/shop/web@" + digest("a"), "shop/web"),
    ],
)
def test_a_repository_that_only_the_reference_names_is_found(reference, repository):
    data = {"resources": [{"digest": digest("a"), "resource_url": reference}]}
    event = only("harbor", {"type": "PUSH_ARTIFACT", "occur_at": 1750000000, "event_data": data})
    assert (event.repository, event.project) == (repository, "shop")


def test_the_details_of_a_scan_are_fields():
    report = {
        "report_id": "r-1",
        "scan_status": "Success",
        "severity": "High",
        "start_time": "2025-06-15T15:08:10.52Z",
        "end_time": "0001-01-01T00:00:00Z",
        "scanner": {"name": "Trivy", "vendor": "Aqua Security", "version": "v0.60.0"},
    }
    resource = {"digest": digest("a"), "scan_overview": {"any; version=9": report}}
    data = {"resources": [resource], "repository": {"repo_full_name": "a/b"}}
    scan = only("harbor", {"type": "SCANNING_COMPLETED", "event_data": data}).scan
    assert scan is not None
    assert (scan.report_id, scan.scanner_vendor, scan.scanner_version) == (
        "r-1",
        "Aqua Security",
        "v0.60.0",
    )
    assert (scan.started_at, scan.ended_at) == (
        datetime(2025, 6, 15, 15, 8, 10, 520_000, tzinfo=UTC),
        None,
    )


def test_the_details_of_a_replication_are_fields():
    part = {
        "job_status": "Running",
        "task_id": 77,
        "execution_id": 41,
        "execution_timestamp": "soon",
        "description": "nightly",
        "artifact_type": "image",
        "override_mode": True,
        "policy_creator": "admin",
        "src_resource": {
            "registry_type": "docker-hub",
            "registry_name": "hub",
            "namespace": "shop",
        },
        "dest_resource": {"registry_type": "harbor", "namespace": "mirror"},
    }
    told = only("harbor", {"type": "REPLICATION", "event_data": {"replication": part}}).replication
    assert told is not None
    assert (told.task_id, told.execution_id, told.started_at) == ("77", "41", None)
    assert (told.description, told.artifact_type, told.override) == ("nightly", "image", True)
    assert (told.source_type, told.destination_type, told.created_by) == (
        "docker-hub",
        "harbor",
        "admin",
    )


def test_the_rules_of_a_retention_are_fields():
    rules = [{"template": "latestPushedK", "params": {"latestPushedK": 8}}, {"template": 1}]
    part = {"project_name": "shop", "retention_policy_id": 5, "retention_rule": rules}
    told = only("harbor", {"type": "TAG_RETENTION", "event_data": {"retention": part}}).retention
    assert told is not None
    assert (told.policy_id, told.rules) == ("5", ("latestPushedK",))
