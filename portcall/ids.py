"""Workflow ids, search attributes and the text that people read beside them: one registry.

Ids come from the event's own identity, never from chance, so that repeats, resets and
replays agree. Names hold at most 50 characters and event ids 64, so that a delivery's id
fits the 255 characters of Temporal's SQL schema.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)

from portcall.attempts import Outcome
from portcall.events import RegistryEvent

TASK_QUEUE = "portcall"


def verification_queue(task_queue: str) -> str:
    """Give the queue for asking registries: one that hangs takes no place from a delivery."""
    return f"{task_queue}-verification"


EVENT_ID = SearchAttributeKey.for_keyword("EventId")
EVENT_TYPE = SearchAttributeKey.for_keyword("EventType")
SOURCE = SearchAttributeKey.for_keyword("Source")
REPOSITORY = SearchAttributeKey.for_keyword("Repository")
DIGEST = SearchAttributeKey.for_keyword("Digest")
POLICY = SearchAttributeKey.for_keyword("Policy")
TARGET = SearchAttributeKey.for_keyword("Target")
OUTCOME = SearchAttributeKey.for_keyword("Outcome")
TAGS = SearchAttributeKey.for_keyword_list("Tags")
HTTP_STATUS = SearchAttributeKey.for_int("HttpStatus")
ATTEMPTS = SearchAttributeKey.for_int("Attempts")
NEXT_ATTEMPT_AT = SearchAttributeKey.for_datetime("NextAttemptAt")

SEARCH_ATTRIBUTES = (
    EVENT_ID, EVENT_TYPE, SOURCE, REPOSITORY, DIGEST, POLICY, TARGET, OUTCOME, TAGS,
    HTTP_STATUS, ATTEMPTS, NEXT_ATTEMPT_AT,
)  # fmt: skip

LONGEST_VALUE = 255
"""A Keyword is VARCHAR(255) in Temporal's SQL visibility."""

LARGEST_LIST = 2048
"""Bytes of a KeywordList, written as JSON, that Temporal takes; with more nothing would start."""

_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class DeliveryKey(NamedTuple):
    """The parts of a delivery's workflow id."""

    source: str
    event_id: str
    policy: str
    target: str


def derived_id(parts: Iterable[str | bytes]) -> str:
    """Make an event id of 32 hex digits from what identifies an event without one."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:32]


def plain_id(native: str) -> str:
    """Keep a sender's own event id where it is short and plain, else derive one from it."""
    return native if _PLAIN_ID.fullmatch(native) else derived_id([native])


def event_workflow_id(source: str, event_id: str) -> str:
    """Give `event:{source}:{event id}`."""
    return f"event:{source}:{event_id}"


def delivery_workflow_id(key: DeliveryKey) -> str:
    """Give `delivery:{source}:{event id}:{policy}:{target}`."""
    return "delivery:" + ":".join(key)


def release_workflow_id(noun: str, name: str) -> str:
    """Give `release:{policy or target}:{name}`."""
    return f"release:{noun}:{name}"


def backlog_workflow_id(target: str) -> str:
    """Give `backlog:{target}`."""
    return f"backlog:{target}"


def redelivery_workflow_id(redelivery_id: str) -> str:
    """Give `redelivery:{id}`."""
    return f"redelivery:{redelivery_id}"


def group_workflow_id(policy: str, parts: Iterable[str]) -> str:
    """Give `group:{policy}:{hash of what its events agree in}`."""
    return f"group:{policy}:{derived_id(parts)}"


def lane_workflow_id(policy: str, target: str, repository: str | None) -> str:
    """Give `lane:{policy}:{target}:{hash of the repository}`."""
    return f"lane:{policy}:{target}:{derived_id([repository or ''])}"


def parse_delivery_id(workflow_id: str) -> DeliveryKey | None:
    """Split a delivery's workflow id, or None where it is not one."""
    kind, *parts = workflow_id.split(":")
    return DeliveryKey(*parts) if kind == "delivery" and len(parts) == 4 else None


