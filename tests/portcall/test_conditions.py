import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from portcall.conditions.patterns import compile_regex, glob_to_regex
from portcall.conditions.text import TextCondition


def fault_of(**given_condition):
    with pytest.raises(ValidationError) as caught:
        TextCondition(**given_condition)
    [fault] = caught.value.errors()
    return fault["msg"].removeprefix("Value error, ")


@pytest.mark.parametrize(
    ("pattern", "value", "holds"),
    [
        ("prod/.+", "prod/app", True),
        ("prod", "prod/app", False),
        ("prod", "my-prod", False),
        ("prod|test", "test", True),
        ("(?i)PROD/.*", "prod/x", True),
        (r"v\d+\.\d+", "v1.22", True),
        ("v.", "vé", True),
        ("^v1$", "v1", True),
    ],
)
def test_a_regular_expression_is_anchored_at_both_ends(pattern, value, holds):
    assert TextCondition(regex=pattern).holds([value]) is holds


@pytest.mark.parametrize(
    ("glob", "value", "holds"),
    [
        ("prod/*", "prod/app", True),
        ("prod/*", "prod/team/app", False),
        ("prod/**", "prod/team/app", True),
        ("prod/**", "prod", False),
        ("**", "a/b/c", True),
        ("**/app", "app", True),
        ("**/app", "a/b/app", True),
        ("**/app", "a/myapp", False),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a**b", "a/x/b", True),
        ("v?.?", "v1.2", True),
        ("v?", "v/", False),
        ("v[0-9]", "v7", True),
        ("v[!0-9]", "vx", True),
        ("v[!0-9]", "v7", False),
        ("v[^0-9]", "v/", False),
        ("v[]]", "v]", True),
        (r"v[\]", "v\\", True),
        ("v[[]", "v[", True),
        ("{prod,test}/app", "test/app", True),
        ("{prod,test}/app", "dev/app", False),
        ("{a,{b,c}}x", "cx", True),
        ("a,b", "a,b", True),
        ("a}", "a}", True),
        ("v1.2+x(y)", "v1.2+x(y)", True),
        ("v1.2", "v1x2", False),
    ],
)
def test_a_glob_reads_as_in_a_shell_with_path_parts(glob, value, holds):
    assert TextCondition(glob=glob).holds([value]) is holds


def documented_globs():
    table = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()
    rows = table.split("| glob | fits | does not fit |\n|---|---|---|\n")[1].split("\n\n")[0]
    for row in rows.splitlines():
        _, glob, fitting, unfitting, _ = (re.findall(r"`(.+?)`", cell) for cell in row.split("|"))
        yield from ((glob[0], value, True) for value in fitting)
        yield from ((glob[0], value, False) for value in unfitting)


@pytest.mark.parametrize(("glob", "value", "holds"), list(documented_globs()))
def test_globs_are_as_the_documentation_says(glob, value, holds):
    assert TextCondition(glob=glob).holds([value]) is holds


def test_a_list_holds_for_exactly_its_values():
    condition = TextCondition.model_validate({"in": ["latest", "stable"]})
    assert condition.holds(["stable"])
    assert not condition.holds(["stable2"])
    assert not condition.holds(["Stable"])


@pytest.mark.parametrize(
    ("pattern", "position", "reason"),
    [
        ("a(b", 3, "missing )"),
        ("(a)b)c(", 4, "unexpected )"),
        ("[z-a]", 1, "invalid character class range"),
        ("x[b", 3, "missing ]"),
        ("*a", 0, "no argument for repetition operator"),
        (r"\*\*|*", 5, "no argument for repetition operator"),
        ("[**]a**", 6, "bad repetition operator"),
        ("x{2000}", 1, "invalid repetition size"),
        ("(?i)(?=a)", 4, "invalid perl operator"),
        ("aé\\8", 2, "invalid escape sequence"),
        ("ab\\", 3, "trailing \\"),
    ],
)
def test_a_bad_expression_is_refused_with_its_position_and_the_reason(pattern, position, reason):
    expected = f"not a regular expression (RE2) at position {position}: {reason}"
    assert fault_of(regex=pattern) == expected


