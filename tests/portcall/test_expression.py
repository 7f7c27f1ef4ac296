import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcall.conditions.expression import LONGEST_EXPRESSION, compile_expression, outcome
from portcall.conditions.facts import LARGEST_ATTRIBUTES, LONGEST_LIST, PART_MEMBERS, facts
from portcall.events import Quota, RegistryEvent, Retention, Scan
from tests.strategies import events

EVENT = RegistryEvent(
    id="1",
    source="harbor-eu",
    kind="harbor",
    type="scan.completed",
    occurred_at=datetime(2026, 1, 3, 22, tzinfo=UTC),
    received_at=datetime(2026, 1, 3, 22, tzinfo=UTC),
    repository="prod/app",
    tags=("v1.2.3", "latest"),
    platforms=("linux/amd64",),
    scan=Scan(severity="High", total=7, fixable=5, counts={"High": 2}),
    quota=Quota(used=90, limit=100),
    retention=Retention(deleted=("v1",)),
    attributes={"pull_count": 3, "signed": True, "team": "web", "nested": {"a": [1, "x"]}},
)
BARE = RegistryEvent(
    id="1",
    source="s",
    kind="k",
    type="artifact.pushed",
    occurred_at=EVENT.occurred_at,
    received_at=EVENT.received_at,
)


@pytest.mark.parametrize(
    "expression",
    [
        "event_type == 'scan.completed' && source.startsWith('harbor')",
        "kind == 'harbor' && native_type == '' && registry == '' && project == ''",
        "repository.endsWith('/app') && digest == '' && actor == '' && visibility == ''",
        "media_type == '' && artifact_type == '' && size == 0",
        "'latest' in tags && size(tags) == 2 && tags[0] == 'v1.2.3'",
        "tags.exists(t, t.matches('^v[0-9]+')) && !tags.all(t, t.matches('^v'))",
        "tags.exists_one(t, t == 'latest') && platforms == ['linux/amd64']",
        "scan.severity in ['High', \"Critical\"] && scan.fixable * 2 > scan.total",
        "scan.counts.High == 2 && !has(scan.counts.Low) && scan['status'] == ''",
        "quota.percent >= 90.0 && quota.used < quota.limit",
        "size(retention.deleted) == 1 && replication.status == ''",
        "attributes.pull_count > 2 && attributes.signed && attributes.team == 'web'",
        "attributes.nested.a[1] == 'x'",
        "occurred_at.getDayOfWeek() == 6 && occurred_at.getHours('Asia/Tokyo') == 7",
        "received_at > timestamp('2026-01-01T00:00:00Z')",
        "r'\\d' != '' && \"it's\" != '' && '''a'b''' != '' // fine {",
    ],
)
def test_every_fact_can_be_asked_for(expression):
    compile_expression(expression)
    assert outcome(expression, EVENT) == ("true",)


def test_what_an_event_does_not_say_is_empty_or_zero():
    everything = facts(BARE)
    assert everything.pop("occurred_at") == everything.pop("received_at") == BARE.occurred_at
    told = {name: everything.pop(name) for name in ("source", "kind", "event_type")}
    assert told == {"source": "s", "kind": "k", "event_type": "artifact.pushed"}
    for name, members in PART_MEMBERS.items():
        assert set(everything[name]) == set(members)
        assert not any(everything.pop(name).values())
    assert not any(everything.values())


