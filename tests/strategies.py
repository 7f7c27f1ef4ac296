"""Values for property tests: events and policies from a few names, so that they often meet."""

from datetime import UTC, datetime

from hypothesis import strategies as st
from pydantic import ValidationError

from portcall.conditions.block import Conditions, Match
from portcall.conditions.text import TextCondition
from portcall.events import RegistryEvent, Scan
from portcall.own_events import OWN_SOURCE
from portcall.policies import Policy

NAMES = ("a", "b", "ab")
SOURCES = (*NAMES, OWN_SOURCE)
TYPES = ("artifact.pushed", "artifact.pulled", "scan.completed", "harbor.scan.odd")
WORDS = ("prod", "test", "app", "v1", "v1.2")
PATTERNS = (
    "*",
    "**",
    "prod",
    "prod/*",
    "prod/**",
    "**/app",
    "v?",
    "v1*",
    "{prod,test}/app",
    "v[0-9]",
)
VERSIONS = ("1.2.3", "v1.4.0-rc.1", "2.0.0", "2.0.0-rc.1")
RANGES = (">=1.2 <2", "^1.4.0 || 2.x", "1.2.3")
PLATFORMS = ("linux/amd64", "linux/arm64")


def some_of(values, max_size=3):
    return st.lists(st.sampled_from(values), min_size=1, max_size=max_size, unique=True)


def valid(model, needed=None, **fields):
    """Build what the model takes of some fields: not all may stand side by side."""

    def build(given):
        try:
            return model.model_validate(given)
        except ValidationError:
            return None

    return st.fixed_dictionaries(needed or {}, optional=fields).map(build).filter(bool)


texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map("/".join)

plain_conditions = st.one_of(
    st.sampled_from(("prod/.*", "v[0-9]", "[^/]+", "v\\d+(\\.\\d+)?", "(?i)PROD", "a|b|prod")).map(
        lambda pattern: TextCondition(regex=pattern)
    ),
    st.sampled_from(PATTERNS).map(lambda pattern: TextCondition(glob=pattern)),
    some_of(WORDS).map(lambda values: TextCondition(in_=values)),
    st.builds(
        lambda wanted, prereleases: TextCondition(semver=wanted, prereleases=prereleases),
        st.sampled_from(RANGES),
        st.booleans(),
    ),
)
conditions = st.recursive(
    plain_conditions,
    lambda inner: (
        inner.map(lambda denied: TextCondition(not_=denied))
        | st.lists(inner, min_size=1, max_size=3).map(lambda some: TextCondition(any_=some))
    ),
    max_leaves=3,
)
numbers = st.dictionaries(
    st.sampled_from(("gt", "gte", "lt", "lte", "eq")), st.integers(0, 4), min_size=1, max_size=2
)
severities = st.fixed_dictionaries({"at_least": st.sampled_from(("low", "HIGH"))}) | some_of(
    ("none", "high", "unknown")
).map(lambda words: {"in": words})

BLOCK = {
    "event_types": some_of((*TYPES, "scan.*", "*", "*.completed")),
    "sources": some_of(SOURCES),
    "project": conditions,
    "repository": conditions,
    "tag": conditions,
    "platform": some_of(PLATFORMS),
    "size": numbers,
    "scan": st.fixed_dictionaries(
        {},
        optional={
            "severity": severities,
            "total": numbers,
            "counts": st.dictionaries(st.sampled_from(("high", "low")), numbers, min_size=1),
        },
    ),
    "attributes": st.dictionaries(st.sampled_from(NAMES), conditions, max_size=2),
}
EXPRESSIONS = ("size > 2", "tags.exists(t, t == 'v1')", "attributes.a == 1", "scan.total < 3")

policies = valid(
    Policy,
    {"name": st.sampled_from(NAMES), "targets": some_of(NAMES)},
    enabled=st.booleans() | st.just(True),
    match=valid(
        Match,
        **BLOCK,
        tagged=st.sampled_from((True, False, "any")),
        expression=st.sampled_from(EXPRESSIONS),
    ),
    exclude=st.lists(valid(Conditions, **BLOCK), max_size=2),
    format=st.sampled_from(("default", "raw")),
)

events = st.builds(
    RegistryEvent,
    id=st.just("1"),
    source=st.sampled_from(SOURCES),
    kind=st.just("harbor"),
    type=st.sampled_from(TYPES),
    occurred_at=st.just(datetime(2026, 1, 1, tzinfo=UTC)),
    received_at=st.just(datetime(2026, 1, 1, tzinfo=UTC)),
    repository=st.none() | texts,
    project=st.none() | st.sampled_from(WORDS),
    tags=st.lists(st.sampled_from(WORDS + VERSIONS), max_size=3).map(tuple),
    platforms=st.lists(st.sampled_from(PLATFORMS), max_size=2).map(tuple),
    size=st.none() | st.integers(0, 4),
    scan=st.none()
    | st.builds(
        Scan,
        severity=st.none() | st.sampled_from(("Low", "High", "Critical", "odd")),
        total=st.none() | st.integers(0, 4),
        counts=st.dictionaries(st.sampled_from(("High", "LOW", "Medium")), st.integers(0, 4)),
    ),
    attributes=st.dictionaries(
        st.sampled_from(NAMES), st.sampled_from(("prod", 1, True, ["app", "v1"]))
    ),
)