@pytest.mark.parametrize(
    ("glob", "message"),
    [
        ("ab[c", "not a glob at position 2: missing ]"),
        ("ab[!]", "not a glob at position 2: missing ]"),
        ("a{b,c", "not a glob at position 1: missing }"),
        ("a[z-a]", "not a glob at position 1: invalid character class range"),
    ],
)
def test_a_bad_glob_is_refused_with_its_position_and_the_reason(glob, message):
    assert fault_of(glob=glob) == message


@pytest.mark.parametrize(
    "forms",
    [
        {},
        {"regex": "a", "glob": "b"},
        {"regex": "a", "in_": ["b"]},
        {"glob": None},
        {"regex": None},
    ],
)
def test_a_condition_has_exactly_one_form(forms):
    assert fault_of(**forms) == "give exactly one of: regex, glob, in, semver, not, any"


@pytest.mark.parametrize("forms", [{"regex": ""}, {"glob": ""}, {"in": []}, {"in": [""]}])
def test_an_empty_form_is_refused(forms):
    with pytest.raises(ValidationError):
        TextCondition.model_validate(forms)


def test_an_unknown_form_is_refused():
    assert fault_of(regexp="a", regex="a") == "unknown field, did you mean regex?"
    assert fault_of(like="a", regex="a") == "Extra inputs are not permitted"


@pytest.mark.parametrize("form", [{"regex": "a.*"}, {"glob": "a*"}, {"in": ["a", "b"]}])
def test_a_condition_is_written_as_it_was_given(form):
    assert TextCondition.model_validate(form).model_dump(mode="json") == form


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"regex": "a.*"}, "regex: a.*"),
        ({"glob": "a*"}, "glob: a*"),
        ({"in": ["a", "b"]}, "in: a, b"),
        ({"semver": "^1", "prereleases": True}, "semver: ^1, prereleases"),
        ({"not": {"glob": "a*"}}, "not: glob: a*"),
        ([{"glob": "a*"}, ["b", "c"]], "glob: a* or in: b, c"),
        ([{"glob": "a*"}, [{"glob": "b*"}, "c"]], "glob: a* or (glob: b* or in: c)"),
        ({"in": [str(i) for i in range(21)]}, "in: " + ", ".join(map(str, range(20))) + ", …"),
    ],
)
def test_a_condition_describes_itself(form, text):
    assert str(TextCondition.model_validate(form)) == text


@pytest.mark.parametrize(
    ("short", "written"),
    [
        ("prod/app", {"in": ["prod/app"]}),
        (["latest", "stable"], {"in": ["latest", "stable"]}),
        ([{"glob": "v*"}, "latest"], [{"glob": "v*"}, {"in": ["latest"]}]),
        ([{"glob": "v*"}, ["a", "b"]], [{"glob": "v*"}, {"in": ["a", "b"]}]),
        ({"any": [{"glob": "v*"}]}, [{"glob": "v*"}]),
        ({"not": ["a", "b"]}, {"not": {"in": ["a", "b"]}}),
        ({"not": {"not": {"glob": "v*"}}}, {"not": {"not": {"glob": "v*"}}}),
        ({"semver": "^1.2"}, {"semver": "^1.2"}),
        ({"semver": "^1.2", "prereleases": True}, {"semver": "^1.2", "prereleases": True}),
        ({"semver": "^1.2", "prereleases": False}, {"semver": "^1.2"}),
    ],
)
def test_short_forms_are_read_and_all_come_back_as_they_are_written(short, written):
    condition = TextCondition.model_validate(short)
    assert condition.model_dump(mode="json") == written
    assert TextCondition.model_validate_json(condition.model_dump_json()) == condition


@pytest.mark.parametrize("text", ["v*", "prod/?", "v[0-9]", "{a,b}", "a|b", "(a)", "^v1", r"v\d"])
@pytest.mark.parametrize("place", [lambda text: text, lambda text: [text], lambda t: {"not": t}])
def test_a_bare_text_that_looks_like_a_pattern_must_say_of_which_sort(text, place):
    with pytest.raises(ValidationError, match=r"say how to read it: \{glob: "):
        TextCondition.model_validate(place(text))


@pytest.mark.parametrize("value", [1.10, 2, True, {"in": [1.10]}, [1.2]])
def test_a_version_that_yaml_reads_as_a_number_must_be_quoted(value):
    with pytest.raises(ValidationError, match=r"quotes|valid dictionary"):
        TextCondition.model_validate(value)


