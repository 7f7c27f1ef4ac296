import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcall.conditions.versions import LONGEST_RANGE, check_range, is_in_range, parse_version


@pytest.mark.parametrize(
    ("wanted", "version", "inside"),
    [
        (">=1.2 <2", "1.2.0", True),
        (">=1.2 <2", "v1.9.9", True),
        (">=1.2 <2", "2.0.0", False),
        (">=1.2, <2", "1.5.0", True),
        (">=1.2,<2", "2.0.0", False),
        ("^1.2", "1.9.0", True),
        ("^1.2", "1.1.9", False),
        ("~1.2", "1.3.0", False),
        ("1.x || >=3", "3.1.0", True),
        ("1.2 - 1.4", "1.4.9", True),
        ("*", "0.0.1", True),
        ("1.2.3", "1.2.3+build.7", True),
        ("*", "1.2", False),
        ("*", "latest", False),
        ("*", "V1.2.3", False),
        ("*", " 1.2.3", False),
        ("*", "01.2.3", False),
        ("*", "1.2.3-" + "a" * 200, False),
    ],
)
def test_a_tag_with_all_three_numbers_is_in_a_range_or_not(wanted, version, inside):
    assert is_in_range(version, wanted, prereleases=False) is inside


@pytest.mark.parametrize(
    ("wanted", "version", "by_default", "by_choice"),
    [
        (">=1.2 <2", "1.3.0-rc.1", False, True),
        (">=1.2 <2", "2.0.0-rc.1", False, False),
        (">=1.2 <2", "1.2.0-rc.1", False, False),
        (">=1.2.0-0 <2", "1.2.0-rc.1", True, True),
        (">=1.2.0-0 <2.0.0-rc.2", "2.0.0-rc.1", True, True),
        (">=1.2.0-beta.2", "1.2.0-alpha.9", False, False),
        (">=1.2.0-beta.2", "1.2.0-beta.10", True, True),
        (">=1.2.0-beta.2", "1.3.0-beta.1", False, True),
        ("*", "1.3.0-beta.1", False, True),
    ],
)
def test_pre_releases_are_in_a_range_by_choice_or_where_it_names_their_release(
    wanted, version, by_default, by_choice
):
    assert is_in_range(version, wanted, prereleases=False) is by_default
    assert is_in_range(version, wanted, prereleases=True) is by_choice


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("latest", "not a range of versions at position 0: write for example >=1.2 <2 or ^1.2"),
        (">=1 foo", "not a range of versions at position 4: write for example >=1.2 <2 or ^1.2"),
        (">=1 <2 ||", "not a range of versions at position 9: nothing stands there"),
        (" , ", "not a range of versions at position 0: nothing stands there"),
        (">2 <1", "no version is in this range"),
        ("<0.0.0", "no version is in this range"),
        (">1.2.3 <1.2.4", "no version is in this range"),
        ("^1 ^2", "no version is in this range"),
    ],
)
def test_a_range_that_cannot_be_read_or_is_empty_is_refused(wanted, message):
    with pytest.raises(ValueError, match="version") as caught:
        check_range(wanted, prereleases=False)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "wanted", [">1.2.3", "<0.0.1", ">=1.0.0-rc.1 <1.0.0", "=1.2.3", ">1.0.0-a"]
)
def test_a_range_with_something_in_it_is_taken(wanted):
    check_range(wanted, prereleases=False)


versions = st.builds(
    "{}.{}.{}{}".format, *[st.integers(0, 3)] * 3, st.sampled_from(("", "-rc.1", "-0", "-a.b"))
)
parts = st.builds("{}{}".format, st.sampled_from((">", ">=", "<", "<=", "=", "^", "~")), versions)
ranges = st.lists(parts, min_size=1, max_size=3).map(" ".join)


@given(ranges, st.booleans())
def test_a_range_is_refused_as_empty_only_if_no_version_is_in_it(wanted, prereleases):
    numbers = itertools.product(range(5), range(5), range(5), ("", "-0", "-rc.1.0", "-a.b"))
    found = ["{}.{}.{}{}".format(*parts) for parts in numbers]
    try:
        check_range(wanted, prereleases)
    except ValueError:
        assert [v for v in found if is_in_range(v, wanted, prereleases)] == []


@given(st.text(max_size=LONGEST_RANGE) | st.text("0123456789.x*^~<>=|-, v", max_size=LONGEST_RANGE))
def test_any_text_is_a_range_or_refused(text):
    with contextlib.suppress(ValueError):
        check_range(text, prereleases=True)
    parse_version(text)
