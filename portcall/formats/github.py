"""The format `github`: the body of GitHub's `repository_dispatch`, which starts a workflow.

Limits: https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event (100
characters of `event_type`, 10 members of `client_payload`, together less than 64 KB).
"""

from collections.abc import Iterator
from typing import Any

from portcall.events import RegistryEvent
from portcall.formats.format import Message, json_message

_LARGEST = 60_000
_HEADERS = (("Accept", "application/vnd.github+json"), ("X-GitHub-Api-Version", "2022-11-28"))


class GitHub:
    """What a workflow asks for most as members of its own, and the whole event beside them."""

    name = "github"
    needs_raw = False

    def render(self, event: RegistryEvent) -> Message:
        """Give the fullest body that GitHub takes."""
        messages = [
            json_message({"event_type": event.type[:100], "client_payload": payload})
            for payload in _payloads(event)
        ]
        fitting = next(m for m in messages if len(m.body) <= _LARGEST)
        return Message(fitting.content_type, fitting.body, _HEADERS)


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
