"""What every kind of source owes to the rest, to be checked without a test framework.

`check_kind` holds a kind to it with samples of what its registry sends, and with what
`odd_notifications` makes of them; what is not kept is an AssertionError that says so. A
property test of your own can call `check_notification` with whatever it makes up.
"""

import json
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from portcall.errors import NotificationError
from portcall.events import RegistryEvent
from portcall.sources.fields import EVENT_LIMIT, LIST_LIMIT, NAME_LIMIT, is_digest
from portcall.sources.kind import Notification, Parsed, Refusal, SourceKind
from portcall.sources.kinds import is_usable
from portcall.sources.odd import odd_notifications

SECONDS = 5
"""Of processor time for one notification; a built-in kind takes some milliseconds."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NAMES = ("registry", "project", "repository", "media_type", "artifact_type", "actor")


def check_kind(kind: SourceKind, samples: Sequence[Notification]) -> None:
    """Check a kind with samples that it must understand, and with odd ones made of them."""
    _owe(is_usable(kind), f"the kind {kind.kind!r} has not the attributes of the protocol")
    _owe(bool(samples), "there must be a sample")
    ids, facts = set(), set()
    for sample in samples:
        parsed = check_notification(kind, sample)
        refused = parsed.refusals[0].error.message if parsed.refusals else ""
        _owe(not refused, f"a sample is not understood: {refused}")
        ids |= {event.id for event in parsed.events}
        facts |= {(e.native_type, e.repository, e.tags, e.digest) for e in parsed.events}
    _owe(bool(ids), "no sample gives an event")
    _owe(len(facts) < 2 or len(ids) > 1, f"events that differ have the same id {ids}")
    for notification in odd_notifications(samples, kind.body_limit):
        check_notification(kind, notification)


def check_notification(
    kind: SourceKind, notification: Notification, *, seconds: float = SECONDS
) -> Parsed:
    """Check what a kind makes of one notification, whatever it holds, and give it.

    A notification that is refused as a whole is given as one with a single refusal.
    """
    try:
        return _checked(kind, notification, seconds)
    except AssertionError as error:
        error.add_note(f"hint {notification.hint!r}, headers {dict(notification.headers)}")
        error.add_note(f"body {notification.body[:1000]!r}")
        raise


def _checked(kind: SourceKind, notification: Notification, seconds: float) -> Parsed:
    began = time.process_time()
    parsed = _outcome(kind, notification)
    taken = time.process_time() - began
    _owe(taken < seconds, f"it took {taken:.1f} s, more than {seconds}")
    again = _outcome(kind, notification)
    _owe(_said(parsed) == _said(again), "the same notification gave something else")
    _owe(len(parsed.events) <= LIST_LIMIT, f"there are more than {LIST_LIMIT} events")
    for event in parsed.events:
        _check_event(kind, notification, event)
    for refusal in parsed.refusals:
        _check_error(refusal.error)
    _check_repeat(kind, notification, parsed)
    _check_reply(parsed)
    return parsed


def _outcome(kind: SourceKind, notification: Notification) -> Parsed:
    try:
        return kind.parse(notification)
    except NotificationError as error:
        return Parsed(refusals=(Refusal(error, notification.body),))
    except Exception as error:
        raise AssertionError(f"parse raised {type(error).__name__}: {error}") from error


def _said(parsed: Parsed) -> tuple[Any, ...]:
    """Give what can be compared of it: errors cannot."""
    refusals = [(r.error.message, r.error.reason, r.error.field, r.raw) for r in parsed.refusals]
    return parsed.events, refusals, parsed.reply


def _check_repeat(kind: SourceKind, notification: Notification, parsed: Parsed) -> None:
    """Look for the ids in a repeat a second later, or earlier: an id may end with a minute."""
    ids = [event.id for event in parsed.events]
    shifts = (timedelta(seconds=1), timedelta(seconds=-1))
    repeats = (replace(notification, received_at=notification.received_at + by) for by in shifts)
    same = any(ids == [event.id for event in _outcome(kind, it).events] for it in repeats)
    _owe(same, "a repeat has other ids: they must come from what was sent")


def _check_error(error: NotificationError) -> None:
    _owe(bool(re.fullmatch(r"[a-z0-9_]{1,50}", error.reason)), f"{error.reason!r} is no reason")
    _owe(0 < len(error.message) <= 2000, "a refusal's message must be there, and short")
    _owe(_is_storable(error.message), "a refusal's message holds what no database keeps")
    named = error.field in error.message
    _owe(named, f"the refusal {error.message!r} does not name its field {error.field!r}")


def _check_reply(parsed: Parsed) -> None:
    try:
        written = json.dumps(parsed.reply, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"the reply is no JSON: {error}") from error
    _owe(len(written) <= EVENT_LIMIT, f"the reply is larger than {EVENT_LIMIT} bytes")


def _check_event(kind: SourceKind, notification: Notification, event: RegistryEvent) -> None:
    _owe(event.source == notification.source, "event.source is not the notification's")
    _owe(event.received_at == notification.received_at, "event.received_at is another")
    _owe(event.kind == kind.kind, f"event.kind is {event.kind!r}")
    plain = re.fullmatch(r"[A-Za-z0-9._-]{1,64}", event.id)
    _owe(bool(plain), f"event.id {event.id!r}: 1 to 64 letters, digits, `.`, `_`, `-`")
    typed = re.fullmatch(r"[a-z0-9_.-]{1,100}", event.type)
    _owe(bool(typed), f"event.type {event.type!r}: 1 to 100 of a-z, 0-9, `.`, `_`, `-`")
    aware = event.occurred_at.utcoffset() == timedelta()
    _owe(aware, f"event.occurred_at {event.occurred_at} is not in UTC")
    digest = event.digest
    _owe(digest is None or is_digest(digest), f"event.digest {digest!r} is not a digest")
    in_tags = next(filter(is_digest, event.tags), None)
    _owe(in_tags is None, f"the digest {in_tags!r} is among the tags")
    _check_size(event)
    _check_json(event)


def _check_size(event: RegistryEvent) -> None:
    _owe(len(event.tags) <= LIST_LIMIT, f"there are more than {LIST_LIMIT} tags")
    texts = {name: getattr(event, name) for name in _NAMES}
    texts |= {f"tags.{index}": tag for index, tag in enumerate(event.tags)}
    for name, text in texts.items():
        fits = text is None or 0 < len(text) <= NAME_LIMIT
        _owe(fits, f"event.{name} is empty, or longer than {NAME_LIMIT} characters")


def _check_json(event: RegistryEvent) -> None:
    try:
        facts = event.without_raw().model_dump_json()
        same = RegistryEvent.model_validate_json(event.model_dump_json()) == event
    except ValueError as error:
        raise AssertionError(f"the event cannot be written as JSON: {error}") from error
    _owe(same, "the event is another one when it was written as JSON and read again")
    _owe(len(facts.encode()) <= EVENT_LIMIT, f"its facts are larger than {EVENT_LIMIT} bytes")
    _owe(_is_storable(facts) and "\\u0000" not in facts, "it holds text that no database keeps")


def _is_storable(text: str) -> bool:
    return not _UNSTORABLE.search(text)


def _owe(kept: bool, otherwise: str) -> None:
    if not kept:
        raise AssertionError(otherwise)
