import pytest
from hypothesis import given

from portcall.conditions.doubts import Known, doubts
from portcall.event_types import EVENT_TYPES
from portcall.policies import Policy
from portcall.sources.harbor_names import NATIVE_TYPES
from tests.strategies import policies

KNOWN = Known(kinds=["harbor", "quay"], sources=["harbor-eu", "quay-us"])


def doubts_of(match=None, exclude=()):
    policy = {"name": "p", "targets": ["t"], "match": match or {}, "exclude": list(exclude)}
    return doubts(Policy.model_validate(policy), KNOWN)


@pytest.mark.parametrize(
    "match",
    [
        {},
        {"event_types": list(EVENT_TYPES)},
        {"event_types": ["artifact.*", "*.failed", "*", "harbor.odd", "quay.*"]},
        {"sources": ["harbor-eu"]},
        {"tag": ["v1.2", {"glob": "v[/:]*.{1,2}?"}, {"not": {"regex": "a/b"}}, {"semver": "1.x"}]},
        {"repository": ["prod/app", {"glob": "prod-eu*/**"}]},
        {"digest": {"glob": "sha256:*"}},
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
        ({"tag": {"glob": "prod/v*"}}, "tag: prod/v holds '/', which hardly stands in a tag"),
        ({"tag": "prod/app:v1"}, "tag: prod/app:v1 holds '/', which hardly stands in a tag"),
        ({"tag": {"not": ["a", "b c"]}}, "tag: b c holds ' ', which hardly stands in a tag"),
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


@given(policies)
def test_any_policy_can_be_doubted(policy):
    assert all(text.startswith(("match.", "exclude.")) for text in doubts(policy, KNOWN))


def test_what_the_kinds_call_events_is_known():
    assert set(NATIVE_TYPES.values()) <= set(EVENT_TYPES)
