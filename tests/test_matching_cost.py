"""The short form of `make bench-matching`: what must hold on every machine."""

import pytest

from bench.matching import MIXES, measure, ratios


@pytest.mark.timeout(180)
def test_ten_thousand_policies_cost_an_event_little_more_than_a_hundred():
    """Asking each policy would cost a hundred times as much; docs/figures.md has real figures."""
    times = measure(MIXES["all of these"], (100, 10_000), rounds=10, repeats=30)
    assert max(ratios(times).values()) < 4
