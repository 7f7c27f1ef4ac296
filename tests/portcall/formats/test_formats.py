import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from hypothesis import given
from hypothesis import strategies as st

from portcall.errors import ConfigurationError
from portcall.events import (
    RAW_LIMIT,
    Quota,
    RawOriginal,
    RegistryEvent,
    Replication,
    Retention,
    Scan,
)
from portcall.formats.known import load_formats
from tests.portcall.sources.notifications import body, cases, only, parse

FORMATS = load_formats()
DIGEST = "sha256:" + "9e2c" * 16
PUSH = RegistryEvent(
    id="e1",
    source="eu",
    kind="distribution",
    type="artifact.pushed",
    occurred_at=datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
    received_at=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC),
    registry="hub.example",
    repository="prj/api/web",
    tags=("1.4.2",),
    digest=DIGEST,
    actor="alice",
    visibility="private",
)


def rendered(name, event):
    return json.loads(FORMATS[name].render(event).body)


def but(**changes):
    return PUSH.model_copy(update=changes)


def test_the_built_in_formats_are_there_under_their_names():
    names = {"default", "harbor", "cloudevents", "raw", "slack", "teams", "discord", "github"}
    assert FORMATS.keys() >= names
    assert all(known.name == name for name, known in FORMATS.items())
    assert {name for name, known in FORMATS.items() if known.needs_raw} == {"harbor", "raw"}


def test_the_default_format_is_the_proposals_message_key_for_key():
    message = FORMATS["default"].render(PUSH)
    assert message.content_type == "application/json"
    assert message.body == (
        b'{"events":[{"project":"prj","repoName":"api/web","tag":"1.4.2",'
        b'"fullName":"prj/api/web","triggerTime":1767323045678,'
        b'"imageId":"' + b"9e2c" * 16 + b'","projectType":"PRIVATE","eventType":"PUSH"}]}'
    )


def test_the_default_format_has_one_item_for_each_tag():
    message = rendered("default", but(tags=("1", "1.4", "latest")))
    assert [item["tag"] for item in message["events"]] == ["1", "1.4", "latest"]
    assert {item["imageId"] for item in message["events"]} == {"9e2c" * 16}


def test_the_default_format_says_nothing_with_an_empty_string():
    bare = but(repository=None, tags=(), digest=None, visibility=None, type="quota.exceeded")
    [item] = rendered("default", bare)["events"]
    assert item.pop("triggerTime") == 1767323045678
    assert item == {
        "project": "",
        "repoName": "",
        "tag": "",
        "fullName": "",
        "imageId": "",
        "projectType": "",
        "eventType": "QUOTA_EXCEEDED",
    }


@pytest.mark.parametrize(
    ("event_type", "word"),
    [
        ("artifact.pushed", "PUSH"),
        ("artifact.pulled", "PULL"),
        ("artifact.deleted", "DELETE"),
        ("tag.deleted", "DELETE"),
        ("chart.pushed", "UPLOAD"),
        ("scan.completed", "SCAN_COMPLETED"),
        ("distribution.own-thing", "OWN_THING"),
    ],
)
def test_the_default_format_words_each_type_of_event(event_type, word):
    assert rendered("default", but(type=event_type))["events"][0]["eventType"] == word


@pytest.mark.parametrize(
    ("project", "repository", "parts"),
    [
        (None, "prj/api/web", ("prj", "api/web")),
        ("prj", "prj/api/web", ("prj", "api/web")),
        (None, "web", ("", "web")),
        ("prj", "web", ("prj", "web")),
        ("prj", None, ("prj", "")),
    ],
)
def test_a_repository_is_split_into_project_and_name(project, repository, parts):
    [item] = rendered("default", but(project=project, repository=repository))["events"]
    assert (item["project"], item["repoName"]) == parts


@pytest.mark.parametrize("case", cases("proposal"))
def test_what_the_default_format_sends_is_read_back_by_the_kind_proposal(case):
    for event in parse("proposal", body("proposal", case)).events:
        again = only("proposal", FORMATS["default"].render(event).body)
        unlike = {"id", "raw", "native_type", "attributes"}
        assert again.model_dump(exclude=unlike) == event.model_dump(exclude=unlike)
        if "image_id" in event.attributes:
            assert again.attributes["image_id"] == event.attributes["image_id"]


@pytest.mark.parametrize("case", cases("harbor"))
def test_the_harbor_format_passes_on_what_harbor_sent_in_its_default_format(case):
    sent = body("harbor", case)
    parsed = parse("harbor", sent)
    is_cloud_event = "specversion" in json.loads(sent)
    for event in parsed.events:
        message = FORMATS["harbor"].render(event)
        assert message.content_type == "application/json"
        if is_cloud_event:
            passed_on = json.loads(message.body)
            assert passed_on["event_data"] == json.loads(sent)["data"]
            assert passed_on["type"].isupper()
            again = only("harbor", message.body)
            unlike = {"id", "raw", "native_type", "correlation_id"}
            if case == "cloudevent-unforeseen":
                unlike |= {"type"}
            assert again.model_dump(exclude=unlike) == event.model_dump(exclude=unlike)
        else:
            assert message.body == sent