def webhook_id(key: DeliveryKey) -> str:
    """Give the `webhook-id` of a delivery: the same over retries and resets."""
    return "msg_" + derived_id(key)


def cut(value: str) -> str:
    """Cut a value to what a Keyword holds."""
    return value[:LONGEST_VALUE]


def _fitting(values: Iterable[str]) -> list[str]:
    """Give as many values as a KeywordList takes, the first ones."""
    kept, size = [], len("[]")
    for value in map(cut, values):
        size += len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")) + 1
        if size > LARGEST_LIST:
            break
        kept.append(value)
    return kept


def _event_pairs(event: RegistryEvent) -> list[SearchAttributePair[Any]]:
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(EVENT_ID, event.id),
        SearchAttributePair(EVENT_TYPE, cut(event.type)),
        SearchAttributePair(SOURCE, event.source),
    ]
    if event.repository:
        pairs.append(SearchAttributePair(REPOSITORY, cut(event.repository)))
    if event.digest:
        pairs.append(SearchAttributePair(DIGEST, cut(event.digest)))
    if event.tags:
        pairs.append(SearchAttributePair(TAGS, _fitting(event.tags)))
    return pairs


def event_attributes(event: RegistryEvent) -> TypedSearchAttributes:
    """Give the search attributes that an event workflow starts with."""
    return TypedSearchAttributes(_event_pairs(event))


def delivery_attributes(
    event: RegistryEvent, policy: str, target: str, outcome: Outcome = Outcome.DELIVERING
) -> TypedSearchAttributes:
    """Give the search attributes that a delivery starts with."""
    return TypedSearchAttributes(
        [
            *_event_pairs(event),
            SearchAttributePair(POLICY, policy),
            SearchAttributePair(TARGET, target),
            SearchAttributePair(OUTCOME, outcome.value),
        ]
    )


def progress(
    outcome: Outcome,
    attempts: int,
    http_status: int | None,
    next_attempt_at: datetime | None = None,
) -> list[SearchAttributeUpdate[Any]]:
    """Give the change of attributes after an attempt; what no longer holds is taken away."""
    updates: list[SearchAttributeUpdate[Any]] = [
        OUTCOME.value_set(outcome.value),
        ATTEMPTS.value_set(attempts),
    ]
    if http_status is not None:
        updates.append(HTTP_STATUS.value_set(http_status))
    elif attempts > 1:
        updates.append(HTTP_STATUS.value_unset())
    if next_attempt_at is not None:
        updates.append(NEXT_ATTEMPT_AT.value_set(next_attempt_at))
    elif attempts > 1:
        updates.append(NEXT_ATTEMPT_AT.value_unset())
    return updates


def without_attempt(outcome: Outcome) -> list[SearchAttributeUpdate[Any]]:
    """Give the change of attributes when a delivery is held or cancelled."""
    return [OUTCOME.value_set(outcome.value), NEXT_ATTEMPT_AT.value_unset()]


def fair_share(key: str) -> Priority:
    """Give the priority by which Temporal shares its task queues among keys, not first come.

    Events share by repository and deliveries by target, so that many of one do not stand in
    front of a single one of another. A key holds 64 bytes; a server may not know of it.
    """
    fits = len(key.encode(errors="replace")) <= 64 and key.isprintable()
    return Priority(fairness_key=key if fits else derived_id([key]))


def event_title(event: RegistryEvent) -> str:
    """Say in one line what happened, for the Web UI: `artifact.pushed prod/app:v1`."""
    subject = event.repository or event.project or event.source
    if event.tags:
        subject += ":" + ",".join(event.tags[:3])
    elif event.digest:
        subject += "@" + event.digest[:19]
    return cut(f"{event.type} {subject}")


def delivery_title(event: RegistryEvent, policy: str, target: str, count: int = 1) -> str:
    """Say in one line what is sent where: `artifact.pushed prod/app:v1 → ci (deploy-prod)`."""
    many = f"{count} events: " if count > 1 else ""
    return cut(f"{many}{event_title(event)[:137]} → {target} ({policy})")
