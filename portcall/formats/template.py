"""The format `template`: a message of the user's own, in Jinja's language.

What it may cost is bounded by the language, by the steps of its loops, by the size of what it
makes and by the processor time that it takes.
"""

import html
import json
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus

from jinja2 import Undefined

from portcall.durations import format_duration
from portcall.events import RegistryEvent
from portcall.formats.format import Format, Message
from portcall.formats.sample import SAMPLE, SAMPLES
from portcall.formats.template_cost import LARGEST, while_filling
from portcall.formats.template_language import Compiled, TemplateError, compiled, language
from portcall.policies import Policy

_MOST_STEPS = 10_000
_MOST_WORK = 200_000_000
"""Characters of the events times parts of the template: bounds one pass over it."""

_MOST_COPIED = 16 * LARGEST
"""Characters between two steps, for which the memory is needed at the same time."""

_LONGEST = timedelta(milliseconds=300)
_WHOLE = "{{ (event if events | length == 1 else events) | tojson }}"


class Template:
    """Fills a text in with the event; the content type says how values are escaped in it."""

    name = "template"
    needs_raw = False

    def __init__(self, body: str = _WHOLE, content_type: str = "application/json") -> None:
        """Take the text; it is compiled once it is used."""
        self._body = body
        self._content_type = content_type

    def render(self, event: RegistryEvent) -> Message:
        """Give the message; raise TemplateError where the template cannot make one."""
        return self.render_group([event])

    def render_group(self, events: Sequence[RegistryEvent]) -> Message:
        """Give one message for all: `events`, of which `event` is the first."""
        text = _filled(_compiled(self._body, _medium(self._content_type)), events)
        return Message(self._content_type, text.encode("utf-8", "replace"))

    def check(self) -> None:
        """Try the template on samples; raise TemplateError saying what is wrong with it."""
        self._try([SAMPLE], "a sample event")
        self._try(SAMPLES, "a sample group")

    def _try(self, events: Sequence[RegistryEvent], of: str) -> None:
        made = self.render_group(events).body
        if _medium(self._content_type) == "json":
            try:
                json.loads(made)
            except ValueError as error:
                raise TemplateError(f"what it makes of {of} is no JSON: {error}") from None


def of_policy(known: Format, policy: Policy) -> Format:
    """Give a policy's format, filled in with its own template where it has one."""
    if known.name != Template.name or policy.template is None:
        return known
    return Template(policy.template.body, policy.template.content_type)


def _medium(content_type: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return "json"
    return {"application/x-www-form-urlencoded": "form", "text/html": "html"}.get(kind, "text")


def _in_json(value: Any) -> str:
    """Write a value; of a text what stands between the quotation marks."""
    return json.dumps(value)[1:-1] if isinstance(value, str) else json.dumps(value)


_WRITERS: dict[str, Callable[[Any], str]] = {
    "json": _in_json,
    "form": lambda value: quote_plus(str(value), errors="replace"),
    "html": lambda value: html.escape(str(value)),
    "text": str,
}


@lru_cache(maxsize=256)
def _compiled(body: str, medium: str) -> Compiled:
    write = _WRITERS[medium]
    env = language(lambda value: "" if _is_nothing(value) else write(value))
    return compiled(env, body)


def _is_nothing(value: Any) -> bool:
    return value is None or isinstance(value, Undefined)


def _filled(made: Compiled, events: Sequence[RegistryEvent]) -> str:
    told = [event.model_dump(mode="json", exclude={"raw"}) for event in events]
    length = len(json.dumps(told))
    if made.parts * length > _MOST_WORK:
        raise TemplateError(f"it has too many parts for {length} characters of events")
    try:
        return _bounded(made.template.generate(event=told[0], events=told))
    except TemplateError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever an expression may raise
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.name == _TOP]
        raise TemplateError(f"line {lines[-1]}: {error}" if lines else str(error)) from None


def _bounded(pieces: Iterable[str]) -> str:
    """Put the pieces together while they cost little; each turn of a loop makes one at least."""
    # The thread's own processor time: a busy machine alone makes no template fail.
    kept, size, copied, begin = [], 0, 0, time.thread_time()

    def check(more: int = 0) -> None:
        nonlocal copied
        copied += more
        if copied > _MOST_COPIED:
            raise TemplateError(f"it copies more than {_MOST_COPIED} characters in one step")
        if time.thread_time() - begin > _LONGEST.total_seconds():
            raise TemplateError(f"it takes longer than {format_duration(_LONGEST)}")

    watch = while_filling.set(check)
    try:
        for piece in pieces:
            kept.append(piece)
            size += len(piece)
            if len(kept) > _MOST_STEPS:
                raise TemplateError(f"its loops take more than {_MOST_STEPS} steps")
            if size > LARGEST:
                raise TemplateError(f"it makes more than {LARGEST} characters")
            copied = 0
            check()
    finally:
        while_filling.reset(watch)
    return "".join(kept)


_TOP = "top-level template code"
"""What Jinja calls the frame whose line is the template's."""
