"""The index, held against asking every policy."""

import gc
import weakref
from collections import Counter
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from portcall.conditions.block import TEXT_FIELDS, Match
from portcall.conditions.text import TextCondition
from portcall.events import RegistryEvent
from portcall.index import RULING_OUT, PolicyIndex
from portcall.own_events import OWN_SOURCE
from portcall.policies import Policy
from tests.strategies import SOURCES, TYPES, WORDS, conditions, events, some_of, texts

NOW = datetime(2026, 1, 1, tzinfo=UTC)

leaves = conditions | st.sampled_from((">=1.0.0", "^1.2")).map(
    lambda wanted: TextCondition(semver=wanted, prereleases=True)
)
nested = st.recursive(
    leaves,
    lambda inner: (
        inner.map(lambda denied: TextCondition(not_=denied))
        | st.lists(inner, min_size=1, max_size=3).map(lambda some: TextCondition(any_=some))
    ),
    max_leaves=3,
)
matches = st.builds(
    Match,
    event_types=st.none() | some_of((*TYPES, "scan.*", "*", "*.completed")),
    sources=st.none() | some_of(SOURCES),
    **{name: st.none() | nested for name in ("project", "repository", "tag", "actor")},
)
happened = st.builds(
    lambda event, project, actor, tags: event.model_copy(
        update={"project": project, "actor": actor, "tags": event.tags + tags}
    ),
    events,
    st.none() | st.sampled_from(WORDS),
    st.none() | texts,
    st.sampled_from(((), ("1.2.3",), ("v1.4.0-rc.1", "v1"))),
)


def numbered(blocks):
    return [Policy(name=f"p{n:03}", targets=["t"], match=block) for n, block in enumerate(blocks)]


def failing(policy, event):
    """The first of the indexed fields whose condition does not hold."""
    match = policy.match
    if not any(fnmatchcase(event.type, wanted) for wanted in match.event_types or ("*",)):
        return "event_types"
    wanted_without_a_name = () if event.source == OWN_SOURCE else (event.source,)
    if event.source not in (match.sources or wanted_without_a_name):
        return "sources"
    asked = ((name, getattr(match, name), look(event)) for name, look in TEXT_FIELDS.items())
    return next((name for name, wanted, seen in asked if wanted and not wanted.holds(seen)), None)


@given(
    st.lists(matches, max_size=6),
    st.sampled_from((1, 2, 20)),
    st.lists(happened, min_size=1, max_size=3),
)
def test_the_index_gives_what_asking_every_policy_gives(blocks, times, several):
    policies = numbered(blocks * times)
    index = PolicyIndex(policies)
    for event in several:
        asked = [(policy, failing(policy, event)) for policy in policies]
        sifted = index.sift(event)
        assert list(sifted.candidates()) == [policy for policy, field in asked if field is None]
        assert sifted.ruled_out == Counter(field for _, field in asked if field in RULING_OUT)
        later = [name for name in reversed(TEXT_FIELDS) if name not in RULING_OUT]
        nearest_first = [(name, [p for p, field in asked if field == name]) for name in later]
        near = [(name, list(found)) for name, found in sifted.near()]
        assert near == [(name, found) for name, found in nearest_first if found]
        assert sifted.near_count() == sum(len(found) for _, found in near)


def test_types_that_nobody_foresaw_do_not_pile_up():
    event = RegistryEvent(
        id="1", source="s", kind="harbor", type="", occurred_at=NOW, received_at=NOW
    )
    index = PolicyIndex(numbered([Match(event_types=["harbor.*"])]))
    for number in range(1500):
        odd = event.model_copy(update={"type": f"harbor.odd_{number}"})
        assert index.sift(odd).candidate_bits == 1
    types = index._fields["event_types"]
    assert types._of_type.cache_info().currsize <= 1000


def test_an_index_that_is_no_longer_used_is_gone_at_once():
    """Were it left to the garbage collector, big ones would pile up with every change."""
    index = PolicyIndex(numbered([Match(event_types=["scan.*"], tag={"glob": "v*"})]))
    left = weakref.ref(index._fields["event_types"])
    gc.disable()
    try:
        del index
        assert left() is None
    finally:
        gc.enable()
