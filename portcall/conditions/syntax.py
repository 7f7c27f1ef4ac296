"""What may be written in an expression, beyond CEL's own grammar, and where a fault is.

Texts are blotted out first, so that what stands in them is not taken for the expression.
"""

import ast
import re
from collections.abc import Iterator
from difflib import get_close_matches

from portcall.conditions.facts import PART_MEMBERS, TEXTS
from portcall.conditions.patterns import compile_regex

MATCHES = "Matches"
"""The name under which CEL calls our own `matches`: as long, so that positions stay."""

_TEXT = re.compile(
    r"""[rR](?:\"{3}.*?\"{3}|'{3}.*?'{3}|"[^"\n\r]*"|'[^'\n\r]*')"""
    r"""|[bB]?(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3})"""
    r"""|[bB]?(?:"(?:\\.|[^"\\\n\r])*"|'(?:\\.|[^'\\\n\r])*')"""
    r"""|//[^\n]*|[A-Za-z_]\w*|.""",
    re.DOTALL,
)
_PLAIN_LIST = re.compile(r"\[(?:[\s,-]|\d[\w.]*|true|false|null)*\]")
_LOOP = re.compile(r"\.\s*(all|exists|exists_one|filter|map)\s*\(")
_MATCHES = re.compile(r"\.\s*(matches)\s*\(")
_MEMBER = re.compile(rf"(?<![\w.])({'|'.join(PART_MEMBERS)})\s*\.\s*([A-Za-z_]\w*)")
_NAMES = (*TEXTS, *PART_MEMBERS, "tags", "platforms", "size", "occurred_at", "attributes")


def check_syntax(expression: str) -> None:
    """Raise ValueError, with the position, for what could make an evaluation dear or fail."""
    blotted = _blotted(expression)
    faults = [
        *_made_values(blotted),
        *_loops(blotted),
        *_faulty_matches(expression, blotted),
        *_unknown_members(blotted),
    ]
    if faults:
        raise ValueError(_at(*min(faults)))


def with_own_matches(expression: str) -> str:
    """Call our own `matches`, which has a budget, in place of CEL's."""
    out = list(expression)
    for found in _MATCHES.finditer(_blotted(expression)):
        out[found.start(1) : found.end(1)] = MATCHES
    return "".join(out)


def fault(expression: str, message: str) -> str:
    """Give cel-cpp's first complaint with the position in the whole expression."""
    found = re.search(r"<input>:(\d+):(\d+): (?:Syntax error: )?(.*)", message)
    if found is None:
        return f"not a CEL expression: {message.partition(': ')[2].partition(' [')[0] or message}"
    line, column, reason = int(found[1]), int(found[2]), found[3]
    before = expression.split("\n")[: line - 1]
    reason = re.sub(r" \(in container ''\)| expecting \{.*| \[INVALID_ARGUMENT\]", "", reason)
    unknown = re.search(r"undeclared reference to '([\w.]+)'", reason)
    near = get_close_matches(unknown[1].partition(".")[0], _NAMES, n=1) if unknown else []
    hint = f", did you mean {near[0]}?" if near else ""
    position = sum(len(text) + 1 for text in before) + column - 1
    return _at(position, reason.replace(MATCHES, "matches") + hint)


def _at(position: int, reason: str) -> str:
    return f"not a CEL expression at position {position}: {reason}"


def _blotted(expression: str) -> str:
    """Write noughts over texts, blanks over comments."""
    parts = []
    for found in _TEXT.finditer(expression):
        part = found[0]
        if part.startswith("//"):
            parts.append(" " * len(part))
        else:
            parts.append("0" * len(part) if part[-1] in "'\"" and len(part) > 1 else part)
    return "".join(parts)


def _made_values(blotted: str) -> Iterator[tuple[int, str]]:
    rest = _PLAIN_LIST.sub(lambda found: " " * len(found[0]), blotted)
    for found in re.finditer(r"[\[{]", rest):
        lists = 'brackets hold only plain values, as in ["a", "b"] or tags[0]'
        yield found.start(), lists if found[0] == "[" else "maps cannot be made here"


def _loops(blotted: str) -> Iterator[tuple[int, str]]:
    end = 0
    for found in _LOOP.finditer(blotted):
        if found[1] in ("filter", "map"):
            yield found.start(1), f"{found[1]} is not offered: exists, exists_one and all are"
        if found.start() < end:
            yield found.start(1), f"{found[1]} cannot stand inside another"
        end = max(end, _closing(blotted, found.end()))


def _closing(blotted: str, start: int) -> int:
    """Give where the parenthesis that was opened before `start` is closed."""
    depth = 1
    for found in re.compile(r"[()]").finditer(blotted, start):
        depth += 1 if found[0] == "(" else -1
        if depth == 0:
            return found.start()
    return len(blotted)


def _unknown_members(blotted: str) -> Iterator[tuple[int, str]]:
    for found in _MEMBER.finditer(blotted):
        part, member = found.groups()
        if member not in PART_MEMBERS[part]:
            yield found.start(2), f"{part} has no {member}, but: {', '.join(PART_MEMBERS[part])}"


def _faulty_matches(expression: str, blotted: str) -> Iterator[tuple[int, str]]:
    for found in _MATCHES.finditer(blotted):
        start = found.end()
        text = re.match(r"\s*(0+)\s*\)", blotted[start:])
        written = expression[start:][slice(*text.span(1))] if text else ""
        if not written.endswith(("'", '"')):
            yield start, "matches takes one regular expression in quotes"
            continue
        try:
            compile_regex(ast.literal_eval(written))
        except (ValueError, SyntaxError) as error:
            yield start, str(error)
