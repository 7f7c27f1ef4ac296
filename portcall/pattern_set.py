"""Asks many regular expressions about one text at once.

RE2's own filter looks for the literals that each expression needs and tries only those whose
literals are there, so that the cost hardly grows with their number.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any
from weakref import WeakValueDictionary
from zlib import crc32

import re2

from portcall.conditions.patterns import compile_regex

PART_LENGTH = 50_000
"""Characters of patterns in one filter; RE2 refuses a filter of somewhat more than twice that.

A change builds one part anew, which holds the interpreter's lock for some 50 ms.
"""


class PatternSet:
    """Distinct expressions, immutable; sets that are alike share their parts."""

    def __init__(self, patterns: Collection[str]) -> None:
        # By hash, so that one expression more or less changes one part and leaves the others.
        count = 1 + sum(map(len, patterns)) // PART_LENGTH
        shares = defaultdict(list)
        for pattern in sorted(patterns):
            shares[crc32(pattern.encode()) % count].append(pattern)
        self._parts = [_part(tuple(share)) for share in shares.values()]

    def fitting(self, text: str) -> Iterator[str]:
        """Give the expressions that fit the whole text."""
        encoded = text.encode(errors="replace")
        for part in self._parts:
            yield from part.fitting(text, encoded)


class _Part:
    """Some of the expressions: those in filters, and the odd ones that none takes."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._odd: list[str] = []
        self._filters: list[tuple[Any, list[str]]] = []
        self._add(patterns)

    def fitting(self, text: str, encoded: bytes) -> Iterator[str]:
        for found, patterns in self._filters:
            for index in found.Match(encoded) or ():
                yield patterns[index]
        for pattern in self._odd:
            if compile_regex(pattern).fullmatch(text):
                yield pattern

    def _add(self, patterns: Sequence[str]) -> None:
        tried = re2.Filter()
        taken = []
        for pattern in patterns:
            try:
                tried.Add(rf"\A(?:{pattern})\z", _OPTIONS)
                taken.append(pattern)
            except re2.error:  # such as `a\Qb`, which quotes the parenthesis
                self._odd.append(pattern)
        if not taken:
            return
        try:
            tried.Compile()
            self._filters.append((tried, taken))
        except re2.error:  # too many literals for RE2's memory
            if len(taken) == 1:
                self._odd += taken
            else:
                middle = len(taken) // 2
                self._add(taken[:middle])
                self._add(taken[middle:])


_parts: WeakValueDictionary[tuple[str, ...], _Part] = WeakValueDictionary()


def _part(patterns: tuple[str, ...]) -> _Part:
    part = _parts.get(patterns)
    if part is None:
        part = _parts[patterns] = _Part(patterns)
    return part


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    return options


_OPTIONS = _options()
