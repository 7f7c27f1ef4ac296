import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from portcall.errors import NotificationError
from portcall.sources.github import Github
from tests.portcall.sources.notifications import (
    RECEIVED,
    facts,
    only,
    parse,
    recorded,
    recording,
    sent,
)

DIGEST = "sha256:" + "1" * 64
PUSHED = recording("github", "package-published")


def changed(package=None, version=None, **body):
    """Give the recorded push with other members in it."""
    inner = PUSHED["package"] | (package or {})
    if version:
        inner = inner | {"package_version": inner["package_version"] | version}
    return PUSHED | {"package": inner} | body


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (
            "package-published",
            {
                "id": "72d3162e-cc78-11e3-81ab-000000000001",
                "type": "artifact.pushed",
                "native_type": "package.published",
                "occurred_at": datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC),
                "registry": "ghcr.io",
                "project": "acme",
                "repository": "acme/web",
                "tags": ("1.4.2",),
                "digest": DIGEST,
                "media_type": "application/vnd.oci.image.manifest.v1+json",
                "artifact_type": "application/vnd.oci.image.config.v1+json",
                "size": 1782,
                "actor": "alice",
                "url": "https://github.example.test/orgs/Acme/packages/container/web/555",
                "attributes": {
                    "version_id": 555,
                    "image_size": 30004500,
                    "image_source": "https://github.example.test/Acme/web",
                    "image_revision": "5" * 40,
                    "code_repository": "Acme/web",
                },
            },
        ),
        ("package-updated", {"type": "artifact.pushed", "tags": ("latest",)}),
        (
            "registry-package-published",
            {"type": "artifact.pushed", "native_type": "registry_package.published"},
        ),
        (
            "index-published",
            {
                "tags": ("1.4.2",),
                "media_type": "application/vnd.oci.image.index.v1+json",
                "artifact_type": None,
            },
        ),
        ("index-child-published", {"tags": (), "digest": "sha256:" + "2" * 64}),
        (
            "without-version",
            {
                "repository": "acme/web",
                "tags": (),
                "digest": None,
                "registry": None,
                "url": "https://github.example.test/orgs/Acme/packages/container/web/101",
            },
        ),
        ("without-metadata", {"tags": ("1.4.2",), "digest": DIGEST, "size": None}),
        ("nested-name", {"project": "acme", "repository": "acme/team/web"}),
        ("docker-package-published", {"repository": "acme/shop/web", "tags": ("1.0",)}),
        (
            "unforeseen-action",
            {"type": "github.package.deleted", "native_type": "package.deleted"},
        ),
    ],
)
def test_what_github_sends_is_understood(case, expected):
    event = only("github", recorded("github", case))
    assert facts(event, expected) == expected
    assert event.kind == "github"
    assert event.raw is not None
    assert event.raw.content() == recorded("github", case).body


@pytest.mark.parametrize("case", ["ping", "npm-package-ping", "other-event-ping"])
def test_what_is_about_no_image_is_accepted_and_starts_nothing(case):
    parsed = parse("github", recorded("github", case))
    assert (parsed.events, parsed.refusals) == ((), ())


def test_other_events_are_not_even_read():
    headers = {"x-github-event": "workflow_run"}
    assert parse("github", sent(b"not JSON", headers)).events == ()


@pytest.mark.parametrize("word", ["CONTAINER", "container", "docker", "Docker"])
def test_the_case_of_a_packages_type_does_not_matter(word):
    event = only("github", changed({"package_type": word}))
    assert event.repository == "acme/web"


def test_a_form_is_read_like_the_json_in_it():
    as_json = recorded("github", "package-published")
    form = urlencode({"payload": as_json.body.decode()}).encode()
    headers = {**as_json.headers, "content-type": "application/x-www-form-urlencoded"}
    event = only("github", recorded("github", "package-published", body=form, headers=headers))
    plain = only("github", as_json)
    assert event.without_raw() == plain.without_raw()
    assert event.raw is not None
    assert (event.raw.content(), event.raw.content_type) == (form, headers["content-type"])


@pytest.mark.parametrize(
    "form",
    [b"", b"payload=", b"other=1", b"payload=%ff", b"\xff", b"a=1&" * 20],
    ids=["empty", "empty field", "other field", "no UTF-8", "no ASCII", "many fields"],
)
def test_a_form_without_a_payload_is_refused(form):
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    with pytest.raises(NotificationError) as refused:
        parse("github", sent(form, headers))
    assert (refused.value.reason, refused.value.field) == ("not_a_form", "payload")


