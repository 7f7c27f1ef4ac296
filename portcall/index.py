"""An index over all policies: which of them an event could concern, at a cost that hardly grows.

A set of policies is one integer, a bit for each. Every field gives the set of those whose
condition on it holds, and the intersection is left. It decides on types, sources and texts only;
what a policy asks beyond that, and why one does not match, is left to `portcall/matching.py`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache, reduce
from operator import or_

from portcall.conditions.block import TEXT_FIELDS
from portcall.conditions.patterns import glob_to_regex
from portcall.conditions.text import TextCondition
from portcall.events import RegistryEvent
from portcall.own_events import OWN_SOURCE
from portcall.pattern_set import PatternSet
from portcall.policies import Policy

RULING_OUT = ("event_types", "sources", "project")
"""Policies that fail on these are counted, not listed: nobody expects them to match."""

_ANY = ""
_TYPES_REMEMBERED = 1000
_FEW = 16
_WINDOW = (1 << 512) - 1


@dataclass(frozen=True)
class Sifted:
    """What is left of all policies for one event, each in the order of the policies.

    `candidates` satisfy all types, sources and texts. `near` are the others that are not ruled
    out, those that fail last first. `ruled_out` counts the rest by what they fail on.
    """

    policies: Sequence[Policy]
    candidate_bits: int
    near_bits: tuple[tuple[str, int], ...]
    ruled_out: dict[str, int]

    def candidates(self) -> Iterator[Policy]:
        """Give those whose remaining conditions are to be asked."""
        return self._of(self.candidate_bits)

    def near(self) -> Iterator[tuple[str, Iterator[Policy]]]:
        """Give those that fail on a text, by the field that is the first to fail."""
        return ((field, self._of(bits)) for field, bits in self.near_bits)

    def near_count(self) -> int:
        """Count those that fail on a text."""
        return sum(bits.bit_count() for _, bits in self.near_bits)

    def _of(self, bits: int) -> Iterator[Policy]:
        return map(self.policies.__getitem__, _positions(bits))


class PolicyIndex:
    """The index of some policies; it does not change once it is built."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        self._policies = policies
        self._everyone = (1 << len(policies)) - 1
        self._fields: dict[str, _Types | _Sources | _Texts] = {
            "event_types": _Types(policies),
            "sources": _Sources(policies),
        }
        for name in TEXT_FIELDS:
            conditions = ((i, getattr(policy.match, name)) for i, policy in enumerate(policies))
            if asking := {i: condition for i, condition in conditions if condition is not None}:
                self._fields[name] = _Texts(name, asking, self._everyone)

    def sift(self, event: RegistryEvent) -> Sifted:
        """Take away, field after field, the policies whose condition on it does not hold."""
        left = self._everyone
        ruled_out: dict[str, int] = {}
        near: list[tuple[str, int]] = []
        for name, asked in self._fields.items():
            before, left = left, left & asked.holding(event, left)
            failing = before ^ left
            if failing and name in RULING_OUT:
                ruled_out[name] = failing.bit_count()
            elif failing:
                near.insert(0, (name, failing))
        return Sifted(self._policies, left, tuple(near), ruled_out)


class _Sources:
    def __init__(self, policies: Sequence[Policy]) -> None:
        self._wanting = _Table()
        for position, policy in enumerate(policies):
            self._wanting.put(position, policy.match.sources or (_ANY,))

    def holding(self, event: RegistryEvent, _among: int) -> int:
        if event.source == OWN_SOURCE:  # which is wanted by name or not at all
            return self._wanting.union((event.source,))
        return self._wanting.union((_ANY, event.source))


class _Types:
    def __init__(self, policies: Sequence[Policy]) -> None:
        wanting = _Table()
        for position, policy in enumerate(policies):
            wanting.put(position, policy.match.event_types or ("*",))

        @lru_cache(_TYPES_REMEMBERED)
        def of_type(event_type: str) -> int:
            return wanting.union(pattern for pattern in wanting if fnmatchcase(event_type, pattern))

        self._of_type = of_type

    def holding(self, event: RegistryEvent, _among: int) -> int:
        return self._of_type(event.type)


class _Texts:
    """The conditions on one field; what no table answers is asked, once if it is asked alike."""

    def __init__(self, name: str, asking: Mapping[int, TextCondition], everyone: int) -> None:
        self._values = TEXT_FIELDS[name]
        self._asking = _bits(list(asking))
        self._others = everyone ^ self._asking
        self._literals, self._expressions, self._odd = _Table(), _Table(), _Table()
        self._conditions: dict[str, TextCondition] = {}
        for position, condition in asking.items():
            self._put(position, condition)
        self._patterns = PatternSet(self._expressions)

    def _put(self, position: int, condition: TextCondition) -> None:
        if condition.in_ is not None:
            self._literals.put(position, condition.in_)
        elif condition.regex is not None:
            self._expressions.put(position, (condition.regex,))
        elif condition.glob is not None:
            self._expressions.put(position, (glob_to_regex(condition.glob),))
        elif condition.any_ is not None:
            for part in condition.any_:
                self._put(position, part)
        else:
            key = condition.model_dump_json()
            self._conditions[key] = condition
            self._odd.put(position, (key,))

    def holding(self, event: RegistryEvent, among: int) -> int:
        if not among & self._asking:
            return among
        values = self._values(event)
        fitting = (pattern for value in values for pattern in self._patterns.fitting(value))
        found = self._others | self._literals.union(values)
        found |= self._expressions.union(fitting)
        for key, condition in self._conditions.items():
            bits = self._odd.union((key,))
            if among & bits & ~found and condition.holds(values):
                found |= bits
        return found


class _Table(dict[str, int | tuple[int, ...]]):
    """A set of policies for each key: their positions, or bits where they are more than a few.

    Most values are wanted by few policies, and bits for each would take a kilobyte. Tuples of
    numbers are of no concern to the garbage collector, which would else stop the process.
    """

    def put(self, position: int, keys: Iterable[str]) -> None:
        for key in keys:
            found = self.get(key, ())
            if isinstance(found, int):
                self[key] = found | 1 << position
            elif len(found) < _FEW:
                self[key] = (*found, position)
            else:
                self[key] = _bits(found) | 1 << position

    def union(self, keys: Iterable[str]) -> int:
        """Give the bits of all that are in one of the sets."""
        bits = 0
        positions: list[int] = []
        for key in keys:
            found = self.get(key, 0)
            if isinstance(found, int):
                bits |= found
            else:
                positions += found
        return bits | _bits(positions)


def _bits(positions: Sequence[int]) -> int:
    if len(positions) <= _FEW:
        return reduce(or_, map((1).__lshift__, positions), 0)
    digits = bytearray(b"0") * (max(positions) + 1)
    for position in positions:
        digits[-1 - position] = ord("1")
    return int(digits, 2)


def _positions(bits: int) -> Iterator[int]:
    base = 0
    while bits:
        window = bits & _WINDOW  # every step on a number of 10,000 bits would copy all of it
        while window:
            lowest = window & -window
            yield base + lowest.bit_length() - 1
            window ^= lowest
        bits >>= _WINDOW.bit_length()
        base += _WINDOW.bit_length()
