"""How the command line says that an event is in groups."""

from collections.abc import Iterable

from portcall.cli.tables import printable, screen, when
from portcall.log import EventSummary, GroupSummary


def deliveries_of(event: EventSummary) -> str:
    """Say how many deliveries an event has of its own, and in how many groups it is."""
    count = "-" if event.deliveries is None else str(event.deliveries)
    if not event.groups:
        return count
    return f"{count}, in {event.groups} group{'s' if event.groups > 1 else ''}"


def print_groups(groups: Iterable[GroupSummary]) -> None:
    """Print what became of an event for each policy that gathers."""
    for group in groups:
        line = printable(f"{group.policy} gathers events: {_what_became(group)}")
        screen().print(line, soft_wrap=True, highlight=False)


def _what_became(group: GroupSummary) -> str:
    if group.state == "gathering":
        return f"this one is sent with others at {when(group.until)}, or as soon as it has enough."
    if group.state == "sent":
        return f"this one is in {', '.join(delivery.id for delivery in group.delivery_list)}."
    return f"what became of this one is not known any more ({group.id})."
