import re
from collections import Counter
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from operator import eq, ge, gt, le, lt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcall.conditions.block import TEXT_FIELDS
from portcall.events import Quota, RawOriginal, RegistryEvent, Replication, Retention, Scan
from portcall.index import RULING_OUT
from portcall.matching import LONGEST_TEXT, MISSES_LISTED, Match, MatchResult, Miss, match_event
from portcall.matching import explain as explain_all
from portcall.policies import Policy
from portcall.ports import PolicySnapshot
from tests.strategies import NAMES, events, policies

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def event(**given):
    values = {
        "id": "1",
        "source": "harbor-eu",
        "kind": "harbor",
        "type": "artifact.pushed",
        "occurred_at": NOW,
        "received_at": NOW,
        "repository": "prod/app",
        "tags": ("v1", "latest"),
    }
    return RegistryEvent(**values | given)


def policy(name="p", targets=("t",), **match):
    return Policy(name=name, targets=list(targets), match=match)


def explain(wanted, happened=None, disabled=()):
    return explain_all(wanted, happened or event(), frozenset(disabled))


def only_miss(wanted, happened=None):
    [answer] = explain(wanted, happened)
    assert isinstance(answer, Miss)
    return answer.condition, answer.wanted, answer.seen


def is_match(wanted, happened=None):
    return all(isinstance(answer, Match) for answer in explain(wanted, happened))


def test_a_policy_without_conditions_wants_every_event():
    assert is_match(policy(), event(type="repository.deleted", repository=None, tags=()))


def test_each_target_of_a_matching_policy_gets_its_own_match_with_format_and_retry():
    wanted = Policy(name="p", targets=["t1", "t2"], format="raw", retry={"maximum_attempts": 3})
    answers = explain_all(wanted, event(), frozenset(), {"raw"})
    assert [(a.policy, a.target, a.format, a.needs_raw) for a in answers] == [
        ("p", "t1", "raw", True),
        ("p", "t2", "raw", True),
    ]
    assert answers[0].retry.maximum_attempts == 3


def test_a_format_that_can_do_without_the_raw_original_does():
    [match] = explain_all(policy(), event(), frozenset(), {"raw"})
    assert not match.needs_raw


def test_a_policy_that_is_switched_off_wants_nothing():
    off = Policy(name="p", targets=["t"], enabled=False)
    assert only_miss(off) == ("enabled", "true", "false: skipped while disabled")


def test_a_disabled_target_is_a_miss_beside_the_matches_of_the_others():
    on, off = explain(policy(targets=("on", "off")), disabled=("off",))
    assert isinstance(on, Match)
    assert (off.condition, off.wanted, off.seen) == ("target", "off enabled", "disabled")


@pytest.mark.parametrize(
    ("pattern", "type_", "wanted"),
    [
        ("artifact.pushed", "artifact.pushed", True),
        ("artifact.push", "artifact.pushed", False),
        ("scan.*", "scan.completed", True),
        ("scan.*", "scan", False),
        ("*", "anything.at.all", True),
        ("*.failed", "harbor.scan.failed", True),
        ("artifact.*", "Artifact.pushed", False),
    ],
)
def test_event_types_take_a_star_for_any_number_of_characters(pattern, type_, wanted):
    assert is_match(policy(event_types=[pattern]), event(type=type_)) is wanted


def test_an_event_type_that_none_of_the_patterns_fits_is_named():
    miss = only_miss(policy(event_types=["scan.*", "tag.deleted"]))
    assert miss == ("event_types", "scan.*, tag.deleted", "artifact.pushed")


def test_an_event_of_another_source_is_a_miss():
    assert is_match(policy(sources=["harbor-eu"]))
    assert only_miss(policy(sources=["a", "b"])) == ("sources", "a, b", "harbor-eu")


def test_the_repository_is_looked_at_as_a_whole():
    assert is_match(policy(repository={"regex": "prod/.+"}))
    miss = only_miss(policy(repository={"regex": "prod"}))
    assert miss == ("repository", "regex: prod", "prod/app")


