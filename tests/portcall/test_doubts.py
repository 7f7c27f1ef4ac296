import pytest
from hypothesis import given

from portcall.conditions.doubts import Known, doubts
from portcall.event_types import EVENT_TYPES
from portcall.policies import Policy
from portcall.sources.harbor_names import NATIVE_TYPES
from tests.portcall.sources.notifications import KINDS, cases, recorded
from tests.strategies import policies

KNOWN = Known(kinds=["harbor", "quay"], sources=["harbor-eu", "quay-us"])


def doubts_of(match=None, exclude=(), known=KNOWN):
    policy = {"name": "p", "targets": ["t"], "match": match or {}, "exclude": list(exclude)}
    return doubts(Policy.model_validate(policy), known)


@pytest.mark.parametrize(
    "match",
    [
        {},
        {"event_types": list(EVENT_TYPES), "sources": ["portcall", "harbor-eu"]},
        {"event_types": ["source.*", "*.rejected"]},
        {"event_types": ["delivery.*"], "sources": ["portcall"], "kind": "portcall", "tag": "v1"},
        {"event_types": ["artifact.*", "*.failed", "*", "harbor.odd", "quay.*"]},
        {"sources": ["harbor-eu"]},
        {"tag": ["v1.2", {"glob": "v[/:]*.{1,2}?"}, {"not": {"regex": "a/b"}}, {"semver": "1.x"}]},
        {"repository": ["prod/app", {"glob": "prod-eu*/**"}]},
        {"digest": {"glob": "sha256:*"}},
        {"digest": "sha256:0a1b", "platform": "linux/arm64", "visibility": "private"},
        {"kind": ["harbor", {"glob": "acme-*"}], "replication": {"status": ["failed", "stopped"]}},
        {"tag": {"regex": r"v\d+.*"}, "repository": {"regex": "prod/[a-z]*/app|live/.*"}},
        {"event_types": ["scan.*", "artifact.pushed"], "scan": {"total": {"gt": 0}}, "tag": "v1"},
        {"event_types": ["artifact.pushed"], "scan": {"status": {"not": "Error"}}},
        {"event_types": ["harbor.odd"], "scan": {"total": {"gt": 0}}, "quota": {"used": {"gt": 0}}},
        {"event_types": ["quota.*"], "tag": "v1", "tagged": True},  # Harbor names what was refused
        {"event_types": ["referrer.*"], "tagged": False},
        {"event_types": ["repository.*"], "tag": {"not": "latest"}},
    ],
)
def test_what_can_be_meant_is_not_doubted(match):
    assert doubts_of(match) == []


