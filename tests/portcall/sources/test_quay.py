from dataclasses import replace
from datetime import timedelta

import pytest

from portcall.errors import NotificationError
from portcall.events import Quota, RegistryEvent, Replication, Scan
from portcall.sources.repeats import WINDOW
from tests.portcall.sources.notifications import RECEIVED, body, facts, only, recorded, sent

BUILD = "50bc599a-0000-4000-8000-000000000001"
BASE = {"repository": "shop/web", "namespace": "shop", "docker_url": "quay.example.test/shop/web"}
PUSH = BASE | {"updated_tags": ["latest"]}


def found(case: str) -> RegistryEvent:
    return only("quay", recorded("quay", case))


def told(content, *, hint=None, after=0):
    """Parse what came some seconds after the start of a window."""
    at = RECEIVED + timedelta(seconds=after - RECEIVED.timestamp() % WINDOW)
    return only("quay", replace(sent(content), hint=hint, received_at=at))


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("repo-push", {"type": "artifact.pushed", "tags": ("1.4.2",)}),
        ("repo-push-on-the-generic-url", {"type": "artifact.pushed", "tags": ("latest", "foo")}),
        ("repo-push-by-template", {"type": "artifact.pushed", "tags": ("1.4.2",)}),
        ("repo-push-of-2013", {"tags": ("latest", "1.4.2"), "visibility": "private"}),
        ("build-queued", {"type": "build.queued", "correlation_id": BUILD, "actor": "ada"}),
        ("build-queued-by-hand", {"type": "build.queued", "actor": "grace"}),
        ("build-start", {"type": "build.started", "tags": ("1.4.2", "latest")}),
        ("build-success", {"type": "build.succeeded", "digest": "sha256:" + "5" * 64}),
        ("build-failure", {"type": "build.failed", "actor": None}),
        ("build-cancelled", {"type": "build.cancelled", "digest": None}),
        ("vulnerability-found", {"type": "vulnerability.found", "tags": ("1.4.2", "latest")}),
        ("vulnerabilities-found", {"type": "vulnerability.found"}),
        ("mirror-started", {"type": "replication.changed"}),
        ("image-expiry", {"type": "artifact.expiring", "tags": ("1.4.2",)}),
        ("unforeseen", {"type": "quay.repo_signed", "native_type": "repo_signed"}),
        ("unknown-on-the-generic-url", {"type": "quay.unknown", "tags": ()}),
    ],
)
def test_every_event_of_a_repository_is_understood(case, expected):
    event = found(case)
    assert facts(event, expected) == expected
    assert (event.kind, event.project, event.repository) == ("quay", "shop", "shop/web")
    assert event.registry == "quay.example.test"
    assert event.url is not None
    assert event.occurred_at == event.received_at
    assert event.raw is not None
    assert event.raw.content() == body("quay", case)


def test_a_digest_in_the_place_of_a_tag_is_no_tag():
    event = found("vulnerability-found-untagged")
    assert (event.tags, event.digest) == ((), "sha256:" + "6" * 64)


def test_a_vulnerability_names_its_cve_and_its_severity():
    event = found("vulnerability-found")
    assert event.scan == Scan(kind="vulnerability", severity="High")
    assert event.attributes["cve"] == "CVE-2025-0001"
    assert event.attributes["vulnerabilities"] == [
        {
            "id": "CVE-2025-0001",
            "severity": "High",
            "has_fix": True,
            "link": "https://cve.example.test/CVE-2025-0001 https://tracker.example.test/CVE-2025-0001",
            "description": "A way to read what one may not",
        }
    ]


def test_of_several_vulnerabilities_the_first_is_the_worst():
    event = found("vulnerabilities-found")
    assert event.scan is not None
    assert event.scan.severity == "Critical"
    ids = [item["id"] for item in event.attributes["vulnerabilities"]]
    assert ids == ["CVE-2025-0001", "CVE-2025-0003"]


def test_a_vulnerability_that_is_not_described_has_no_severity():
    assert told(BASE, hint="vulnerability_found").scan == Scan(kind="vulnerability")


def test_a_build_keeps_what_was_built_and_why_it_failed():
    queued = found("build-queued").attributes
    expected = {
        "build_id": BUILD,
        "is_manual": False,
        "trigger_kind": "github",
        "ref": "refs/heads/main",
        "commit": "42d4a62c53350993ea41069e9f2cfdefb0df097d",
        "commit_message": "Serve pages faster",
    }
    assert {name: queued[name] for name in expected} == expected
    failed = found("build-failure").attributes
    assert failed["error_message"] == "step 3 of the Dockerfile failed"
    assert "trigger_kind" not in failed


def test_a_build_of_several_manifests_has_no_digest_of_its_own():
    digests = ["sha256:" + letter * 64 for letter in "ab"]
    event = told(BASE | {"build_id": BUILD, "manifest_digests": digests})
    assert (event.type, event.digest) == ("build.succeeded", None)
    assert event.attributes["manifest_digests"] == digests


@pytest.mark.parametrize(
    ("case", "status", "native_status"),
    [
        ("mirror-started", "running", "started"),
        ("mirror-success", "succeeded", "success"),
        ("mirror-failed", "failed", "failed"),
        ("mirror-on-the-generic-url", None, None),
    ],
)
def test_a_mirror_says_how_its_synchronisation_stands(case, status, native_status):
    event = found(case)
    assert event.type == "replication.changed"
    assert event.replication == Replication(
        status=status,
        native_status=native_status,
        destination_registry="quay.example.test",
        destination_namespace="shop",
    )
    assert event.attributes["message"]