OTHER_SHAPES = {"cloudevent-unforeseen", "legacy-scan-by-clair", "replication-first-release"}


@pytest.mark.parametrize("case", [c for c in cases("harbor") if c not in OTHER_SHAPES])
def test_without_the_original_the_harbor_format_says_the_same_to_a_reader_of_harbors(case):
    for event in parse("harbor", body("harbor", case)).events:
        again = only("harbor", FORMATS["harbor"].render(event.without_raw()).body)
        alike = {"type", "actor", "repository", "tags", "digest", "visibility", "quota", "scan"}
        alike |= {"retention", "replication"}
        assert again.model_dump(include=alike) == event.model_dump(include=alike)


def test_the_harbor_format_writes_a_push_to_another_registry_in_harbors_shape():
    assert FORMATS["harbor"].render(PUSH).body.decode() == json.dumps(
        {
            "type": "PUSH_ARTIFACT",
            "occur_at": 1767323045,
            "operator": "alice",
            "event_data": {
                "resources": [
                    {
                        "digest": DIGEST,
                        "tag": "1.4.2",
                        "resource_url": "hub.example/prj/api/web:1.4.2",
                    }
                ],
                "repository": {
                    "name": "api/web",
                    "namespace": "prj",
                    "repo_full_name": "prj/api/web",
                    "repo_type": "private",
                },
            },
        },
        separators=(",", ":"),
    )


def test_the_harbor_format_puts_the_digest_in_place_of_a_missing_tag():
    [resource] = rendered("harbor", but(tags=()))["event_data"]["resources"]
    assert resource["tag"] == DIGEST
    assert resource["resource_url"] == f"hub.example/prj/api/web@{DIGEST}"


def test_the_harbor_format_has_no_address_without_a_host():
    [resource] = rendered("harbor", but(registry=None))["event_data"]["resources"]
    assert resource == {"digest": DIGEST, "tag": "1.4.2"}


def test_the_harbor_format_writes_a_scan():
    scan = Scan(
        kind="vulnerability",
        status="completed",
        severity="High",
        total=3,
        fixable=1,
        counts={"High": 1, "Low": 2},
        scanner="Trivy",
    )
    message = rendered("harbor", but(type="scan.completed", scan=scan, tags=()))
    assert message["type"] == "SCANNING_COMPLETED"
    assert message["event_data"]["scan"] == {"scan_type": "vulnerability"}
    [resource] = message["event_data"]["resources"]
    assert "tag" not in resource
    assert resource["scan_overview"] == {
        "application/vnd.security.vulnerability.report; version=1.1": {
            "report_id": "",
            "scan_status": "Success",
            "severity": "High",
            "duration": 0,
            "summary": {"total": 3, "fixable": 1, "summary": {"High": 1, "Low": 2}},
            "start_time": "0001-01-01T00:00:00Z",
            "end_time": "0001-01-01T00:00:00Z",
            "scanner": {"name": "Trivy", "vendor": "", "version": ""},
            "complete_percent": 100,
        }
    }


def test_the_harbor_format_writes_a_bill_of_materials():
    message = rendered("harbor", but(type="scan.failed", scan=Scan(kind="sbom", status="failed")))
    [resource] = message["event_data"]["resources"]
    assert resource["sbom_overview"] == {"report_id": "", "scan_status": "Error"}
    assert "scan_overview" not in resource


@pytest.mark.parametrize(
    ("status", "job_status", "list_name"),
    [
        ("succeeded", "Success", "successful_artifact"),
        ("failed", "Error", "failed_artifact"),
        ("running", "Running", None),
        (None, "Odd", None),
    ],
)
def test_the_harbor_format_writes_a_replication(status, job_status, list_name):
    replication = Replication(
        status=status,
        native_status="Odd",
        source_registry="dr",
        destination_namespace="prj",
        task_id="77",
        references=("1.4.2",),
    )
    event = but(type="replication.changed", replication=replication)
    data = rendered("harbor", event)["event_data"]["replication"]
    assert data["job_status"] == job_status
    assert data["src_resource"]["registry_name"] == "dr"
    assert data["dest_resource"]["namespace"] == "prj"
    assert data["task_id"] == 77
    lists = {name for name in data if name.endswith("_artifact")}
    assert lists == ({list_name} if list_name else set())
    if list_name:
        [artifact] = data[list_name]
        assert artifact["name_tag"] == "api/web [1 item(s) in total]"
        assert artifact["references"] == ["1.4.2"]


def test_the_harbor_format_leaves_out_a_task_id_that_is_no_number():
    event = but(type="replication.changed", replication=Replication(task_id="a-b"))
    assert "task_id" not in rendered("harbor", event)["event_data"]["replication"]


