"""How one exchange with a receiver looks: the request, the answer, how long it took.

Whatever comes from outside is made printable first: a receiver's answer must not drive the
reader's terminal.
"""

import base64
import binascii
import json
from collections.abc import Mapping

from rich.text import Text

from portcall.attempts import AttemptRecord, Headers, RequestRecord, ResponseRecord
from portcall.cli.tables import coloured, printable, screen, when
from portcall.durations import about


def print_attempt(record: AttemptRecord, *, at_once: bool) -> None:
    """Print an attempt with what was sent and answered; `at_once`: the next one did not wait."""
    title = f"\nAttempt {record.number}  {when(record.started_at)}  "
    line = Text(title, style="bold").append_text(coloured(record.outcome))
    said = record.summary().removeprefix(f"{record.outcome}: ")
    screen().print(line, Text(printable(said)), soft_wrap=True)
    if record.request:
        print_request(record.request)
    if record.response:
        say(f"< HTTP {record.response.status}", "cyan")
        _print_message("<", record.response)
    say(f"  {_timings(record)}", "dim")
    if record.next_attempt_in is not None:
        say(f"  next attempt after {about(record.next_attempt_in)}", "dim")
    elif at_once:
        say("  made again at once", "dim")


def print_request(request: RequestRecord) -> None:
    """Print a request: where it goes, its headers and its body."""
    say(f"> {request.method} {request.url}", "cyan")
    _print_message(">", request)


def _print_message(sign: str, message: RequestRecord | ResponseRecord) -> None:
    headers: Headers = message.headers
    for name, value in headers:
        say(f"{sign} {name}: {value}", "cyan")
    print_body(message.body, message.body_encoding)
    if message.truncated:
        say(f"  (cut; {message.body_bytes} bytes)", "dim")


def print_body(body: str, encoding: str) -> None:
    """Print a body for reading, indented."""
    if body:
        say("\n".join(f"  {line}" for line in readable(body, encoding).splitlines()))


def readable(body: str, encoding: str) -> str:
    """Give a body for reading: JSON indented, other text as it is, base64 where it is no text."""
    try:
        text = base64.b64decode(body).decode() if encoding == "base64" else body
    except (UnicodeDecodeError, binascii.Error):
        return f"{body} (base64)"
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _timings(record: AttemptRecord) -> str:
    phases = record.timings_ms.model_dump(exclude_none=True)
    parts = [f"{name.replace('_', ' ')} {value:.1f} ms" for name, value in phases.items()]
    return ", ".join([*parts, *([f"peer {record.peer}"] if record.peer else [])])


def print_facts(facts: Mapping[str, str | None]) -> None:
    """Print facts, one a line, without those that are not known."""
    width = max(map(len, facts))
    for name, value in facts.items():
        if value:
            say(f"{name:<{width}}  {value}")


def say(line: str, style: str = "") -> None:
    """Print one line, made printable."""
    screen().print(Text(printable(line), style=style), soft_wrap=True)