def test_an_event_without_a_repository_misses_every_repository_condition():
    miss = only_miss(policy(repository={"glob": "**"}), event(repository=None))
    assert miss == ("repository", "glob: **", None)


def test_one_tag_of_several_is_enough():
    assert is_match(policy(tag={"in": ["latest"]}))
    miss = only_miss(policy(tag={"in": ["stable", "lts"]}))
    assert miss == ("tag", "in: stable, lts", "v1, latest")


def test_an_event_without_tags_misses_every_tag_condition():
    miss = only_miss(policy(tag={"regex": ".*"}), event(type="artifact.pulled", tags=()))
    assert miss == ("tag", "regex: .*", None)


def test_the_first_condition_that_fails_is_the_one_named():
    miss = only_miss(policy(sources=["x"], repository={"in": ["y"]}, tag={"in": ["z"]}))
    assert miss[0] == "sources"


def test_long_patterns_and_values_are_cut_in_a_miss():
    long = policy(repository={"regex": "x" * 10_000})
    _, wanted, seen = only_miss(long, event(repository="r" * 5000))
    assert len(wanted) == len(seen) == LONGEST_TEXT
    assert wanted.endswith("…")


def test_a_policy_that_could_not_be_read_is_a_miss_beside_the_matches_of_the_others():
    snapshot = PolicySnapshot((policy("good"),), frozenset(), {"odd": "moon: not permitted"})
    result = match_event(snapshot, event(), ())
    assert [match.policy for match in result.matches] == ["good"]
    [miss] = result.misses
    assert (miss.policy, miss.condition, miss.seen) == ("odd", "policy", "moon: not permitted")


def test_the_misses_of_a_result_are_bounded_and_the_rest_counted():
    many = [policy(f"p{i:03}", repository={"in": ["x"]}) for i in range(MISSES_LISTED + 7)]
    off = policy("off", targets=[f"t{i}" for i in range(50)])
    snapshot = PolicySnapshot((*many, off), frozenset(off.targets))
    result = match_event(snapshot, event(), ())
    assert (len(result.misses), result.more_misses) == (MISSES_LISTED, 57)


def test_an_event_of_portcalls_own_goes_only_to_policies_that_name_its_source():
    own = event(source="portcall", kind="portcall", type="target.disabled", repository=None)
    assert only_miss(policy(), own) == ("sources", "portcall, by name", "portcall")
    assert only_miss(policy(event_types=["target.*"]), own)[0] == "sources"
    assert only_miss(policy(event_types=["scan.*"]), own)[0] == "event_types"
    assert only_miss(policy(sources=["harbor-eu"]), own)[0] == "sources"
    assert only_miss(policy(kind="portcall"), own)[0] == "sources"
    assert is_match(policy(sources=["harbor-eu", "portcall"]), own)
    result = match_event(PolicySnapshot((policy("a"), policy("b", sources=["portcall"]))), own, ())
    assert [match.policy for match in result.matches] == ["b"]
    assert result.ruled_out == {"sources": 1}


@pytest.mark.parametrize(
    ("match", "changes", "wanted"),
    [
        ({"sources": ["portcall"]}, {}, True),
        ({"sources": ["eu", "portcall"], "event_types": ["scan.*"]}, {}, True),
        ({"sources": ["portcall"]}, {"enabled": False}, False),
        ({"sources": ["portcall"]}, {"enabled": False, "while_disabled": "hold"}, True),
        ({"sources": ["eu"]}, {}, False),
        ({}, {}, False),
    ],
)
def test_events_of_portcalls_own_are_wanted_where_a_policy_in_use_names_their_source(
    match, changes, wanted
):
    rule = Policy(name="p", targets=["t"], match=match, **changes)
    assert PolicySnapshot((policy("other"), rule)).wants_own_events is wanted


def test_policies_for_other_types_sources_or_projects_are_counted_not_listed():
    snapshot = PolicySnapshot(
        (
            policy("a", event_types=["scan.*"], sources=["x"]),
            policy("b", sources=["x"]),
            policy("c", sources=["x", "y"], repository={"in": ["z"]}),
            policy("d", project={"not": {"glob": "p*"}}),
            policy("e", project={"in": ["prod"]}, repository={"in": ["z"]}),
        )
    )
    result = match_event(snapshot, event(project="prod"), ())
    assert result.ruled_out == {"event_types": 1, "sources": 2, "project": 1}
    assert [(miss.policy, miss.condition) for miss in result.misses] == [("e", "repository")]
    assert (result.matches, result.more_misses) == ((), 0)


