import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from portcall.events import RegistryEvent, Verification
from portcall.policies import Policy, Source
from portcall.ports import Manifest
from portcall.verification import (
    awaiting_verification,
    claimed,
    denial,
    facts_of,
    image_config,
    is_own_pull,
    malformed,
    platforms_of_image,
    unverified,
    verified,
    wants_tags,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE, TWO = ("sha256:" + digit * 64 for digit in "12")
INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def an_event(event_type="artifact.pushed", **fields):
    values = {"repository": "prod/app", "tags": ("v1",), "digest": ONE, **fields}
    return RegistryEvent(
        id="1", source="s", kind="k", type=event_type, occurred_at=NOW, received_at=NOW, **values
    )


def a_manifest(document, media_type=None):
    return Manifest(ONE, media_type, json.dumps(document).encode())


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (an_event(), True),
        (an_event(tags=()), True),
        (an_event(digest=None), True),
        (an_event("artifact.deleted"), True),
        (an_event("artifact.promoted"), True),
        (an_event("tag.deleted", digest=None), True),
        (an_event("referrer.pushed"), True),
        (an_event("scan.completed"), True),
        (an_event("artifact.pulled"), False),
        (an_event("blob.pushed"), False),
        (an_event("quota.exceeded"), False),
        (an_event("harbor.label_added"), False),
        (an_event(repository=None), False),
        (an_event(tags=(), digest=None), False),
        (an_event("tag.deleted", tags=()), True),
    ],
)
def test_only_what_a_registry_can_confirm_awaits_verification(event, expected):
    marked = awaiting_verification(event)
    assert (marked.verification == Verification(state="pending")) is expected
    assert marked.model_copy(update={"verification": None}) == event


@pytest.mark.parametrize(
    ("event_type", "user_agent", "expected"),
    [
        ("artifact.pulled", "Portcall/1.0", True),
        ("artifact.pulled", "containerd/2", False),
        ("artifact.pulled", None, False),
        ("artifact.pulled", 7, False),
        ("artifact.pushed", "Portcall/1.0", False),
    ],
)
def test_portcalls_own_pulls_are_known_by_their_user_agent(event_type, user_agent, expected):
    event = an_event(event_type, attributes={"user_agent": user_agent})
    assert is_own_pull(event) is expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (an_event(tags=("v1", "v2")), ("v1", "v2")),
        (an_event(tags=()), (ONE,)),
        (an_event("artifact.deleted"), (ONE,)),
        (an_event("artifact.deleted", digest=None), ("v1",)),
        (an_event("tag.deleted"), ("v1",)),
    ],
)
def test_a_claim_is_about_the_tags_and_of_a_deleted_artifact_about_the_digest(event, expected):
    assert claimed(event) == expected


@pytest.mark.parametrize(
    ("event", "reference", "digest", "why"),
    [
        (an_event(), "v1", ONE, None),
        (an_event(), "v1", TWO, f"prod/app:v1 is at {TWO} now"),
        (an_event(), "v1", None, "the registry has no prod/app:v1"),
        (an_event(digest=None), "v1", TWO, None),
        (an_event(tags=()), ONE, ONE, None),
        (an_event(tags=()), ONE, None, f"the registry has no prod/app@{ONE}"),
        (an_event("tag.deleted", digest=None), "v1", None, None),
        (an_event("tag.deleted"), "v1", TWO, "the registry still has prod/app:v1"),
        (an_event("artifact.deleted"), ONE, ONE, f"the registry still has prod/app@{ONE}"),
    ],
)
def test_what_the_registry_answers_confirms_or_denies(event, reference, digest, why):
    assert denial(event, reference, digest) == why


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, None),
        ({"repository": "a/b-c/d__e/f.g"}, None),
        ({"tags": ()}, None),
        ({"repository": "../../v2/other"}, "../../v2/other is not a repository's name"),
        ({"repository": "a//b"}, "a//b is not a repository's name"),
        ({"repository": "Prod/App"}, "Prod/App is not a repository's name"),
        ({"repository": "a?n=1"}, "a?n=1 is not a repository's name"),
        ({"tags": ("v1", "../x")}, "../x is not a tag"),
        ({"tags": ("é",)}, "é is not a tag"),
        ({"tags": ("a" * 129,)}, "a" * 129 + " is not a tag"),
    ],
)
def test_what_is_no_name_never_gets_into_a_url(fields, why):
    assert malformed(an_event(**fields)) == why


