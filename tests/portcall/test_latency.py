from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcall.latency import latency_class, merged, percentile

milliseconds = st.floats(min_value=0.11, max_value=300_000)


@given(st.lists(milliseconds, min_size=1), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_percentile_is_right_to_the_width_of_a_class(values, share):
    found = percentile(Counter(map(latency_class, values)), share)
    wanted = sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]
    assert wanted / 1.0906 <= found + 0.001
    assert found - 0.001 <= wanted * 1.0906


def test_nothing_counted_has_no_percentile():
    assert percentile({}, 0.5) is None


def test_within_a_class_it_is_placed_by_proportion():
    number = latency_class(100.0)
    assert percentile({number: 10}, 0.1) < percentile({number: 10}, 0.9)


@pytest.mark.parametrize("fast", [0.0, 0.05, 0.1])
def test_what_is_faster_than_can_be_told_is_in_the_first_class(fast):
    assert latency_class(fast) == 0
    assert percentile({0: 3}, 0.99) <= 0.1


def test_counts_add_up():
    assert merged({1: 2, 3: 4}, {3: 1}, {}) == {1: 2, 3: 5}
