import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcall.errors import NotificationError
from portcall.mapping import compile_path
from portcall.sources.paths import STEPS, Paths

MANY = {
    "a": [{"b": "x" * 20, "c": i, "d": [i] * 3, "e": {"f": str(i)}} for i in range(12_000)],
    "text": "y" * 200_000,
    "blanks": [""] * 20_000,
}


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("data.tag || data.reference", "v1"),
        ("'artifact.pushed'", "artifact.pushed"),
        ("join('/', [data.team, data.name])", "shop/web"),
        ("data.list[?ok].name | [0]", "second"),
        ("data.list[].name", ["first", "second"]),
        ("data.nested[]", [1, 2, 3]),
        ("data.private && 'private' || 'public'", "public"),
        ("sort_by(data.list, &name)[-1].name", "second"),
        ("to_string(data.number)", "7"),
        ("data.number > `5`", True),
        ("data.nothing[]", None),
        ("{a: data.tag}", {"a": "v1"}),
    ],
)
def test_expressions_mean_what_jmespath_says(expression, found):
    data = {
        "tag": "v1",
        "team": "shop",
        "name": "web",
        "number": 7,
        "nested": [[1, 2], 3],
        "list": [{"name": "first"}, {"name": "second", "ok": True}],
    }
    assert Paths().find("tags", expression, {"data": data}) == found
    assert compile_path(expression).search({"data": data}) == found


@pytest.mark.parametrize(
    "expression",
    [
        "[@,@][]|" * 45 + "@",
        "[@,@]|" * 45 + "@",
        "[@,@]|" * 45 + "to_string(@)",
        "[@,@]|" * 45 + "@ == [@]",
        "join('', [text, text])|" + "join('', [@,@])|" * 40 + "@",
        "join(text, blanks)",
        "[text,text,text,text,text,text,text,text][]|"
        + "[@,@,@,@][]|" * 5
        + "[*].contains(@, 'z')",
        "a[*].[@,@,@,@][]|[*].[@,@,@,@][]|[*].[@,@]",
        "merge({a: @}, {b: @})|" * 25 + "@",
        "sort_by([a,a,a,a,a,a,a,a][], &b)",
        "@",
    ],
)
def test_what_would_take_too_long_or_too_much_is_refused_soon(expression):
    began = time.process_time()
    with pytest.raises(NotificationError) as refused:
        Paths(STEPS if expression != "@" else 1000).find("mapping.tags", expression, MANY)
    assert time.process_time() - began < 3
    assert (refused.value.reason, refused.value.field) == ("too_costly", "mapping.tags")
    assert "asks for too much" in refused.value.message


def test_the_steps_are_those_of_all_expressions_together():
    paths = Paths(100)
    for _ in range(33):
        paths.find("a", "b", {"b": 1})
    with pytest.raises(NotificationError, match="too much"):
        [paths.find("a", "b", {"b": 1}) for _ in range(100)]


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("length(n)", "invalid type"),
        ("avg(['a'])", "invalid type"),
        ("'a' < `1`", "not supported"),
        ("list[::0]", "zero"),
        ("ceil(to_number('1e999'))", "infinity"),
    ],
)
def test_what_fails_says_which_expression_and_why(expression, why):
    with pytest.raises(NotificationError) as refused:
        Paths().find("mapping.tags", expression, {"n": 1, "list": [1]})
    assert refused.value.reason == "wrong_type"
    assert repr(expression) in refused.value.message
    assert why in refused.value.message


parts = st.sampled_from(
    [
        "a", "b[]", "[*]", "*", "[@,@]", "[]", "@", "keys(@)", "values(@)", "to_string(@)",
        "length(@)", "[?a==@]", "[::-1]", "sort(@)", "join('a',@)", "reverse(@)", "{a:@,b:@}",
        "map(&[@,@],@)", "to_array(@)", "max_by(@,&a)", "not_null(@,a)", "`[1,2]`", "merge(@,@)",
        "sum(@)", "to_number(@)", "type(@)", "contains(@,@)", "[@,[@,@]][]",
    ]
)  # fmt: skip


@given(
    st.lists(parts, min_size=1, max_size=30).map("|".join),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("ab"), inner),
        max_leaves=10,
    ),
)
def test_no_chain_of_expressions_does_more_than_find_or_refuse(expression, value):
    began = time.process_time()
    try:
        Paths(20_000).find("mapping.tags", expression, value)
    except NotificationError as error:
        assert error.field == "mapping.tags"  # noqa: PT017
    assert time.process_time() - began < 2