def test_what_the_registry_says_goes_before_the_claim():
    event = an_event(digest=None, media_type="claimed", platforms=("linux/claimed",))
    document = {"schemaVersion": 2, "mediaType": IMAGE, "config": {"mediaType": CONFIG}}
    manifest = a_manifest(document)
    seen = verified(event, **facts_of(manifest))
    assert seen.verification == Verification(state="verified")
    assert (seen.digest, seen.media_type, seen.platforms) == (ONE, IMAGE, ())
    assert (seen.artifact_type, seen.size) == (None, len(manifest.content))


def test_an_index_names_the_platforms_of_its_images():
    children = [
        {"platform": {"os": "linux", "architecture": "amd64"}},
        {"platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
        {"platform": {"os": "linux", "architecture": "amd64"}},
        {"platform": {"os": "unknown", "architecture": "unknown"}},
        {"platform": 7},
        {"platform": {"os": 7}},
        {},
        7,
    ]
    facts = facts_of(a_manifest({"mediaType": INDEX, "manifests": children}))
    assert facts["platforms"] == ("linux/amd64", "linux/arm/v7")


@pytest.mark.parametrize(
    ("document", "media_type", "expected"),
    [
        ({"mediaType": IMAGE, "artifactType": "x/sbom"}, "text/plain", (IMAGE, "x/sbom")),
        ({"config": {"mediaType": "x/chart"}}, IMAGE, (IMAGE, "x/chart")),
        ({"config": {"mediaType": CONFIG}}, None, (None, None)),
        ({"config": 7, "artifactType": 7}, None, (None, None)),
    ],
)
def test_the_artifacts_type_is_its_own_or_that_of_its_config(document, media_type, expected):
    facts = facts_of(a_manifest(document, media_type))
    assert (facts["media_type"], facts["artifact_type"]) == expected


def test_of_a_manifest_that_cannot_be_read_only_the_digest_is_known():
    assert facts_of(Manifest(ONE, IMAGE, b"")) == {"digest": ONE}
    assert facts_of(Manifest(ONE, IMAGE, b"[]")) == {"digest": ONE}


def test_an_image_says_its_platform_in_its_config():
    document = {"config": {"mediaType": CONFIG, "digest": TWO}}
    assert image_config(a_manifest(document)) == TWO
    assert image_config(a_manifest({"config": {"mediaType": "x/chart", "digest": TWO}})) is None
    assert image_config(a_manifest({"config": {"mediaType": CONFIG, "digest": "../x"}})) is None
    assert image_config(a_manifest({"config": {"mediaType": CONFIG}})) is None
    assert image_config(a_manifest({})) is None
    config = json.dumps({"os": "linux", "architecture": "arm64", "rootfs": {}}).encode()
    assert platforms_of_image(config) == ("linux/arm64",)
    assert platforms_of_image(b"no json") == ()
    assert platforms_of_image(None) == ()


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (an_event("scan.completed", tags=()), True),
        (an_event("artifact.promoted", tags=()), True),
        (an_event("scan.completed"), False),
        (an_event(tags=()), False),
        (an_event("artifact.deleted", tags=()), False),
    ],
)
def test_the_tags_of_a_digest_are_looked_up_unless_it_was_pushed_or_is_gone(event, expected):
    assert wants_tags(event) is expected


def test_an_unverified_event_is_as_it_was_claimed_with_the_reason():
    seen = unverified(an_event(), "no such \x00 thing" + "x" * 2000)
    assert seen.verification is not None
    assert seen.verification.state == "unverified"
    assert seen.verification.reason is not None
    assert seen.verification.reason.startswith("no such \ufffd thing")
    assert len(seen.verification.reason) == 1000
    assert seen.model_copy(update={"verification": None}) == an_event()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                ["config", "manifests", "platform", "mediaType", "artifactType", "digest", "os"]
            ),
            inner,
        )
    ),
    max_leaves=20,
)


@given(json_values.map(json.dumps).map(str.encode) | st.binary() | st.just(b"[" * 100_000))
def test_no_answer_of_a_registry_can_crash_the_reading(content):
    manifest = Manifest(ONE, None, content)
    event = verified(an_event(), **facts_of(manifest))
    assert RegistryEvent.model_validate_json(event.model_dump_json()) == event
    assert image_config(manifest) is None or image_config(manifest)
    assert isinstance(platforms_of_image(content), tuple)


def test_the_documented_source_and_policy_are_such():
    page = (Path(__file__).parents[2] / "docs" / "verification.md").read_text()
    source, policy = (yaml.safe_load(block.split("```")[0]) for block in page.split("```yaml")[1:])
    assert Source.model_validate(source["sources"][0]).verify is not None
    assert Policy.model_validate(policy["policies"][0]).match.verification == ["unverified"]
