"""How lists look: aligned columns that lose nothing, in colour for people, plain for pipes.

On a terminal that is too narrow, long cells are folded and an id stands whole on a line below
its row, so that it can be copied; in a pipe, and with `wide`, a row is one line.
"""

import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from io import TextIOWrapper
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP = 2
_NARROWEST = 8
_OUTCOME_STYLES = {
    "delivered": "green",
    "matched": "green",
    "retrying": "yellow",
    "delivering": "cyan",
    "held": "blue",
    "queued": "blue",
    "waiting": "blue",
    "exhausted": "red",
    "rejected": "red",
    "blocked": "red",
    "failed": "red",
    "lost": "red",
    "cancelled": "magenta",
    "healthy": "green",
    "failing": "yellow",
    "paused": "yellow",
    "disabled": "red",
    "unmatched": "dim",
}
# C0, C1 and the bidirectional overrides: what a receiver answers must not drive a terminal.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def screen(*, stderr: bool = False) -> Console:
    """Give a console on today's stdout; in a pipe it has no colours and folds nothing."""
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="replace")
    width = None if stream.isatty() else 100_000
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)


def printable(value: object) -> str:
    """Give text whose control characters are visible instead of obeyed."""
    return _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", str(value))


def coloured(outcome: str) -> Text:
    """Colour an outcome."""
    return Text(printable(outcome), style=_OUTCOME_STYLES.get(outcome, ""))


def when(moment: datetime | None) -> str:
    """Give a time to the second in UTC, in a form that `--since` takes."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment else ""


def from_now(moment: datetime | None, now: datetime | None = None) -> str:
    """Say how far ahead a time is, in its largest unit: `in 4m`."""
    if moment is None:
        return ""
    left = int((moment - (now or datetime.now(UTC))).total_seconds())
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        if left >= size:
            return f"in {left // size}{unit}"
    return "now"


def print_json(value: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(value, indent=2, ensure_ascii=not _speaks_utf8()))


def print_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    *,
    below: Sequence[str] = (),
    wide: bool = False,
) -> None:
    """Print rows under their headings.

    Where a terminal is too narrow, the columns named in `below` stand whole on a line below
    each row, and the others are folded.
    """
    console = screen()
    if not rows:
        screen(stderr=True).print("Nothing found.", style="dim")
        return
    titles = [Text(heading, style="bold") for heading in headings]
    lines = [[_text(cell) for cell in row] for row in rows]
    widths = _widths([titles, *lines])
    if wide or not console.is_terminal or _total(widths) <= console.width:
        for line in [titles, *lines]:
            console.print(_line(line, widths), soft_wrap=True)
        return
    above = [index for index, heading in enumerate(headings) if heading not in below]
    beside = [index for index, heading in enumerate(headings) if heading in below]
    upper = [[line[index] for index in above] for line in [titles, *lines]]
    fitted = _fitted(_widths(upper), console.width)
    for line, part in zip([titles, *lines], upper, strict=True):
        console.print(_folded(part, fitted))
        if beside and line is not titles:
            rest = Text("  ").join(line[index] for index in beside)
            console.print(Text("  ", style="dim").append_text(rest), soft_wrap=True)


def print_more(more: bool) -> None:
    """Say beside the output that the list is longer than its limit."""
    if more:
        screen(stderr=True).print("There are more: raise --limit.", style="dim")


def _widths(lines: Sequence[Sequence[Text]]) -> list[int]:
    return [max(cell.cell_len for cell in column) for column in zip(*lines, strict=True)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _folded(cells: Sequence[Text], widths: Sequence[int]) -> Table:
    grid = Table.grid(padding=(0, _GAP, 0, 0))
    for width in widths:
        grid.add_column(width=width, overflow="fold")
    grid.add_row(*cells)
    return grid


def _line(row: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text()
    for cell, width in zip(row, widths, strict=True):
        line.append_text(cell).append(" " * (width - cell.cell_len + _GAP))
    line.rstrip()
    return line


def _fitted(widths: Sequence[int], room: int) -> list[int]:
    """Take from the widest column until all fit, as far as it makes sense."""
    fitted = list(widths)
    while _total(fitted) > room and max(fitted) > _NARROWEST:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


def _text(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(printable(cell).replace("\n", " "))


def _speaks_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
