from datetime import timedelta

import pytest

from portcall.events import RawOriginal, RegistryEvent, Scan
from portcall.gathering import Group
from portcall.grouping import (
    GROUP_BYTES,
    GROUPED,
    Gathered,
    Gathering,
    by_policy,
    fingerprint,
    group_of,
    group_title,
    per_target,
    whole,
)
from portcall.matching import Match
from tests.workflows.scripted import an_event

GROUP = Group()


def given(event: RegistryEvent | None = None, *targets: str, **match: object) -> Gathered:
    found = Match.model_validate({"policy": "p", "target": "a", "group": GROUP, **match})
    return Gathered(event=event or an_event(), match=found, targets=targets or ("a",))


def push(tag: str, **fields: object) -> RegistryEvent:
    return an_event(tags=(tag,), **fields)


def test_the_matches_of_a_policy_are_put_together_and_the_original_stays_behind() -> None:
    event = an_event(raw=RawOriginal.of(b"{}"))
    pairs = [("p", "a"), ("q", "a"), ("p", "b")]
    matches = [Match(policy=p, target=t, group=GROUP) for p, t in pairs]
    found = by_policy(event, matches)
    assert [(g.match.policy, g.targets) for g in found] == [("p", ("a", "b")), ("q", ("a",))]
    assert {g.event.raw for g in found} == {None}


@pytest.mark.parametrize(
    ("by", "other", "together"),
    [
        (["repository"], {"type": "artifact.deleted", "source": "b"}, True),
        (["repository"], {"repository": "prod/web"}, False),
        (["repository"], {"repository": None}, False),
        (["event_type"], {"repository": "prod/web"}, True),
        (["event_type"], {"type": "artifact.deleted"}, False),
        (["project", "actor"], {"actor": "ann"}, False),
        (["digest"], {"source": "b"}, True),
        (["source"], {"source": "b"}, False),
        ([], {"repository": "prod/web", "type": "artifact.deleted"}, True),
    ],
)
def test_events_that_agree_in_all_that_by_names_are_gathered_by_one_workflow(
    by: list[str], other: dict[str, object], together: bool
) -> None:
    group = Group.model_validate({"by": by})
    one, two = (group_of(given(event), group) for event in (an_event(), an_event(**other)))
    assert (one == two) is together


def test_two_policies_and_two_meanings_of_by_gather_apart() -> None:
    event = an_event(project="x", actor="x")
    ids = {
        group_of(given(event, policy=policy), Group.model_validate({"by": by}))
        for policy in ("p", "q")
        for by in (["project"], ["actor"])
    }
    assert len(ids) == 4


def test_the_title_says_what_is_gathered() -> None:
    assert group_title(given(), GROUP) == "p: prod/app"
    assert group_title(given(an_event(repository=None)), GROUP) == "p: -"
    assert group_title(given(), Group(by=[])) == "p: all events"


LATER = an_event().occurred_at + timedelta(hours=1)


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        ({"occurred_at": LATER, "received_at": LATER}, True),
        ({"correlation_id": "x"}, True),
        ({"raw": RawOriginal.of(b"{}")}, True),
        ({"attributes": {"request_addr": "10.0.0.1:4711", "request_method": "HEAD"}}, True),
        ({"attributes": {"user_agent": "docker"}}, False),
        ({"tags": ("v2",)}, False),
        ({"actor": "ann"}, False),
        ({"scan": Scan(severity="High")}, False),
        ({"source": "other"}, False),
    ],
)
def test_events_that_say_the_same_have_one_fingerprint(
    fields: dict[str, object], same: bool
) -> None:
    assert (fingerprint(an_event(**fields)) == fingerprint(an_event())) is same


def test_an_identical_event_counts_once_even_when_the_group_is_full() -> None:
    window = Gathering(2)
    assert window.add(given(push("v1")))
    assert window.add(given(push("v1")))
    assert not window.is_full
    assert window.add(given(push("v2")))
    assert window.is_full
    assert window.add(given(push("v1")))
    assert not window.add(given(push("v3")))
    assert [g.event.tags for g in window.taken] == [("v1",), ("v2",)]


@pytest.mark.parametrize("text", ["x" * GROUP_BYTES, "ü" * (GROUP_BYTES // 2)])
def test_a_group_is_full_before_it_grows_too_large_but_takes_one_event_of_any_size(
    text: str,
) -> None:
    window = Gathering(100)
    big = {"attributes": {"text": text}}
    assert window.add(given(push("v1", **big)))
    assert not window.add(given(push("v2")))
    assert not window.is_full


def test_the_very_same_event_is_recognised() -> None:
    window, event = Gathering(5), an_event()
    window.add(given(event))
    assert window.has(event)
    assert not window.has(an_event())


def test_each_target_gets_the_events_that_matched_for_it_in_order_of_occurrence() -> None:
    first = an_event()
    second = push("v2", occurred_at=first.occurred_at + timedelta(seconds=1))
    found = per_target([given(second, "a", "b", format="slack"), given(first, "a", format="teams")])
    said = {match.target: (match.format, [e.id for e in events]) for match, events in found}
    assert said == {"a": ("teams", [first.id, second.id]), "b": ("slack", [second.id])}


@pytest.mark.parametrize("held", [(True, False), (False, True)])
def test_a_group_is_held_when_the_policy_was_suspended_at_one_of_its_events(
    held: tuple[bool, bool],
) -> None:
    [(match, _)] = per_target([given(push(str(n)), held=h) for n, h in enumerate(held)])
    assert match.held


def test_what_all_agree_in_is_said_of_the_group_and_the_tags_of_all() -> None:
    first = push("v1", actor="ann", project="prod")
    second = push("v2", actor="bob", project="prod", received_at=LATER)
    group = whole([first, second])
    assert (group.type, group.repository, group.digest, group.project, group.actor) == (
        "artifact.pushed", "prod/app", first.digest, "prod", None,
    )  # fmt: skip
    assert group.tags == ("v1", "v2")
    assert (group.occurred_at, group.received_at) == (first.occurred_at, LATER)
    assert group.attributes == {"count": 2}


def test_a_group_of_several_types_and_sources_has_the_source_of_the_first() -> None:
    group = whole([an_event(source="a"), an_event(source="b", type="artifact.deleted")])
    assert (group.source, group.type) == ("a", GROUPED)


def test_the_tags_of_a_group_are_bounded() -> None:
    group = whole([an_event(tags=tuple(f"v{n}-{m}" for m in range(60))) for n in range(3)])
    assert len(group.tags) == 100


def test_the_id_of_a_group_comes_from_its_events() -> None:
    events = [an_event(str(n)) for n in range(3)]
    moved = [event.model_copy(update={"received_at": LATER}) for event in events]
    assert whole(events).id == whole(moved).id
    assert whole(events).id != whole(events[:2]).id
    assert whole(events).id not in {event.id for event in events}
