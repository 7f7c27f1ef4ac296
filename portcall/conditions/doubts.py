"""What a policy may say, but can hardly mean: an event type or a source that nobody knows, ...

These are warnings: a policy may be written before its source, and registries invent events.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from portcall.conditions.block import Conditions
from portcall.conditions.text import TextCondition
from portcall.event_types import EVENT_TYPES
from portcall.policies import Policy

_GLOB_WILD = re.compile(r"\[[^\]]*\]|[*?{},]")
_STRANGE = {
    "tag": re.compile(r"[^A-Za-z0-9._-]"),  # OCI distribution spec, <reference> as a tag
    "repository": re.compile(r"[:@\s]|^[\w-]+(\.[\w-]+)+/"),  # a tag, a digest, a host
    "digest": re.compile(r"[^A-Za-z0-9+._:=-]"),
}
"""What hardly stands in a value of the field."""


@dataclass(frozen=True)
class Known:
    """The kinds of source that there are, and the sources that are configured."""

    kinds: Collection[str]
    sources: Collection[str]


def doubts(policy: Policy, known: Known) -> list[str]:
    """Say what will hardly be what was meant, each with the field."""
    blocks = {"match": policy.match, **{f"exclude.{i}": b for i, b in enumerate(policy.exclude)}}
    return [
        f"{place}.{text}"
        for place, block in blocks.items()
        for text in (*_of_types(block, known), *_of_sources(block, known), *_of_texts(block))
    ]


def _of_types(block: Conditions, known: Known) -> Iterator[str]:
    for index, wanted in enumerate(block.event_types or ()):
        if wanted.partition(".")[0] in known.kinds:
            continue
        if not any(fnmatchcase(name, wanted) for name in EVENT_TYPES) and not _is_wide(wanted):
            yield f"event_types.{index}: no event is called {wanted}{_hint(wanted, EVENT_TYPES)}"


def _is_wide(pattern: str) -> bool:
    """Whether it begins with a `*`, and so may fit what registries call their own."""
    return pattern.startswith("*")


def _of_sources(block: Conditions, known: Known) -> Iterator[str]:
    for index, name in enumerate(block.sources or ()):
        if name not in known.sources:
            yield f"sources.{index}: there is no source {name}{_hint(name, known.sources)}"


def _of_texts(block: Conditions) -> Iterator[str]:
    for field, strange in _STRANGE.items():
        condition: TextCondition | None = getattr(block, field)
        for text in _literals(condition) if condition else ():
            if found := strange.search(text):
                yield f"{field}: {text[:100]} holds {found[0]!r}, which hardly stands in a {field}"


def _literals(condition: TextCondition) -> Iterator[str]:
    """Give what the condition says letter by letter."""
    yield from condition.in_ or ()
    if condition.glob is not None:
        yield _GLOB_WILD.sub("", condition.glob)
    for inner in (*(condition.any_ or ()), *([condition.not_] if condition.not_ else ())):
        yield from _literals(inner)


def _hint(word: str, known: Collection[str]) -> str:
    near = get_close_matches(word, known, n=1)
    return f", did you mean {near[0]}?" if near else ""
