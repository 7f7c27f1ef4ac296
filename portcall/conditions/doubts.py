"""What a policy may say, but can hardly mean: an event type or a source that nobody knows, ...

These are warnings: a policy may be written before its source, and registries invent events.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from portcall.conditions.block import Conditions
from portcall.conditions.text import TextCondition
from portcall.event_types import EVENT_TYPES, OWN_TYPES
from portcall.own_events import OWN_SOURCE
from portcall.policies import Policy

_GLOB_WILD = re.compile(r"\[[^\]]*\]|[*?{},]")
_STRANGE = {
    "tag": re.compile(r"[^A-Za-z0-9._+-]|\+$"),  # an OCI <reference>, or a chart's 1.1.0+build.5
    "repository": re.compile(r"[A-Z:@\s]|^[\w-]+(\.[\w-]+)+/|^/"),  # no name, a tag, a host
    "digest": re.compile(r"[^A-Za-z0-9+._:=-]"),
}
"""What hardly stands in a value of the field."""

_WHOLE = {
    "digest": (re.compile(r".+:.+"), "sha256:…"),
    "platform": (re.compile(r".+/.+"), "linux/arm64"),
    "repository": (re.compile(r"[^/](.*[^/])?"), "prod/app"),
}
"""What a whole value of the field looks like, and one for example."""

_ANY = re.compile(r".*", re.DOTALL)
_WORDS = {
    "replication.status": ("running", "succeeded", "failed", "stopped"),
    "visibility": ("public", "private"),
}
"""All values that the field can have."""

_TOLD_BY = {
    "scan": ("scan.*", "vulnerability.found"),
    "replication": ("replication.changed", "cache.*"),
    "quota": ("quota.*",),
    "retention": ("retention.finished",),
}
"""The events that have what a condition looks at."""

_UNTAGGED = (
    "blob.*", "referrer.*", "repository.*", "scan.config_changed", "source.*", "target.*",
)  # fmt: skip
_NAMES = ("tag", "repository", "project")
_GLOB_AS_REGEX = re.compile(r"[\w/-]*\*[\w/*-]*")


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
        for text in (
            *_of_types(block, known),
            *_of_own(block, block.sources or policy.match.sources or ()),
            *_of_sources(block, known),
            *_of_events(block),
            *_of_texts(block, known),
        )
    ]


def _of_types(block: Conditions, known: Known) -> Iterator[str]:
    for index, wanted in enumerate(block.event_types or ()):
        if wanted.partition(".")[0] in known.kinds or _is_wide(wanted):
            continue
        if not _fitting([wanted]):
            yield f"event_types.{index}: no event is called {wanted}{_hint(wanted, EVENT_TYPES)}"


def _of_own(block: Conditions, sources: Collection[str]) -> Iterator[str]:
    """Name the types of which none can come, since Portcall's own events go by their source."""
    if OWN_SOURCE not in sources:
        for index, wanted in enumerate(block.event_types or ()):
            fitting = _fitting([wanted])
            if fitting and set(fitting) <= set(OWN_TYPES):
                yield (
                    f"event_types.{index}: {wanted} is what Portcall tells of itself, to policies"
                    f" with sources: [{OWN_SOURCE}]"
                )


def _is_wide(pattern: str) -> bool:
    """Whether it begins with a `*`, and so may fit what registries call their own."""
    return pattern.startswith("*")


def _fitting(patterns: Sequence[str], names: Sequence[str] = EVENT_TYPES) -> list[str]:
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def _of_sources(block: Conditions, known: Known) -> Iterator[str]:
    for index, name in enumerate(block.sources or ()):
        if name not in known.sources and name != OWN_SOURCE:
            kind = f"; if the kind is meant, write kind: {name}" if name in known.kinds else ""
            yield f"sources.{index}: there is no source {name}{kind or _hint(name, known.sources)}"


def _of_events(block: Conditions) -> Iterator[str]:
    """Name the first condition for which no event that may be wanted has anything to look at."""
    patterns = block.event_types or ["*"]
    if not all(_is_wide(pattern) or _fitting([pattern]) for pattern in patterns):
        return  # what a registry calls its own may have anything
    wanted = _fitting(patterns)
    for path in _asking_for_something(block):
        part = path.partition(".")[0]
        if part in _TOLD_BY:
            wanted = _fitting(_TOLD_BY[part], wanted)
        elif part in ("tag", "tagged"):
            wanted = [name for name in wanted if name not in _fitting(_UNTAGGED)]
        if not wanted:
            others = f"; {', '.join(_TOLD_BY[part])} do" if part in _TOLD_BY else ""
            yield f"{path}: no event that is wanted here has a {part.removesuffix('ged')}{others}"
            return


def _asking_for_something(block: Conditions) -> Iterator[str]:
    """Give the conditions that an event without anything in their place does not satisfy."""
    for asked in block.asked:
        if asked.path == "tagged":
            if getattr(block, "tagged", None) is True:
                yield asked.path
        elif not asked.condition.holds(()):
            yield asked.path


def _of_texts(block: Conditions, known: Known) -> Iterator[str]:
    for asked in block.asked:
        if isinstance(asked.condition, TextCondition):
            for leaf in _leaves(asked.condition):
                yield from (f"{asked.path}: {said}" for said in _of_leaf(asked.path, leaf, known))


def _leaves(condition: TextCondition) -> Iterator[TextCondition]:
    inner = [*(condition.any_ or ()), *([condition.not_] if condition.not_ else ())]
    for part in inner:
        yield from _leaves(part)
    if not inner:
        yield condition


def _of_leaf(path: str, leaf: TextCondition, known: Known) -> Iterator[str]:
    for text in leaf.in_ or ():
        yield from _of_value(path, text, known)
    if leaf.glob is not None:
        yield from _of_letters(path, _GLOB_WILD.sub("", leaf.glob))
    if leaf.regex is not None and path in _NAMES:
        yield from _of_regex(path, leaf.regex)


def _of_value(path: str, text: str, known: Known) -> Iterator[str]:
    words = known.kinds if path == "kind" else _WORDS.get(path)
    if words is not None and text not in words and (path, text) != ("kind", OWN_SOURCE):
        yield f"never {text[:100]}, but one of: {', '.join(sorted(words))}"
    shape, example = _WHOLE.get(path, (_ANY, ""))
    if shape.fullmatch(text):
        yield from _of_letters(path, text)
    else:
        yield f"{text[:100]} is not a whole {path}, such as {example}"


def _of_letters(path: str, text: str) -> Iterator[str]:
    if path in _STRANGE and (found := _STRANGE[path].search(text)):
        yield f"{text[:100]} holds {found[0]!r}, which hardly stands in a {path}"


def _of_regex(path: str, regex: str) -> Iterator[str]:
    shown = regex[:100]
    if regex.startswith("/"):
        yield f"{shown} begins with a slash, as no {path} does: leave out slashes around a regex"
    elif r"\\" in regex:
        yield rf"{shown} looks for a backslash: only in double quotes is one written \\"
    elif _GLOB_AS_REGEX.fullmatch(regex):
        yield f"{shown} looks like a glob: in a regex, * repeats what stands before it"


def _hint(word: str, known: Collection[str]) -> str:
    near = get_close_matches(word, known, n=1)
    return f", did you mean {near[0]}?" if near else ""