@pytest.mark.parametrize(
    ("enabled", "while_disabled", "held"),
    [
        (True, "skip", [False]),
        (True, "hold", [False]),
        (False, "hold", [True]),
        (False, "skip", []),
    ],
)
def test_what_a_suspended_policy_wants_is_held_or_skipped(enabled, while_disabled, held):
    rule = Policy(name="p", targets=["ci"], enabled=enabled, while_disabled=while_disabled)
    result = match_event(PolicySnapshot((rule,)), event(tags=("v1",)), ())
    assert [match.held for match in result.matches] == held
    assert [miss.condition for miss in result.misses] == ([] if held else ["enabled"])


def test_a_result_holds_matches_by_policy_and_misses_with_the_nearest_first():
    snapshot = PolicySnapshot(
        policies=(
            policy("a", repository={"in": ["x"]}),
            policy("b"),
            policy("c", tag={"in": ["x"]}),
            policy("d", repository={"in": ["x"]}, tag={"in": ["x"]}),
            policy("e", targets=("off", "on")),
            Policy(name="f", targets=["t"], enabled=False),
        ),
        disabled_targets=frozenset({"off"}),
    )
    result = match_event(snapshot, event(), ())
    assert [(m.policy, m.target) for m in result.matches] == [("b", "t"), ("e", "on")]
    assert [(m.policy, m.condition) for m in result.misses] == [
        ("e", "target"),
        ("f", "enabled"),
        ("c", "tag"),
        ("a", "repository"),
        ("d", "repository"),
    ]
    assert result.more_misses == 0


@given(st.lists(policies, max_size=6), events, st.frozensets(st.sampled_from(NAMES)))
def test_a_result_is_what_asking_every_policy_gives(several, happened, disabled):
    rules = [p.model_copy(update={"name": f"p{n}"}) for n, p in enumerate(several)]
    answers = [a for rule in rules for a in explain_all(rule, happened, disabled, {"raw"})]
    misses = [a for a in answers if isinstance(a, Miss)]
    result = match_event(PolicySnapshot(tuple(rules), disabled), happened, {"raw"})
    assert list(result.matches) == [a for a in answers if isinstance(a, Match)]
    assert result.ruled_out == Counter(m.condition for m in misses if m.condition in RULING_OUT)
    missed = [miss.policy for miss in misses if miss.condition not in RULING_OUT]
    assert sorted(miss.policy for miss in result.misses) == sorted(missed)
    by_name = {rule.name: rule.match for rule in rules}
    for miss in result.misses:
        if miss.condition in TEXT_FIELDS:
            wanted = getattr(by_name[miss.policy], miss.condition)
            assert not wanted.holds(TEXT_FIELDS[miss.condition](happened))
            assert miss.wanted == str(wanted)
        else:
            assert miss in misses


FULL = event(
    type="replication.changed",
    native_type="REPLICATION",
    project="prod",
    digest="sha256:ab",
    registry="harbor.example",
    media_type="application/json",
    artifact_type="application/vnd.cncf.helm",
    platforms=("linux/amd64", "linux/arm64"),
    actor="robot$ci",
    size=2048,
    visibility="private",
    scan=Scan(kind="vulnerability", status="Success", severity="High", total=3, scanner="Trivy"),
    replication=Replication(status="failed", destination_registry="backup"),
    quota=Quota(used=95, limit=100),
    retention=Retention(deleted=("v1", "v2")),
    attributes={"team": "web", "n": 3, "ok": True, "odd": "\ud800", "many": ["a", "b"]},
)


