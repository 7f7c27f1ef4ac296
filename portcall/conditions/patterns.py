"""Regular expressions (RE2) and globs: compiled, or refused with the position of the fault.

RE2 matches in linear time, so that no pattern can be a denial of service.
"""

import bisect
import functools
import re
from typing import Any

import re2

LONGEST_PATTERN = 10_000


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    return options


@functools.lru_cache(maxsize=20_000)
def compile_regex(pattern: str) -> Any:
    """Compile an RE2 pattern; raise ValueError naming the fault and its position."""
    try:
        return re2.compile(pattern, _options())
    except re2.error:
        reason, fragment = _fault(pattern)
        raise ValueError(
            f"not a regular expression (RE2) at position {_position(pattern, reason, fragment)}: "
            f"{reason}"
        ) from None


def _fault(pattern: str) -> tuple[str, str]:
    """Give RE2's reason and the part of the pattern that it blames, both empty if it compiles."""
    try:
        re2.compile(pattern, _options())
    except re2.error as error:
        reason, _, fragment = error.args[0].decode("utf-8", "replace").partition(": ")
        return reason, fragment
    return "", ""


def _position(pattern: str, reason: str, fragment: str) -> int:
    """Say where the fault is: RE2 names the fragment only, and often all of the pattern.

    It reads from left to right, so that the shortest prefix with the same fault ends at it.
    What is missing is missing at the end.
    """
    if reason.startswith(("missing", "trailing")):
        return len(pattern)
    if fragment != pattern and pattern.count(fragment) == 1:
        return pattern.find(fragment)
    ends = range(1, len(pattern) + 1)
    return bisect.bisect_left(ends, True, key=lambda end: _fault(pattern[:end])[0] == reason)


_GLOB_TOKEN = re.compile(r"(?:(?<=/)|^)\*\*/|\*\*|\*|\?|\[(?![!^]\])[!^]?.[^\]]*\]|.", re.DOTALL)
_GLOB_PLAIN = {"**": ".*", "*": "[^/]*", "?": "[^/]", "**/": "(?:.*/)?"}
_GLOB_BRACES = {"{": "(?:", "}": ")", ",": "|"}


@functools.lru_cache(maxsize=20_000)
def glob_to_regex(glob: str) -> str:
    """Translate a glob: `*` within one path part, `**` across them, `?`, `[a-z]`, `{a,b}`."""
    out: list[str] = []
    depth = 0
    for match in _GLOB_TOKEN.finditer(glob):
        part = match[0]
        was_open = depth > 0
        depth += {"{": 1, "}": -1 if depth else 0}.get(part, 0)
        if part in _GLOB_PLAIN:
            out.append(_GLOB_PLAIN[part])
        elif part in _GLOB_BRACES and (depth or was_open):
            out.append(_GLOB_BRACES[part])
        elif part == "[":
            raise ValueError(f"not a glob at position {match.start()}: missing ]")
        elif part[0] == "[":
            out.append(_glob_class(part[1:-1], match.start()))
        else:
            out.append(re.escape(part))
    if depth:
        raise ValueError(f"not a glob at position {glob.rfind('{')}: missing }}")
    return "".join(out)


def _glob_class(body: str, position: int) -> str:
    inverted = body[0] in "!^"
    safe = body[inverted:].replace("\\", "\\\\").replace("[", "\\[")
    translated = f"[{'^/' if inverted else ''}{safe}]"
    reason, _ = _fault(translated)
    if reason:
        raise ValueError(f"not a glob at position {position}: {reason}")
    return translated
