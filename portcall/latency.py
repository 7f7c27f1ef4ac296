"""How long answers took: counts in classes, each 9 % wider than the last, and percentiles."""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from itertools import accumulate

_PER_DOUBLING = 8
_SMALLEST = 0.1


def latency_class(milliseconds: float) -> int:
    """Give the class; class 0 ends at 0.1 ms, and each further one is 9 % wider than the last."""
    if milliseconds <= _SMALLEST:
        return 0
    return math.floor(math.log2(milliseconds / _SMALLEST) * _PER_DOUBLING) + 1


def percentile(classes: Mapping[int, int], share: float) -> float | None:
    """Give the milliseconds within which this share was answered, to about 5 %; `share` < 1.

    Within its class it is placed by proportion. None where nothing was counted.
    """
    total = sum(classes.values())
    if not total:
        return None
    numbers = sorted(classes)
    reached = list(accumulate(classes[number] for number in numbers))
    wanted = share * total
    place = bisect_left(reached, wanted)
    number = numbers[place]
    within = 1 - (reached[place] - wanted) / classes[number]
    return round(_SMALLEST * math.exp2((number - 1 + within) / _PER_DOUBLING), 3)


def merged(*counted: Mapping[int, int]) -> Counter[int]:
    """Add counts up."""
    total: Counter[int] = Counter()
    for classes in counted:
        total.update(classes)
    return total