@pytest.mark.parametrize(
    ("match", "condition", "wanted", "seen"),
    [
        ({"kind": "quay"}, "kind", "in: quay", "harbor"),
        ({"native_type": "PUSH"}, "native_type", "in: PUSH", "REPLICATION"),
        ({"project": "dev"}, "project", "in: dev", "prod"),
        ({"digest": "sha256:cd"}, "digest", "in: sha256:cd", "sha256:ab"),
        ({"registry": "quay.example"}, "registry", "in: quay.example", "harbor.example"),
        ({"media_type": {"glob": "image/*"}}, "media_type", "glob: image/*", "application/json"),
        (
            {"artifact_type": {"not": {"glob": "*/*helm"}}},
            "artifact_type",
            "not: glob: */*helm",
            "application/vnd.cncf.helm",
        ),
        ({"platform": "linux/s390x"}, "platform", "in: linux/s390x", "linux/amd64, linux/arm64"),
        ({"actor": {"not": {"glob": "robot$*"}}}, "actor", "not: glob: robot$*", "robot$ci"),
        ({"visibility": "public"}, "visibility", "in: public", "private"),
        ({"size": {"gte": "1MB"}}, "size", ">= 1000000", "2048"),
        (
            {"scan": {"severity": {"at_least": "critical"}}},
            "scan.severity",
            "at least critical",
            "High",
        ),
        ({"scan": {"kind": "sbom"}}, "scan.kind", "in: sbom", "vulnerability"),
        ({"scan": {"fixable": {"gt": 0}}}, "scan.fixable", "> 0", None),
        ({"scan": {"counts": {"High": {"gt": 0}}}}, "scan.counts.high", "> 0", None),
        ({"replication": {"status": "succeeded"}}, "replication.status", "in: succeeded", "failed"),
        (
            {"replication": {"destination_registry": {"glob": "dr*"}}},
            "replication.destination_registry",
            "glob: dr*",
            "backup",
        ),
        ({"quota": {"percent": {"gt": 95}}}, "quota.percent", "> 95", "95.0"),
        ({"quota": {"used": {"gt": "1kB"}}}, "quota.used", "> 1000", "95"),
        ({"retention": {"deleted": {"gt": 2}}}, "retention.deleted", "> 2", "2"),
        ({"retention": {"status": "SUCCESS"}}, "retention.status", "in: SUCCESS", None),
        ({"attributes": {"team": "ops"}}, "attributes.team", "in: ops", "web"),
        ({"attributes": {"n": ["1", "2"]}}, "attributes.n", "in: 1, 2", "3"),
        ({"attributes": {"ok": "false"}}, "attributes.ok", "in: false", "true"),
        ({"attributes": {"many": {"not": ["b"]}}}, "attributes.many", "not: in: b", "a, b"),
        ({"attributes": {"none": "x"}}, "attributes.none", "in: x", None),
        ({"attributes": {"odd": {"regex": "x"}}}, "attributes.odd", "regex: x", "?"),
        ({"tagged": False}, "tagged", "false", "true"),
        ({"verification": ["verified"]}, "verification", "verified", "unchecked"),
        ({"expression": "size > 4096"}, "expression", "size > 4096", "false"),
    ],
)
def test_every_condition_is_named_with_what_was_wanted_and_seen(match, condition, wanted, seen):
    assert only_miss(policy(**match), FULL) == (condition, wanted, seen)


@pytest.mark.parametrize(
    "match",
    [
        {"attributes": {"many": "b", "n": "3", "ok": "true"}},
        {"quota": {"percent": {"gte": 95}, "limit": {"lte": "1kB"}}},
        {"retention": {"deleted": {"eq": 2}}},
        {"scan": {"scanner": "Trivy", "status": {"regex": "(?i)success"}, "total": {"lt": 4}}},
        {"attributes": {"none": {"not": {"glob": "*"}}}},
    ],
)
def test_a_condition_on_a_detail_holds(match):
    assert is_match(policy(**match), FULL)


def test_a_quota_without_a_limit_is_full_to_no_percent():
    miss = only_miss(policy(quota={"percent": {"gte": 0}}), event(quota=Quota(used=5, limit=0)))
    assert miss == ("quota.percent", ">= 0", None)


