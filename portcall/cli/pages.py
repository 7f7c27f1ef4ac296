"""How one delivery and one event look: the verdict on top, then the facts, then each request.

Whatever comes from outside is made printable first: a receiver's answer must not drive the
reader's terminal.
"""

import base64
import binascii
import json
import shlex
from collections.abc import Mapping, Sequence

from rich.text import Text

from portcall.attempts import (
    AttemptRecord,
    EventOutcome,
    Headers,
    Outcome,
    RequestRecord,
    ResponseRecord,
)
from portcall.cli.groups import deliveries_of, print_groups
from portcall.cli.misses import print_misses
from portcall.cli.tables import coloured, from_now, print_table, printable, screen, when
from portcall.durations import about
from portcall.events import Verification
from portcall.log import DeliveryDetail, DeliverySummary, EventDetail, EventSummary

_DELIVERY_HEADINGS = (
    "STARTED", "EVENT", "ARTIFACT", "POLICY", "TARGET", "OUTCOME", "ATTEMPTS", "STATUS", "NEXT",
    "ID",
)  # fmt: skip
_EVENT_HEADINGS = (
    "RECEIVED",
    "EVENT",
    "ARTIFACT",
    "SOURCE",
    "ACTOR",
    "OUTCOME",
    "DELIVERIES",
    "ID",
)


def print_deliveries(deliveries: Sequence[DeliverySummary], wide: bool = False) -> None:
    """Print deliveries as a table."""
    rows: list[Sequence[str | Text]] = [
        [
            when(delivery.started_at),
            delivery.event_type,
            artifact(delivery),
            delivery.policy,
            delivery.target,
            coloured(delivery.outcome),
            str(delivery.attempts),
            str(delivery.http_status or "-"),
            from_now(delivery.next_attempt_at),
            delivery.id,
        ]
        for delivery in deliveries
    ]
    print_table(_DELIVERY_HEADINGS, rows, below=("STARTED", "POLICY", "TARGET", "ID"), wide=wide)


def print_events(events: Sequence[EventSummary], wide: bool = False) -> None:
    """Print events as a table."""
    rows: list[Sequence[str | Text]] = [
        [
            when(event.received_at),
            event.type,
            artifact(event),
            event.source,
            event.actor or "-",
            coloured(event.outcome or "-"),
            deliveries_of(event),
            event.id,
        ]
        for event in events
    ]
    print_table(_EVENT_HEADINGS, rows, below=("RECEIVED", "ID"), wide=wide)


def artifact(about: DeliverySummary | EventSummary) -> str:
    """Name what it is about: `prod/app:v1`, else by digest, else `-`."""
    if about.tags:
        return f"{about.repository or ''}:{','.join(about.tags)}"
    if about.digest:
        return f"{about.repository or ''}@{about.digest[:19]}"
    return about.repository or "-"


def print_delivery(delivery: DeliveryDetail) -> None:
    """Print one delivery with all its attempts."""
    _say(delivery.id, "bold")
    print_verdict(delivery)
    print_facts(
        {
            "Event": f"{delivery.event_type} {delivery.event_id}",
            "Artifact": artifact(delivery),
            "Digest": delivery.digest,
            "Source": delivery.source,
            "Policy": delivery.policy,
            "Target": delivery.target,
            "Started": when(delivery.started_at),
            "Ended": when(delivery.closed_at),
            "Web UI": delivery.temporal_url,
        }
    )
    run_id = None
    for record in delivery.attempt_records:
        if run_id not in (None, record.run_id):
            _say("\nSent again: redelivery begins here", "bold")
        run_id = record.run_id
        _print_attempt(record)
    _say("\nWhat you can do", "bold")
    for line in _next_steps(delivery):
        _say(f"  {line}")


def print_verdict(delivery: DeliveryDetail) -> None:
    """Print how the delivery stands and why."""
    line = coloured(delivery.outcome).append(printable(f": {verdict(delivery)}"), style="default")
    screen().print(line, soft_wrap=True)


def verdict(delivery: DeliveryDetail) -> str:
    """Say in one sentence how the delivery stands, and why."""
    last = delivery.attempt_records[-1] if delivery.attempt_records else None
    what = last.summary() if last else "no attempt yet"
    if delivery.outcome is Outcome.DELIVERED:
        return f"{what} at attempt {delivery.attempts}."
    if delivery.outcome is Outcome.RETRYING:
        due = when(delivery.next_attempt_at)
        return f"attempt {delivery.attempts} failed with {what}; the next one is due at {due}."
    if delivery.outcome is Outcome.DELIVERING:
        return "an attempt is under way."
    if delivery.outcome is Outcome.CANCELLED:
        return (
            f"after attempt {delivery.attempts}, which failed with {what}."
            if delivery.attempts
            else "before its first attempt."
        )
    if since := delivery.held_since or delivery.queued_since:
        return f"since {when(since)}, {delivery.reason}."
    return f"{(delivery.reason or what).rstrip('.')}."