@pytest.mark.parametrize(
    ("match", "told"),
    [
        (
            {"event_types": ["scan.*", "artifact.push"]},
            "event_types.1: no event is called artifact.push, did you mean artifact.pushed?",
        ),
        ({"event_types": ["push"]}, "event_types.0: no event is called push"),
        ({"event_types": ["image.*"]}, "event_types.0: no event is called image.*"),
        ({"sources": ["harbor-us"]}, "sources.0: there is no source harbor-us, did you mean "),
        ({"sources": ["xyz"]}, "sources.0: there is no source xyz"),
        (
            {"sources": ["quay"]},
            "sources.0: there is no source quay; if the kind is meant, write kind: quay",
        ),
        (
            {"event_types": ["artifact.pushed", "delivery.*"]},
            "event_types.1: delivery.* is what Portcall tells of itself, to policies with sources",
        ),
        (
            {"event_types": ["source.silent"], "sources": ["harbor-eu"]},
            "event_types.0: source.silent is what Portcall tells of itself",
        ),
        ({"kind": "harbour"}, "kind: never harbour, but one of: harbor, quay"),
        ({"visibility": "internal"}, "visibility: never internal, but one of: private, public"),
        (
            {"replication": {"status": ["failed", {"not": "Stopped"}]}},
            "replication.status: never Stopped, but one of: failed, running, stopped, succeeded",
        ),
        (
            {"event_types": ["artifact.*"], "scan": {"severity": {"at_least": "high"}}},
            "scan.severity: no event that is wanted here has a scan; scan.*, vulnerability.found ",
        ),
        (
            {"scan": {"total": {"gt": 0}}, "quota": {"percent": {"gt": 90}}},
            "quota.percent: no event that is wanted here has a quota; quota.* do",
        ),
        (
            {"event_types": ["blob.*", "referrer.pushed"], "tag": "v1"},
            "tag: no event that is wanted here has a tag",
        ),
        (
            {"tag": {"regex": "/v.*/"}},
            "tag: /v.*/ begins with a slash, as no tag does: leave out slashes around a regex",
        ),
        (
            {"tag": {"regex": r"v\\d+"}},
            r"tag: v\\d+ looks for a backslash: only in double quotes is one written \\",
        ),
        (
            {"repository": {"not": {"regex": "prod/*"}}},
            "repository: prod/* looks like a glob: in a regex, * repeats what stands before it",
        ),
        ({"repository": "prod/"}, "repository: prod/ is not a whole repository, such as prod/app"),
        ({"repository": {"glob": "/prod/*"}}, "repository: /prod/ holds '/', which hardly stands"),
        ({"repository": "Prod/app"}, "repository: Prod/app holds 'P', which hardly stands in a "),
        ({"platform": "arm64"}, "platform: arm64 is not a whole platform, such as linux/arm64"),
        ({"digest": "0a1b"}, "digest: 0a1b is not a whole digest, such as sha256:…"),
        ({"tag": {"glob": "prod/v*"}}, "tag: prod/v holds '/', which hardly stands in a tag"),
        ({"tag": "prod/app:v1"}, "tag: prod/app:v1 holds '/', which hardly stands in a tag"),
        ({"tag": {"not": ["a", "b c"]}}, "tag: b c holds ' ', which hardly stands in a tag"),
        ({"tag": {"glob": "v[0-9]+"}}, "tag: v+ holds '+', which hardly stands in a tag"),
        ({"tag": [{"in": ["é"]}]}, "tag: é holds 'é', which hardly stands in a tag"),
        ({"repository": "app:v1"}, "repository: app:v1 holds ':', which hardly stands in a "),
        (
            {"repository": {"glob": "registry.example/prod/*"}},
            "repository: registry.example/prod/ holds 'registry.example/', which hardly stands in",
        ),
    ],
)
@pytest.mark.parametrize("place", ["match", "exclude.0"])
def test_what_can_hardly_be_meant_is_told_with_its_place(match, told, place):
    found = doubts_of(match) if place == "match" else doubts_of(exclude=[match])
    assert len(found) == 1
    assert found[0].startswith(f"{place}.{told}")


def test_a_wanted_tag_of_events_that_have_none_is_told():
    assert doubts_of({"event_types": ["repository.*"], "tagged": True}) == [
        "match.tagged: no event that is wanted here has a tag"
    ]


@pytest.mark.parametrize(
    ("kind", "case"), [(kind, case) for kind in sorted(KINDS) for case in cases(kind)]
)
def test_what_a_recorded_event_has_is_not_doubted(kind, case):
    known = Known(kinds=KINDS, sources=[])
    for event in KINDS[kind].parse(recorded(kind, case)).events:
        has = {part: {"status": {"regex": ".*"}} for part in ("scan", "replication", "retention")}
        has["quota"] = {"used": {"gte": 0}}
        match = {part: has[part] for part in has if getattr(event, part) is not None}
        tag = {"tag": {"in": event.tags}} if event.tags else {}
        assert doubts_of({"event_types": [event.type], **match, **tag}, known=known) == []


@given(policies)
def test_any_policy_can_be_doubted(policy):
    assert all(text.startswith(("match.", "exclude.")) for text in doubts(policy, KNOWN))


def test_what_the_kinds_call_events_is_known():
    assert set(NATIVE_TYPES.values()) <= set(EVENT_TYPES)