def test_a_severity_that_a_scan_does_not_list_was_found_no_times():
    none_critical = policy(scan={"counts": {"critical": {"eq": 0}}})
    assert is_match(none_critical, event(scan=Scan(counts={"High": 2})))
    assert is_match(none_critical, event(scan=Scan(total=0)))
    assert not is_match(none_critical, event(scan=Scan(total=3)))


@pytest.mark.parametrize(
    ("tagged", "type_", "tags", "wanted"),
    [
        (None, "artifact.pushed", ("v1",), True),
        (None, "artifact.pushed", (), False),
        (None, "artifact.deleted", (), True),
        (None, "referrer.pushed", (), True),
        (True, "artifact.deleted", (), False),
        (False, "artifact.pushed", (), True),
        (False, "artifact.deleted", ("v1",), False),
        ("any", "artifact.pushed", (), True),
        ("any", "artifact.pushed", ("v1",), True),
    ],
)
def test_a_push_has_a_tag_unless_told_otherwise(tagged, type_, tags, wanted):
    assert is_match(policy(tagged=tagged), event(type=type_, tags=tags)) is wanted


def test_a_multi_platform_image_is_one_match():
    index = event(tags=("v1",), platforms=("linux/amd64", "linux/arm64"))
    images = [event(tags=(), digest=f"sha256:{i}", platforms=(p,)) for i, p in enumerate("ab")]
    assert [is_match(policy(), pushed) for pushed in (*images, index)] == [False, False, True]


@pytest.mark.parametrize(
    ("state", "by_default", "wanting_it"),
    [("verified", True, False), ("unverified", False, True), ("pending", False, False)],
)
def test_what_the_registry_denies_is_matched_by_who_asks_for_it(state, by_default, wanting_it):
    happened = event(verification={"state": state})
    assert is_match(policy(), happened) is by_default
    assert is_match(policy(verification=["unverified"]), happened) is wanting_it


def test_what_a_block_excludes_is_told_with_what_it_saw():
    rule = Policy(
        name="p",
        targets=["t"],
        exclude=[{"project": "cache"}, {"actor": {"glob": "robot$*"}, "tag": {"glob": "v*"}}],
    )
    happened = event(actor="robot$ci")
    assert only_miss(rule, happened) == (
        "exclude.1",
        "not (tag glob: v*; actor glob: robot$*)",
        "tag: v1, latest; actor: robot$ci",
    )
    assert is_match(rule, event(actor="robot$ci", tags=("edge",)))


def test_type_source_and_project_are_asked_first_and_the_dear_last():
    rule = policy(
        expression="true",
        repository={"glob": "x"},
        actor="y",
        project={"regex": "z"},
        sources=["q"],
        event_types=["*"],
    )
    assert [asked.path for asked in rule.match.asked] == [
        "event_types",
        "sources",
        "project",
        "verification",
        "tagged",
        "actor",
        "repository",
        "expression",
    ]


def test_the_raw_original_has_no_part_in_matching():
    heavy = event(raw=RawOriginal.of(b"{}"))
    assert explain(policy(), heavy) == explain(policy(), heavy.without_raw())


@given(st.lists(policies, max_size=4), events, st.frozensets(st.sampled_from(NAMES)))
def test_a_result_comes_back_whole_from_a_history(rules, happened, disabled):
    result = match_event(PolicySnapshot(tuple(rules), disabled), happened, {"raw"})
    assert MatchResult.model_validate_json(result.model_dump_json()) == result


@given(policies, events, st.frozensets(st.sampled_from(NAMES)))
def test_the_matcher_agrees_with_a_slow_plain_one(rule, happened, disabled):
    answers = explain_all(rule, happened, disabled)
    assert {a.target for a in answers if isinstance(a, Match)} == plainly(rule, happened, disabled)
    assert all(isinstance(a, Match | Miss) and a.policy == rule.name for a in answers)


