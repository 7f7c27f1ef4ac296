"""Values for property tests: events and policies from a few names, so that they often meet."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from portcall.conditions.block import Match
from portcall.conditions.text import TextCondition
from portcall.events import RegistryEvent
from portcall.policies import Policy

NAMES = ("a", "b", "ab")
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


def some_of(values, max_size=3):
    return st.lists(st.sampled_from(values), min_size=1, max_size=max_size, unique=True)


texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map("/".join)

conditions = st.one_of(
    st.sampled_from(("prod/.*", "v[0-9]", "[^/]+", "v\\d+(\\.\\d+)?", "(?i)PROD", "a|b|prod")).map(
        lambda pattern: TextCondition(regex=pattern)
    ),
    st.sampled_from(PATTERNS).map(lambda pattern: TextCondition(glob=pattern)),
    some_of(WORDS).map(lambda values: TextCondition(in_=values)),
)

policies = st.builds(
    Policy,
    name=st.sampled_from(NAMES),
    enabled=st.booleans() | st.just(True),
    match=st.builds(
        Match,
        event_types=st.none() | some_of((*TYPES, "scan.*", "*", "*.completed")),
        sources=st.none() | some_of(NAMES),
        repository=st.none() | conditions,
        tag=st.none() | conditions,
    ),
    targets=some_of(NAMES),
    format=st.sampled_from(("default", "raw")),
)

events = st.builds(
    RegistryEvent,
    id=st.just("1"),
    source=st.sampled_from(NAMES),
    kind=st.just("harbor"),
    type=st.sampled_from(TYPES),
    occurred_at=st.just(datetime(2026, 1, 1, tzinfo=UTC)),
    received_at=st.just(datetime(2026, 1, 1, tzinfo=UTC)),
    repository=st.none() | texts,
    tags=st.lists(st.sampled_from(WORDS), max_size=3).map(tuple),
)
