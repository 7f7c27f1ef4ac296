"""Why policies did not match an event, as a table for people."""

from collections.abc import Mapping, Sequence

from portcall.cli.tables import print_table

_RULED_OUT = {"event_types": "event types", "project": "projects"}


def print_misses(
    misses: Sequence[Mapping[str, object]], more: int, ruled_out: Mapping[str, int]
) -> None:
    """Print why policies did not match, and how many are for quite other events."""
    rows = [
        [str(miss["policy"]), str(miss["condition"]), str(miss["wanted"]), str(miss["seen"] or "-")]
        for miss in misses
    ]
    if rows:
        print_table(("POLICY", "CONDITION", "WANTED", "SEEN"), rows)
    if more:
        print(f"and {more} more that do not match")
    if ruled_out:
        counts = (f"{n} for other {_RULED_OUT.get(by, by)}" for by, n in ruled_out.items())
        print(f"Policies not listed: {', '.join(counts)}")
