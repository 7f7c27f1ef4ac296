from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcall.conditions.patterns import compile_regex
from portcall.pattern_set import PART_LENGTH, PatternSet

PATTERNS = (
    "prod/.*", "prod/app", "pro|prod/app", "(?i)PROD/.+", "^prod/app$", r"\Aprod", r"(?m)^prod$",
    "(?s)prod.app", "[a-z]+", ".*", "", r"\d+", r"v\d+(\.\d+)*", "(a|b)c?", r"a\Q.b", r"\Q(\E",
    "ü+", "(?P<name>x)y", "(?:)", "x{2,3}", r"\pL+", "prod[^/]app",
)  # fmt: skip
TEXTS = (
    "prod/app", "PROD/x", "prod", "pro", "prod\napp", "", "7", "v1.2", "ac", "b", "a.b", "(",
    "ü", "Ü", "xy", "xxx", "prod\n",
)  # fmt: skip

patterns = st.sampled_from(PATTERNS) | st.text("ab(|)?*+.\\QE^$[]-", max_size=8)
texts = st.sampled_from(TEXTS) | st.text(max_size=8)


def compiles(pattern):
    try:
        compile_regex(pattern)
    except ValueError:
        return False
    return True


@given(st.sets(patterns.filter(compiles), max_size=20), st.lists(texts, min_size=1))
def test_the_expressions_that_fit_are_those_that_fit_one_by_one(expressions, values):
    together = PatternSet(expressions)
    for value in values:
        one_by_one = {p for p in expressions if compile_regex(p).fullmatch(value)}
        found = list(together.fitting(value))
        assert (len(found), set(found)) == (len(one_by_one), one_by_one)


def test_an_empty_set_fits_nothing():
    assert list(PatternSet([]).fitting("a")) == []


def test_an_expression_that_cannot_stand_in_parentheses_is_asked_by_itself():
    together = PatternSet([r"a\Q.(b"])
    assert (list(together.fitting("a.(b")), list(together.fitting("ax(b"))) == ([r"a\Q.(b"], [])


def test_thousands_of_expressions_stand_in_several_filters_that_find_each():
    numbers = range(4000)
    together = PatternSet([rf"team-{n:05}/[^/]+-{n}" for n in numbers])
    assert len(together._parts) > 1
    for number in numbers[::97]:
        found = list(together.fitting(f"team-{number:05}/app-{number}"))
        assert found == [rf"team-{number:05}/[^/]+-{number}"]
    assert list(together.fitting("team-00001/app-2")) == []


def test_expressions_with_more_literals_than_one_filter_takes_are_halved():
    words = [sha256(str(n).encode()).hexdigest()[:40] for n in range(PART_LENGTH // 60)]
    together = PatternSet([f"[ab][cd][ef]{word}" for word in words])
    [part] = together._parts
    assert len(part._filters) > 1
    assert all(list(together.fitting(f"ace{word}")) == [f"[ab][cd][ef]{word}"] for word in words)


def test_an_expression_that_no_filter_takes_is_asked_by_itself():
    word = "".join(chr(0x20000 + n) for n in range(9900))  # four bytes each
    expression = f"[ab][cd][ef]{word}"
    together = PatternSet([expression, "a"])
    assert together._parts[0]._odd == [expression]
    assert list(together.fitting(f"ace{word}")) == [expression]


def test_one_more_expression_builds_one_part_anew():
    expressions = [f"team-{n:05}/.*" for n in range(12_000)]
    before, after = PatternSet(expressions), PatternSet([*expressions, "new/.*"])
    known = {id(part) for part in before._parts}
    assert len(before._parts) > 2
    assert sum(id(part) not in known for part in after._parts) == 1


@pytest.mark.parametrize("text", ["a" * 100_000, "a" * 100_000 + "b"])
def test_an_expression_that_backtracks_elsewhere_takes_linear_time(text):
    assert list(PatternSet(["(a+)+", "(a|aa)+", "(.*a){20}"]).fitting(text)) == (
        ["(.*a){20}", "(a+)+", "(a|aa)+"] if text.endswith("a") else []
    )
