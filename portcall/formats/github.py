"""The format `github`: the body of GitHub's `repository_dispatch`, which starts a workflow.

Limits: https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event (100
characters of `event_type`, 10 members of `client_payload`, together less than 64 KB).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from portcall.events import RegistryEvent
from portcall.formats.format import Message, json_message
from portcall.grouping import GROUPED

_LARGEST = 60_000
_HEADERS = (("Accept", "application/vnd.github+json"), ("X-GitHub-Api-Version", "2022-11-28"))


class GitHub:
    """What a workflow asks for most as members of its own, and the whole event beside them."""

    name = "github"
    needs_raw = False

    def render(self, event: RegistryEvent) -> Message:
        """Give the fullest body that GitHub takes."""
        return _largest(event.type, _payloads(event))

    def render_group(self, events: Sequence[RegistryEvent]) -> Message:
        """Give one that starts one workflow for all, the fullest that GitHub takes."""
        types = {event.type for event in events}
        return _largest(types.pop() if len(types) == 1 else GROUPED, _group_payloads(events))


def _largest(event_type: str, payloads: Iterable[dict[str, Any]]) -> Message:
    messages = (
        json_message({"event_type": event_type[:100], "client_payload": payload})
        for payload in payloads
    )
    fitting = next(m for m in messages if len(m.body) <= _LARGEST)
    return Message(fitting.content_type, fitting.body, _HEADERS)


def _group_payloads(events: Sequence[RegistryEvent]) -> Iterator[dict[str, Any]]:
    """Give payloads, each with less of every event in it, then with fewer events."""
    ways = [
        [{"type": event.type[:100]} | payload for payload in _payloads(event)] for event in events
    ]
    yield from (_group(events, [way[at] for way in ways]) for at in range(len(ways[0])))
    least, kept = [way[-1] for way in ways], len(ways)
    while True:  # that of none at all fits
        kept //= 2
        yield _group(events, least[:kept])


def _group(events: Sequence[RegistryEvent], told: list[dict[str, Any]]) -> dict[str, Any]:
    repositories = {event.repository for event in events}
    return {
        "count": len(events),
        "repository": (repositories.pop() or "")[:255] if len(repositories) == 1 else None,
        "events": told,
    }


def _payloads(event: RegistryEvent) -> Iterator[dict[str, Any]]:
    """Give payloads, each with less in it than the one before."""
    found = {
        "id": event.id,
        "source": event.source,
        "registry": event.registry,
        "repository": event.repository,
        "tag": event.tags[0] if len(event.tags) == 1 else None,
        "tags": event.tags,
        "digest": event.digest,
        "actor": event.actor,
    }
    yield found | {"event": _whole(event)}
    yield found | {"event": _whole(event, "attributes")}
    yield found
    yield {"id": event.id[:500], "source": event.source[:50]}


def _whole(event: RegistryEvent, *without: str) -> dict[str, Any]:
    return event.model_dump(mode="json", exclude={"raw", *without}, exclude_none=True)