@pytest.mark.parametrize(
    ("expression", "position", "reason"),
    [
        ("sorce == 'x'", 0, "undeclared reference to 'sorce', did you mean source?"),
        ("xyzzy", 0, "undeclared reference to 'xyzzy'"),
        ("source == ", 10, "mismatched input '<EOF>'"),
        ("source == 'ä' &&\n size > 'b'", 23, "found no matching overload for '_>_'"),
        ("scan.severty == ''", 5, "scan has no severty, but: kind, status, severity, total"),
        ("tags.exists(t, t.matches('v('))", 25, "not a regular expression (RE2) at position 2"),
        ("source.matches(actor)", 15, "matches takes one regular expression in quotes"),
        ("source.matches('a' )  && source.matches(b'a')", 0, None),
        ("source.matches('a', 'b')", 15, "matches takes one regular expression in quotes"),
        ("matches(source, 'a')", 7, "undeclared reference to 'matches'"),
        ("[source] == tags", 0, "brackets hold only plain values"),
        ("tags.exists(t, [t, t] == tags)", 15, "brackets hold only plain values"),
        ("{'a': 1}.a == 1", 0, "maps cannot be made here"),
        ("tags.map(t, t) == tags", 5, "map is not offered: exists, exists_one and all are"),
        ("tags.filter(t, true) == tags", 5, "filter is not offered"),
        ("tags.all(t, tags.all(u, t == u))", 17, "all cannot stand inside another"),
        ("tags.all(t, t == 'a'", 20, "missing ')' at '<EOF>'"),
        ("source + actor == 'ab'", 7, "found no matching overload for '_+_'"),
        ("tags + tags == tags", 5, "found no matching overload for '_+_'"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_its_position(expression, position, reason):
    if reason is None:
        with pytest.raises(ValueError, match="not a CEL expression"):
            compile_expression(expression)
        return
    with pytest.raises(ValueError, match="not a CEL expression at position") as caught:
        compile_expression(expression)
    assert str(caught.value).startswith(f"not a CEL expression at position {position}: {reason}")


@pytest.mark.parametrize(
    "expression", ["tags.all(t, t == 'a') || tags.exists(t, t == 'b')", "true"]
)
def test_one_after_another_is_not_one_inside_another(expression):
    compile_expression(expression)


def test_what_is_in_quotes_or_a_comment_is_not_taken_for_the_expression():
    compile_expression("source == '[a].map({' // {[.filter(\n || actor == \"x.matches(y)\"")


def test_an_expression_that_is_neither_true_nor_false_is_refused():
    with pytest.raises(ValueError, match="gives true or false, this one STRING"):
        compile_expression("source")


def test_an_expression_deeper_than_the_library_goes_is_refused():
    with pytest.raises(
        ValueError, match="not a CEL expression: Expression recursion limit exceeded"
    ):
        compile_expression("(" * 500 + "true" + ")" * 500)


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("size > 5", "false"),
        ("attributes.nothing == 1", 'error: Key not found in map : "nothing"'),
        ("attributes.team", "error: neither true nor false, but STRING"),
        ("attributes.signed", "true"),
        ("1 / size == 1", "error: divide by zero"),
        ("tags[7] == 'a'", "error: Index error: index=7 size=2"),
        ("attributes.pull_count.matches('a')", "error: No matching overloads found : (int64)"),
    ],
)
def test_what_goes_wrong_is_told_and_is_not_true(expression, told):
    (answer,) = outcome(expression, EVENT)
    assert answer.startswith(told)


BIG = EVENT.model_copy(
    update={
        "tags": tuple(f"{i:04}" + "a" * 124 for i in range(1000)),
        "actor": "a" * 100_000,
        "attributes": {f"k{i}": ["v" * 5000] * 9 for i in range(100)}
        | {"n": 2**70, "d": {1: {2: {3: {}}}}},
    }
)


def dear(operation, listed="tags"):
    room = LONGEST_EXPRESSION - len(f"{listed}.all(a,)")
    return f"{listed}.all(a,{'&&'.join([operation] * (room // (len(operation) + 2)))})"


@pytest.mark.parametrize(
    "expression",
    [
        dear("tags==tags"),
        dear("attributes==attributes", "[" + "1," * 400 + "1]"),
        dear("actor.contains('aaaaaaaaaaaab')==false"),
        dear("!('a' in tags)"),
        dear("!actor.matches('(.*.*.*a){300}b')"),
        dear("!a.matches('(a|aa)+$')"),
    ],
)
def test_the_dearest_expression_ends_within_seconds(expression):
    compile_expression(expression)
    began = time.perf_counter()
    outcome(expression, BIG)
    assert time.perf_counter() - began < 10


def test_rounds_have_a_budget():
    told = outcome("&&".join(["tags.all(t, true)"] * 100), BIG)
    assert told == ("error: Iteration budget exceeded [INTERNAL]",)


@pytest.mark.parametrize("odd", ["\ud800", float("nan"), float("inf"), None, 2**64, b"x"])
def test_odd_attributes_do_not_hinder_an_expression(odd):
    event = EVENT.model_copy(update={"attributes": {"odd": odd, "\ud800": 1}})
    assert outcome("size == 0", event) == ("true",)


def test_matches_has_a_budget():
    told = outcome("tags.all(t, !actor.matches('(.*.*.*a){300}b'))", BIG)
    assert told == ("error: matches has too much to look through",)
    assert outcome("tags.all(t, t.matches('a+$'))", BIG) == ("true",)


def test_what_goes_in_is_bounded():
    given = facts(BIG)
    assert len(given["tags"]) == LONGEST_LIST
    assert len(given["actor"]) == 1000
    assert len(str(given["attributes"])) <= LARGEST_ATTRIBUTES
    assert facts(EVENT.model_copy(update={"attributes": {"n": 2**70, "d": {1: {2: {3: {}}}}}}))[
        "attributes"
    ] == {"n": float(2**70), "d": {"1": {"2": '{"3": {}}'}}}


@given(events, st.sampled_from(["size > 2", "'v1' in tags", "attributes.a == 1", "scan.total > 1"]))
def test_an_expression_never_fails_over_an_event(happened, expression):
    (told,) = outcome(expression, happened)
    assert told in ("true", "false") or told.startswith("error: Key not found")


@given(st.text(max_size=60) | st.text("tags.exi(,)'\"[]{}&|!=<>+-*/rb\\\n01 map//", max_size=60))
def test_any_text_is_an_expression_or_refused(text):
    try:
        compile_expression(text)
    except ValueError:
        return
    outcome(text, EVENT)
