"""Shows long work: a moving line at a terminal, a line now and then in a log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from portcall.adapters.tools import Progress

PAUSE = 15


@contextmanager
def shown_progress(pause: float = PAUSE) -> Iterator[Progress]:
    """Give a function that shows how it goes on stderr; silent where it is never called."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    with console.status("") as status:
        status.stop()
        shown_at = -pause

        def show(message: str) -> None:
            nonlocal shown_at
            if console.is_terminal:
                status.update(escape(message[: console.width - 4]))
                status.start()
            elif time.monotonic() - shown_at >= pause:
                shown_at = time.monotonic()
                console.print(message, markup=False)

        yield show