def print_event(event: EventDetail) -> None:
    """Print one event: facts, what the registry sent, deliveries, and which policies passed."""
    _say(f"{event.type} {artifact(event)}", "bold")
    print_facts(
        {
            "Id": event.id,
            "Source": f"{event.source} ({event.event.kind}: {event.event.native_type})",
            "Project": event.project,
            "Digest": event.event.digest or event.digest,
            "Registry": _verification(event.event.verification),
            "Actor": event.actor,
            "Occurred": when(event.occurred_at),
            "Received": when(event.received_at),
            "Outcome": event.outcome,
            "Web UI": event.temporal_url,
        }
    )
    if raw := event.event.raw:
        cut = ", cut" if raw.truncated else ""
        _say(f"\nWhat the registry sent ({raw.content_type}, {raw.size} bytes{cut})", "bold")
        print_body(raw.body, raw.encoding)
    _say("\nDeliveries", "bold")
    print_deliveries(event.delivery_list)
    print_groups(event.group_list)
    if event.misses or event.ruled_out:
        _say("\nPolicies that did not match", "bold")
        print_misses(event.misses, event.more_misses, event.ruled_out)
    elif event.outcome is EventOutcome.UNMATCHED:
        _say("There was no policy that it could match.")


def _verification(found: Verification | None) -> str | None:
    """Say what came of asking the registry."""
    if found is None:
        return None
    return f"{found.state}: {found.reason}" if found.reason else found.state


def _print_attempt(record: AttemptRecord) -> None:
    title = f"\nAttempt {record.number}  {when(record.started_at)}  "
    line = Text(title, style="bold").append_text(coloured(record.outcome))
    said = record.summary().removeprefix(f"{record.outcome}: ")
    screen().print(line, Text(printable(said)), soft_wrap=True)
    if record.request:
        print_request(record.request)
    if record.response:
        _say(f"< HTTP {record.response.status}", "cyan")
        _print_message("<", record.response)
    _say(f"  {_timings(record)}", "dim")
    if record.next_attempt_in is not None:
        _say(f"  next attempt after {about(record.next_attempt_in)}", "dim")


def print_request(request: RequestRecord) -> None:
    """Print a request: where it goes, its headers and its body."""
    _say(f"> {request.method} {request.url}", "cyan")
    _print_message(">", request)


def _print_message(sign: str, message: RequestRecord | ResponseRecord) -> None:
    headers: Headers = message.headers
    for name, value in headers:
        _say(f"{sign} {name}: {value}", "cyan")
    print_body(message.body, message.body_encoding)
    if message.truncated:
        _say(f"  (cut; {message.body_bytes} bytes)", "dim")


def print_body(body: str, encoding: str) -> None:
    """Print a body for reading, indented."""
    if body:
        _say("\n".join(f"  {line}" for line in readable(body, encoding).splitlines()))


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


def _next_steps(delivery: DeliveryDetail) -> list[str]:
    looks = _where_to_look(delivery)
    if delivery.outcome in (Outcome.DELIVERING, Outcome.WAITING):
        verbs = ["cancel"]
    elif delivery.outcome in (Outcome.RETRYING, Outcome.HELD, Outcome.QUEUED):
        verbs = ["retry-now", "cancel"]
    else:
        verbs = ["redeliver"]
    return [*looks, *(f"portcall deliveries {verb} {delivery.id}" for verb in verbs)]


def _where_to_look(delivery: DeliveryDetail) -> list[str]:
    """Name the command that shows what stands in the way, where that is the target or a line."""
    if delivery.outcome is Outcome.WAITING:
        repository = (
            f" --repository {shlex.quote(delivery.repository)}" if delivery.repository else ""
        )
        line = f"--policy {delivery.policy} --target {delivery.target}{repository}"
        return [f"portcall deliveries list {line}"]
    if f"the target {delivery.target}" in (delivery.reason or ""):
        return [f"portcall targets health {delivery.target}"]
    return []


def print_facts(facts: Mapping[str, str | None]) -> None:
    """Print facts, one a line, without those that are not known."""
    width = max(map(len, facts))
    for name, value in facts.items():
        if value:
            _say(f"{name:<{width}}  {value}")


def _say(line: str, style: str = "") -> None:
    screen().print(Text(printable(line), style=style), soft_wrap=True)