@pytest.mark.parametrize(
    ("case", "event_type", "used"),
    [
        ("quota-warning", "quota.warned", 858993459),
        ("quota-error", "quota.exceeded", 1181116006),
    ],
)
def test_a_quota_belongs_to_a_namespace_and_has_figures(case, event_type, used):
    event = found(case)
    assert (event.type, event.project, event.repository) == (event_type, "shop", None)
    assert event.registry == "quay.example.test"
    assert event.quota is not None
    assert (event.quota.used, event.quota.limit) == (used, 1073741824)
    assert (event.quota.details or "").endswith(" of 1.0 GiB")
    assert event.attributes["threshold_percent"] in (80, 100)


def test_a_quota_without_figures_has_none():
    assert told({"namespace": "shop"}, hint="quota_warning").quota == Quota()


@pytest.mark.parametrize(
    ("members", "event_type"),
    [
        ({"updated_tags": ["v1"]}, "artifact.pushed"),
        ({"vulnerability": {}}, "vulnerability.found"),
        ({"vulnerabilities": []}, "vulnerability.found"),
        ({"expiring_in": "5 days"}, "artifact.expiring"),
        ({"threshold_percent": 99}, "quota.warned"),
        ({"threshold_percent": 100}, "quota.exceeded"),
        ({"threshold_percent": None}, "quota.warned"),
        ({"build_id": "1", "error_message": "no"}, "build.failed"),
        ({"build_id": "1", "is_manual": True}, "build.queued"),
        ({"build_id": "1", "manifest_digests": []}, "build.succeeded"),
        ({"build_id": "1", "image_id": "2"}, "quay.build"),
        ({"message": "hello"}, "replication.changed"),
        ({}, "quay.unknown"),
    ],
)
def test_without_a_word_for_it_the_event_is_guessed(members, event_type):
    assert told(BASE | members).type == event_type


def test_the_url_decides_before_the_template_and_the_template_before_a_guess():
    templated = PUSH | {"portcall_event": "build_start"}
    assert told(templated).type == "build.started"
    assert told(templated, hint="Build_Queued").type == "build.queued"
    assert told(PUSH | {"portcall_event": None}).type == "artifact.pushed"


def test_a_name_may_come_in_its_parts():
    event = told({"namespace": "shop", "name": "web", "updated_tags": "v1"})
    assert (event.repository, event.tags, event.registry) == ("shop/web", ("v1",), None)
    assert told({"repository": "web"}).project is None


@pytest.mark.parametrize("after", [30, WINDOW - 1])
def test_a_repeat_within_the_window_is_the_same_event(after):
    assert told(PUSH, hint="repo_push", after=after).id == told(PUSH, hint="repo_push").id


def test_two_pushes_of_a_tag_further_apart_than_a_window_are_two_events():
    ids = {told(PUSH, hint="repo_push", after=n * WINDOW).id for n in range(5)}
    assert len(ids) == 5


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (PUSH | {"updated_tags": ["v2"]}, "repo_push"),
        (PUSH | {"repository": "shop/api"}, "repo_push"),
        (PUSH, "repo_mirror_sync_success"),
    ],
)
def test_what_says_something_else_is_another_event(content, hint):
    assert told(content, hint=hint).id != told(PUSH, hint="repo_push").id


def test_a_build_is_known_by_its_id_and_its_state_however_late():
    content = BASE | {"build_id": BUILD}
    start = told(content, hint="build_start")
    assert start.id == told(content | {"extra": 1}, hint="build_start", after=10 * WINDOW).id
    assert start.id != told(content, hint="build_cancelled").id
    # Whether that one started or was cancelled is not known.
    assert told(content).id != told(content, after=WINDOW).id


def test_a_cve_is_the_same_event_until_it_gets_worse():
    def cve(*tags, severity="Low"):
        vulnerability = {"id": "CVE-1", "priority": severity}
        content = BASE | {"tags": tags, "vulnerability": vulnerability}
        return told(content, hint="vulnerability_found", after=len(tags) * WINDOW).id

    assert cve("a", "b") == cve("b", "a")
    assert len({cve("a"), cve("a", "b"), cve("a", severity="High")}) == 3


@pytest.mark.parametrize(
    ("content", "hint", "field"),
    [
        ({}, None, "repository"),
        ({"namespace": "shop"}, None, "repository"),
        ({"namespace": "shop"}, "repo_push", "repository"),
        ({"repository": "shop/web"}, "quota_error", "namespace"),
        (BASE | {"repository": ["shop/web"]}, None, "repository"),
        (PUSH | {"updated_tags": ["v1", 7]}, None, "updated_tags.1"),
        (PUSH | {"updated_tags": 7}, None, "updated_tags"),
        (PUSH | {"updated_tags": {"v" * 256: ""}}, None, "updated_tags.0"),
        (BASE | {"portcall_event": {}}, None, "portcall_event"),
    ],
)
def test_a_refusal_names_the_field(content, hint, field):
    with pytest.raises(NotificationError) as refused:
        told(content, hint=hint)
    assert refused.value.field == field