def test_one_value_that_fits_is_enough():
    assert TextCondition(glob="v*").holds(["latest", "v1"])
    assert not TextCondition(glob="v*").holds([])


def test_not_holds_where_no_value_fits_so_also_where_there_is_none():
    denied = TextCondition.model_validate({"not": {"glob": "v*"}})
    assert denied.holds(["latest"])
    assert denied.holds([])
    assert not denied.holds(["latest", "v1"])


def test_any_holds_where_one_alternative_does():
    either = TextCondition.model_validate([{"semver": ">=1"}, {"in": ["latest"]}])
    assert either.holds(["latest"])
    assert either.holds(["1.2.3"])
    assert not either.holds(["0.1.0", "edge"])


@pytest.mark.parametrize("wrap", [lambda c: {"not": c}, lambda c: {"any": [c]}, lambda c: [c]])
def test_conditions_stand_in_one_another_five_deep_and_no_deeper(wrap):
    condition = {"glob": "v*"}
    for _ in range(5):
        condition = wrap(condition)
    assert TextCondition.model_validate(condition)
    with pytest.raises(ValidationError, match="deeper than 5 levels"):
        TextCondition.model_validate(wrap(condition))


def test_nesting_without_end_is_refused_at_once():
    condition = {"glob": "v*"}
    for _ in range(100_000):
        condition = {"not": condition}
    with pytest.raises(ValidationError, match="deeper than 5 levels"):
        TextCondition.model_validate(condition)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"glob": "v*", "prereleases": True}, "prereleases belongs to semver"),
        ({"semver": ">2 <1"}, "no version is in this range"),
        ({"semver": "1.2.3.4"}, "not a range of versions at position 0: write for example"),
        ({"any": []}, "List should have at least 1 item"),
        ({"semver": "1" * 256}, "String should have at most 255 characters"),
        ({"regex": "a" * 10_001}, "String should have at most 10000 characters"),
        ({"not": None}, "give exactly one of"),
        (5j, "Input should be a valid dictionary"),
    ],
)
def test_what_makes_no_sense_is_refused(form, message):
    with pytest.raises(ValidationError) as caught:
        TextCondition.model_validate(form)
    assert message in caught.value.errors()[0]["msg"]


def test_the_longest_pattern_is_compiled_and_asked_in_no_time():
    began = time.perf_counter()
    condition = TextCondition(regex="|".join(["a"] * 5000))
    assert condition.holds(["a"])
    assert time.perf_counter() - began < 5


def test_dear_conditions_know_that_they_are():
    forms = ("x", {"glob": "v*"}, {"semver": "*"}, ["x", {"semver": "*"}], {"not": {"glob": "v*"}})
    assert [TextCondition.model_validate(form).cost for form in forms] == [0, 1, 2, 2, 1]


def test_a_pattern_that_takes_other_engines_for_ever_is_answered_at_once():
    condition = TextCondition(regex="(a+)+$")
    began = time.perf_counter()
    assert not condition.holds(["a" * 100_000 + "!"])
    assert time.perf_counter() - began < 5


def refusal(call, text):
    try:
        call(text)
    except ValueError as error:
        return str(error)
    return None


@given(st.text(alphabet="ab()[]{}*?+|\\.^$-:=!<>Pi1,é", max_size=20))
def test_any_expression_compiles_or_is_refused_with_a_position_inside_it(pattern):
    refused = refusal(compile_regex, pattern)
    if refused is not None:
        found = re.fullmatch(r"not a regular expression \(RE2\) at position (\d+): .+", refused)
        assert found, refused
        assert 0 <= int(found[1]) <= len(pattern)


@given(st.text(alphabet="ab*?[]{},!^-/\\.é(:", max_size=20))
def test_any_glob_compiles_or_is_refused_with_a_position_inside_it(glob):
    refused = refusal(glob_to_regex, glob)
    if refused is not None:
        found = re.fullmatch(r"not a glob at position (\d+): .+", refused)
        assert found, refused
        assert 0 <= int(found[1]) < len(glob)
    else:
        compile_regex(glob_to_regex(glob))


@given(st.text(alphabet=st.characters(exclude_characters="*?[{", codec="utf-8"), max_size=20))
def test_a_glob_without_wildcards_holds_for_itself(text):
    assert compile_regex(glob_to_regex(text)).fullmatch(text)
