"""How one delivery and one event look: the verdict on top, then the facts, then each request.

Whatever comes from outside is made printable first: a receiver's answer must not drive the
reader's terminal.
"""

import shlex
from collections.abc import Sequence

from rich.text import Text

from portcall.attempts import AttemptRecord, EventOutcome, Outcome
from portcall.cli.exchanges import print_attempt, print_body, print_facts, say
from portcall.cli.groups import deliveries_of, print_groups
from portcall.cli.misses import print_misses
from portcall.cli.tables import coloured, from_now, print_table, printable, screen, when
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
    say(delivery.id, "bold")
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
    _print_attempts(delivery.attempt_records)
    say("\nWhat you can do", "bold")
    for line in _next_steps(delivery):
        say(f"  {line}")


def _print_attempts(records: Sequence[AttemptRecord]) -> None:
    for record, following in zip(records, [*records[1:], None], strict=True):
        same_run = following is not None and following.run_id == record.run_id
        print_attempt(record, at_once=same_run and record.next_attempt_in is None)
        if following and not same_run:
            say("\nSent again: redelivery begins here", "bold")


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
    say(f"{event.type} {artifact(event)}", "bold")
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
        say(f"\nWhat the registry sent ({raw.content_type}, {raw.size} bytes{cut})", "bold")
        print_body(raw.body, raw.encoding)
    say("\nDeliveries", "bold")
    print_deliveries(event.delivery_list)
    print_groups(event.group_list)
    if event.misses or event.ruled_out:
        say("\nPolicies that did not match", "bold")
        print_misses(event.misses, event.more_misses, event.ruled_out)
    elif event.outcome is EventOutcome.UNMATCHED:
        say("There was no policy that it could match.")


def _verification(found: Verification | None) -> str | None:
    """Say what came of asking the registry."""
    if found is None:
        return None
    return f"{found.state}: {found.reason}" if found.reason else found.state


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