def test_a_redelivery_is_the_same_event_and_a_second_delivery_another():
    once = recorded("github", "package-published")
    later = recorded("github", "package-published", received_at=RECEIVED + timedelta(days=2))
    other = {**once.headers, "x-github-delivery": "another"}
    ids = [
        only("github", notification).id
        for notification in (once, later, recorded("github", "package-published", headers=other))
    ]
    assert ids[0] == ids[1] != ids[2]


def test_without_a_delivery_id_the_body_is_the_identity():
    ids = {
        only("github", body).id
        for body in (PUSHED, PUSHED, changed({"updated_at": "2025-06-15T15:06:41Z"}))
    }
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("package", "version", "expected"),
    [
        ({}, {"package_url": "ghcr.io/Acme/web:"}, {"tags": ("1.4.2",)}),
        ({}, {"package_url": "", "container_metadata": None}, {"tags": (), "digest": DIGEST}),
        (
            {},
            {"package_url": "ghcr.io/Acme/web:", "container_metadata": {"tag": {"name": ""}}},
            {"tags": (), "digest": DIGEST, "registry": "ghcr.io"},
        ),
        ({}, {"container_metadata": {"manifest": {"digest": DIGEST}}}, {"digest": DIGEST}),
        ({"updated_at": "0001-01-01T00:00:00Z"}, {}, {"occurred_at": RECEIVED}),
        ({"updated_at": None}, {}, {"occurred_at": RECEIVED}),
        ({"package_type": None}, {}, {"repository": "acme/web"}),
        ({"package_type": "npm", "ecosystem": "docker"}, {}, {"repository": "acme/web"}),
        (
            {"owner": None, "namespace": "Acme"},
            {"package_url": None},
            {"project": "acme", "repository": "acme/web", "tags": ("1.4.2",)},
        ),
        (
            {"package_type": "docker"},
            {"version": "1.0", "package_url": None, "container_metadata": None},
            {"tags": ("1.0",), "digest": None},
        ),
    ],
)
def test_what_github_leaves_out_is_found_elsewhere_or_absent(package, version, expected):
    event = only("github", changed(package, version))
    assert facts(event, expected) == expected


@pytest.mark.parametrize("action", ["published", "updated", "create"])
def test_every_word_for_a_push_is_one(action):
    assert only("github", PUSHED | {"action": action}).type == "artifact.pushed"


def test_escaped_characters_are_what_they_stand_for():
    written = json.dumps(changed({"owner": {"login": "A<b"}, "package_version": None}))
    event = only("github", sent(written.replace("<", "\\u003c").encode()))
    assert event.repository == "a<b/web"


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({}, "package", "missing_field"),
        ({"package": None}, "package", "wrong_type"),
        (changed({"package_type": "", "ecosystem": None}), "package.package_type", "missing_field"),
        (changed(action=""), "action", "missing_field"),
        (
            changed({"owner": None, "namespace": None, "package_version": None}),
            "package.owner.login",
            "missing_field",
        ),
        (changed({"name": 7, "package_version": None}), "package.name", "wrong_type"),
        (changed({"updated_at": "soon"}), "package.updated_at", "wrong_type"),
        (
            changed(version={"package_url": 7}),
            "package.package_version.package_url",
            "wrong_type",
        ),
        (
            changed(version={"package_url": "ghcr.io/a/b@c"}),
            "package.package_version.package_url",
            "wrong_type",
        ),
        (
            changed(version={"package_url": "ghcr.io/" + "a" * 256}),
            "package.package_version.package_url",
            "too_long",
        ),
        (
            changed(version={"container_metadata": {"tag": {"digest": "1.4.2"}}}),
            "package.package_version.container_metadata.tag.digest",
            "wrong_type",
        ),
    ],
)
def test_a_refusal_names_the_field(body, field, reason):
    with pytest.raises(NotificationError) as refused:
        parse("github", body)
    assert (refused.value.field, refused.value.reason) == (field, reason)


def test_github_signs_in_hex_with_a_prefix_and_may_send_25_mib():
    signature = Github.signature
    assert (signature.header, signature.algorithm, signature.encoding, signature.prefix) == (
        "X-Hub-Signature-256",
        "sha256",
        "hex",
        "sha256=",
    )
    assert Github.body_limit == 25 * 1024 * 1024
