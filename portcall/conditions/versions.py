"""Ranges of versions as npm, Flux and Kargo write them: `>=1.2 <2`, `^1.2`, `1.x || >=3`.

A tag is a version (semver.org) with all three numbers, with or without `v` before it.
"""

from functools import lru_cache
from typing import Any

import nodesemver

LONGEST_RANGE = 255
_LONGEST_VERSION = 128  # a tag's length


@lru_cache(maxsize=20_000)
def parse_range(text: str) -> Any:
    """Parse a range, whose comparators a comma may part too; raise ValueError with the position."""
    for start, alternative in _alternatives(text):
        if not alternative.strip(" ,"):
            raise ValueError(f"not a range of versions at position {start}: nothing stands there")
    try:
        return nodesemver.make_range(text.replace(",", " "), loose=False)
    except ValueError as error:
        part = str(error).rpartition(": ")[2]
        where = f" at position {text.find(part)}" if part and part in text else ""
        raise ValueError(
            f"not a range of versions{where}: write for example >=1.2 <2 or ^1.2"
        ) from None


def _alternatives(text: str) -> list[tuple[int, str]]:
    found, start = [], 0
    for alternative in text.split("||"):
        found.append((start, alternative))
        start += len(alternative) + 2
    return found


def check_range(text: str, prereleases: bool) -> None:
    """Raise ValueError for a range that cannot be read, or that no version is in."""
    if not any(_is_in(parse_range(text), version, prereleases) for version in _candidates(text)):
        raise ValueError("no version is in this range")


def _candidates(text: str) -> list[Any]:
    """Give the versions of which one is in the range unless it is empty: where its parts begin."""
    found = ["0.0.0", "0.0.0-0"]
    for comparator in (c for part in parse_range(text).set for c in part if c.value):
        version = comparator.semver
        release = f"{version.major}.{version.minor}.{version.patch}"
        following = f"{version.major}.{version.minor}.{version.patch + 1}"
        found += [str(version), release, following, f"{following}-0"]
        if version.prerelease:
            found.append(f"{version}.0")
    return [nodesemver.make_semver(text, loose=False) for text in found]


def is_in_range(text: str, wanted: str, prereleases: bool) -> bool:
    """Whether the text is a version, and one in the range."""
    version = parse_version(text)
    return version is not None and _is_in(parse_range(wanted), version, prereleases)


@lru_cache(maxsize=10_000)
def parse_version(text: str) -> Any:
    """Parse a version, None where the text is none."""
    if len(text) > _LONGEST_VERSION or text != text.strip():
        return None
    try:
        return nodesemver.make_semver(text, loose=False)
    except ValueError:
        return None


def _is_in(parsed: Any, version: Any, prereleases: bool) -> bool:
    if not version.prerelease or not prereleases:
        return bool(parsed.test(version))
    return any(all(_allows(c, version) for c in part) for part in parsed.set)


def _allows(comparator: Any, version: Any) -> bool:
    """Compare; a pre-release of what `<2` keeps out is kept out too, as npm does it."""
    if comparator.operator == "<" and not comparator.semver.prerelease:
        return bool(comparator.semver.compare_main(version) > 0)
    return bool(comparator.test(version))
