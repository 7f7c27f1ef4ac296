"""How long answers took: counts in classes, each 9 % wider than the last, and percentiles."""

import math
from collections import Counter
from collections.abc import Mapping

_PER_DOUBLING = 8
_SMALLEST = 0.1


def latency_class(milliseconds: float) -> int:
    """Give the class; class 0 ends at 0.1 ms, and each further one is 9 % wider than the last."""
    if milliseconds <= _SMALLEST:
        return 0
    return math.floor(math.log2(milliseconds / _SMALLEST) * _PER_DOUBLING) + 1


def percentile(classes: Mapping[int, int], share: float) -> float | None:
    """Give the milliseconds within which this share was answered, to about 5 %.

    Within its class it is placed by proportion. None where nothing was counted.
    """
    total = sum(classes.values())
    if not total:
        return None
    wanted, below = share * total, 0
    for number, count in sorted(classes.items()):
        if below + count >= wanted:
            within = max(0.0, wanted - below) / count
            exponent = (number - 1 + within) / _PER_DOUBLING
            return round(_SMALLEST * math.exp2(exponent), 3)
        below += count
    raise AssertionError("the last class reaches every share")


def merged(*counted: Mapping[int, int]) -> Counter[int]:
    """Add counts up."""
    total: Counter[int] = Counter()
    for classes in counted:
        total.update(classes)
    return total