def test_the_harbor_format_writes_retention_and_quota():
    retention = Retention(total=9, retained=8, deleted=("prj/api/web:1.3.0",))
    data = rendered("harbor", but(type="retention.finished", retention=retention))["event_data"]
    assert data["retention"]["project_name"] == "prj"
    assert data["retention"]["result"] == "SUCCESS"
    [deleted] = data["retention"]["deleted_artifact"]
    assert (deleted["name_tag"], deleted["references"]) == ("api/web:1.3.0", None)
    quota = Quota(details="reached 85%")
    warned = rendered("harbor", but(type="quota.warned", quota=quota, tags=(), digest=None))
    assert warned["type"] == "QUOTA_WARNING"
    assert warned["event_data"]["custom_attributes"] == {"Details": "reached 85%"}
    assert "resources" not in warned["event_data"]
    alone = rendered("harbor", but(type="quota.warned", quota=quota, repository=None))
    assert alone["event_data"].keys() == {"resources", "custom_attributes"}


def test_a_cut_original_is_not_passed_on_as_harbors_message():
    cut = RawOriginal.of(b'{"type": "PUSH_ARTIFACT"' + b" " * RAW_LIMIT + b"}")
    assert rendered("harbor", but(kind="harbor", raw=cut))["type"] == "PUSH_ARTIFACT"


def test_the_official_library_reads_our_cloudevent():
    event = but(occurred_at=PUSH.occurred_at.astimezone(timezone(timedelta(hours=2))))
    message = FORMATS["cloudevents"].render(event)
    assert message.content_type == "application/cloudevents+json"
    headers = {"content-type": message.content_type}
    read = from_http_event(HTTPMessage(headers=headers, body=message.body))
    assert read.get_id() == "e1"
    assert read.get_source() == "/portcall/sources/eu"
    assert read.get_type() == "portcall.artifact.pushed"
    assert read.get_subject() == "prj/api/web:1.4.2"
    assert read.get_time() == PUSH.occurred_at
    assert RegistryEvent.model_validate(read.get_data()) == event


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"tags": ("a", "b")}, f"prj/api/web@{DIGEST}"),
        ({"tags": ()}, f"prj/api/web@{DIGEST}"),
        ({"tags": (), "digest": None}, "prj/api/web"),
        ({"repository": None, "project": "prj"}, f"prj:{PUSH.tags[0]}"),
        ({"repository": None}, None),
    ],
)
def test_a_cloudevents_subject_is_as_exact_as_the_event(changes, subject):
    assert rendered("cloudevents", but(**changes)).get("subject") == subject


def test_the_raw_format_gives_the_registrys_own_bytes_under_their_own_type():
    raw = RawOriginal.of(b"\xff\x00{", "application/vnd.own+json")
    message = FORMATS["raw"].render(but(raw=raw))
    assert (message.content_type, message.body) == ("application/vnd.own+json", b"\xff\x00{")
    assert message.headers == ()


def test_the_raw_format_tells_the_size_of_an_original_that_was_cut():
    message = FORMATS["raw"].render(but(raw=RawOriginal.of(b"x" * (RAW_LIMIT + 1))))
    assert len(message.body) == RAW_LIMIT
    assert message.headers == (("portcall-raw-size", str(RAW_LIMIT + 1)),)


names = st.none() | st.text(max_size=20)
replications = st.builds(Replication, status=names, task_id=names, references=st.just(("a",)))
anything = st.builds(
    RegistryEvent,
    id=st.text(min_size=1, max_size=20),
    source=st.just("eu"),
    kind=st.sampled_from(("harbor", "quay")),
    type=st.sampled_from(("artifact.pushed", "scan.failed", "x")) | st.text(min_size=1),
    occurred_at=st.datetimes(timezones=st.just(UTC)),
    received_at=st.just(PUSH.received_at),
    registry=names,
    project=names,
    repository=names,
    tags=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    digest=names,
    scan=st.none() | st.builds(Scan, kind=names, status=names, total=st.none() | st.integers()),
    replication=st.none() | replications,
    retention=st.none() | st.builds(Retention, deleted=st.lists(st.text()).map(tuple)),
    quota=st.none() | st.builds(Quota, details=names),
    raw=st.none() | st.dictionaries(st.text(), st.text()).map(lambda d: RawOriginal.of(
        json.dumps(d).encode())),
)  # fmt: skip


@given(anything, st.sampled_from(sorted(FORMATS)))
def test_no_event_makes_a_format_fail(event, name):
    message = FORMATS[name].render(event)
    if name != "raw":
        assert isinstance(json.loads(message.body), dict)


def test_another_package_adds_a_format(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "portcall_formats_more.py").write_text(
        "class Mine:\n"
        "    name = 'mine'\n"
        "    needs_raw = False\n"
        "    def render(self, event): ...\n"
        "class Broken(Mine):\n"
        "    name = 'no name'\n"
    )
    metadata = tmp_path / "portcall_formats_more-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: more\nVersion: 1.0\n")
    declared = metadata / "entry_points.txt"
    declared.write_text("[portcall.formats]\nmine = portcall_formats_more:Mine\n")
    assert load_formats()["mine"].needs_raw is False
    declared.write_text("[portcall.formats]\nmine = portcall_formats_more:Broken\n")
    with pytest.raises(ConfigurationError, match=r"'mine' in 'portcall.formats' of"):
        load_formats()