def plainly(rule, happened, disabled):
    """Match as the documentation reads, from the policy as it is written."""
    written = rule.model_dump(mode="json", by_alias=True)
    match = written["match"]
    push = happened.type == "artifact.pushed"
    tagged = (push or None) if match["tagged"] is None else match["tagged"]
    wanted = (
        rule.enabled
        and plainly_wants(match, happened)
        and (happened.source != "portcall" or "portcall" in (match["sources"] or []))
        and (tagged in (None, "any") or tagged is bool(happened.tags))
        and PLAIN_EXPRESSIONS[match["expression"]](happened)
        and not any(plainly_wants(block, happened) for block in written["exclude"])
    )
    return set(rule.targets) - disabled if wanted else set()


PLAIN_EXPRESSIONS = {
    None: lambda _: True,
    "size > 2": lambda event: (event.size or 0) > 2,
    "tags.exists(t, t == 'v1')": lambda event: "v1" in event.tags,
    "attributes.a == 1": lambda event: (
        event.attributes.get("a") == 1 and event.attributes["a"] is not True
    ),
    "scan.total < 3": lambda event: ((event.scan and event.scan.total) or 0) < 3,
}


def plainly_wants(block, happened):
    scan, wanted_scan = happened.scan or Scan(), block["scan"] or {}
    ranks = ["none", "negligible", "low", "medium", "high", "critical"]
    counts = {word.lower(): count for word, count in scan.counts.items()}
    answers = [
        block["event_types"] is None
        or any(fnmatchcase(happened.type, wanted) for wanted in block["event_types"]),
        block["sources"] is None or happened.source in block["sources"],
        plainly_fits(block["project"], [happened.project]),
        plainly_fits(block["repository"], [happened.repository]),
        plainly_fits(block["tag"], happened.tags),
        plainly_fits(block["platform"], happened.platforms),
        plainly_compares(block["size"], happened.size),
        plainly_compares(wanted_scan.get("total"), scan.total),
    ]
    answers += [
        plainly_compares(wanted, counts.get(word, 0) if counts or scan.total == 0 else None)
        for word, wanted in (wanted_scan.get("counts") or {}).items()
    ]
    answers += [
        plainly_fits(wanted, plain_attribute(happened.attributes.get(name)))
        for name, wanted in (block["attributes"] or {}).items()
    ]
    match wanted_scan.get("severity"):
        case {"at_least": least}:
            answers.append((scan.severity or "").lower() in ranks[ranks.index(least) :])
        case {"in": words}:
            seen = {"odd": "unknown"}.get(scan.severity, (scan.severity or "nothing").lower())
            answers.append(seen in words)
    return all(answers)


def plain_attribute(value):
    values = value if isinstance(value, list) else [value]
    return [None if v is None else {"1": "1", "True": "true"}.get(str(v), v) for v in values]


def plainly_compares(wanted, value):
    compare = {"gt": gt, "gte": ge, "lt": lt, "lte": le, "eq": eq}
    return wanted is None or (
        value is not None and all(compare[name](value, limit) for name, limit in wanted.items())
    )


GLOBS = {
    "*": "[^/]*",
    "**": ".*",
    "prod": "prod",
    "prod/*": "prod/[^/]*",
    "prod/**": "prod/.*",
    "**/app": "(.*/)?app",
    "v?": "v[^/]",
    "v1*": "v1[^/]*",
    "{prod,test}/app": "(prod|test)/app",
    "v[0-9]": "v[0-9]",
}
IN_RANGE = {
    ">=1.2 <2": ("1.2.3",),
    "^1.4.0 || 2.x": ("2.0.0",),
    "1.2.3": ("1.2.3",),
}
IN_RANGE_WITH_PRERELEASES = IN_RANGE | {">=1.2 <2": ("1.2.3", "v1.4.0-rc.1")}


def plainly_fits(condition, values):
    values = [value for value in values if value is not None]
    match condition:
        case None:
            return True
        case list():
            return any(plainly_fits(one, values) for one in condition)
        case {"not": denied}:
            return not plainly_fits(denied, values)
        case {"in": choices}:
            return any(value in choices for value in values)
        case {"semver": wanted}:
            known = IN_RANGE_WITH_PRERELEASES if "prereleases" in condition else IN_RANGE
            return any(value in known[wanted] for value in values)
    pattern = condition.get("regex") or GLOBS[condition["glob"]]
    return any(re.fullmatch(pattern, value) for value in values)
