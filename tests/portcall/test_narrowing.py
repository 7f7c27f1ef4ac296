import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.common import SearchAttributeKey

from portcall.ids import event_attributes
from portcall.matching import Match, explain
from portcall.narrowing import MOST_ALTERNATIVES, Bound, bounds
from portcall.policies import Policy
from tests.strategies import events, policies, texts


def query(**match: object) -> list[str]:
    policy = Policy.model_validate({"name": "p", "targets": ["ci"], "match": match})
    return [str(bound) for bound in bounds(policy)]


@pytest.mark.parametrize(
    ("match", "conditions"),
    [
        ({}, []),
        ({"sources": ["eu", "us"]}, ["(Source IN ('eu', 'us'))"]),
        ({"event_types": ["artifact.pushed"]}, ["(EventType IN ('artifact.pushed'))"]),
        (
            {"event_types": ["scan.*", "artifact.pushed"]},
            ["(EventType IN ('artifact.pushed') OR EventType STARTS_WITH 'scan.')"],
        ),
        ({"event_types": ["*", "artifact.pushed"]}, []),
        ({"event_types": ["*.pushed"]}, []),
        ({"repository": {"in": ["it's", "b"]}}, ["(Repository IN ('it''s', 'b'))"]),
        ({"repository": {"glob": "prod/**"}}, ["(Repository STARTS_WITH 'prod/')"]),
        ({"repository": {"glob": "{prod,live}/**"}}, []),
        ({"repository": {"glob": "**"}}, []),
        ({"repository": {"regex": "prod/(a|ab)/.+"}}, ["(Repository STARTS_WITH 'prod/a')"]),
        ({"repository": {"regex": "(?i)prod/.+"}}, []),
        ({"repository": {"regex": "größe/.+"}}, ["(Repository STARTS_WITH 'größe/')"]),
        ({"repository": {"regex": "[ä-ö]x"}}, []),
        ({"repository": {"regex": "a\\Qb"}}, []),
        (
            {"repository": {"any": [{"in": ["a"]}, {"glob": "b/*"}]}},
            ["(Repository IN ('a') OR Repository STARTS_WITH 'b/')"],
        ),
        ({"repository": {"any": [{"in": ["a"]}, {"glob": "*"}]}}, []),
        ({"repository": {"not": {"in": ["a"]}}}, []),
        ({"repository": {"in": ["a\nb"]}}, []),
        ({"repository": {"in": ["fine", 'a"b']}}, []),
        ({"repository": {"glob": "a\\b/*"}}, []),
        ({"repository": {"in": [f"r{n}" for n in range(MOST_ALTERNATIVES + 1)]}}, []),
        ({"tag": {"in": ["v1"]}}, []),
    ],
)
def test_only_what_the_search_can_say_exactly_narrows(
    match: dict[str, object], conditions: list[str]
) -> None:
    assert query(**match) == conditions


def test_the_bounds_of_several_conditions_all_hold() -> None:
    both = query(sources=["eu"], repository={"glob": "a/*"})
    assert both == ["(Source IN ('eu'))", "(Repository STARTS_WITH 'a/')"]


def test_a_name_longer_than_the_search_holds_is_compared_as_far_as_it_goes() -> None:
    long = "r" * 300
    for condition in ({"in": [long]}, {"glob": f"{long}*"}, {"regex": f"{long}.*"}):
        policy = Policy.model_validate(
            {"name": "p", "targets": ["ci"], "match": {"repository": condition}}
        )
        [bound] = bounds(policy)
        assert bound.allows(long[:255])


def test_a_bound_excludes() -> None:
    bound = Bound("Repository", values=("a",), prefixes=("b/",))
    allowed = {value: bound.allows(value) for value in ("a", "b/c", "ab", "b", None)}
    assert allowed == {"a": True, "b/c": True, "ab": False, "b": False, None: False}


text = st.text(min_size=1, max_size=6)
odd = st.recursive(
    texts.map(lambda value: {"in": [value]})
    | text.map(lambda value: {"in": [value]})
    | st.sampled_from(
        ["prod/.*", "(?i)p.*", "(prod|prod/app).*", "p?rod", "[a-p]+/.*", "^prod$"]
    ).map(lambda value: {"regex": value})
    | st.sampled_from(["prod*", "**/app", "{prod,test}/*", "p?od/**"]).map(
        lambda value: {"glob": value}
    ),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda some: {"any": some})
        | inner.map(lambda one: {"not": one})
    ),
    max_leaves=4,
)


@given(policies, events, st.none() | odd, st.none() | texts | text)
def test_narrowing_never_loses_a_match(policy, event, condition, repository) -> None:
    if condition is not None:
        written = policy.model_dump(mode="json", by_alias=True, exclude_none=True)
        written["match"]["repository"] = condition  # a copy would keep what was worked out before
        policy = Policy.model_validate(written)
        event = event.model_copy(update={"repository": repository})
    enabled = policy.model_copy(update={"enabled": True})
    if not isinstance(explain(enabled, event, ())[0], Match):
        return
    attributes = event_attributes(event)
    for bound in bounds(policy):
        assert bound.allows(attributes.get(SearchAttributeKey.for_keyword(bound.attribute)))
