"""Events for the formats: a push, any event at all, and every recorded one."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from portcall.events import (
    Quota,
    RegistryEvent,
    Replication,
    Retention,
    Scan,
    Verification,
)
from tests.portcall.sources.notifications import KINDS, cases, parse, recorded

DIGEST = "sha256:" + "9e2c" * 16
PUSH = RegistryEvent(
    id="e1",
    source="eu",
    kind="distribution",
    type="artifact.pushed",
    occurred_at=datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
    received_at=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC),
    registry="hub.example",
    repository="prj/api/web",
    tags=("1.4.2",),
    digest=DIGEST,
    actor="alice",
)
RECORDED = [
    event
    for kind in KINDS
    for case in cases(kind)
    for event in parse(kind, recorded(kind, case)).events
]


def but(**changes):
    return PUSH.model_copy(update=changes)


LONG = st.sampled_from(
    ["😀" * 5000, "&" * 5000, "`" * 500, '"' * 5000, "\\" * 5000, "\x00\u202e\n" * 900, "\ud800"]
)
texts = LONG | st.text(max_size=20) | st.none()
lists = st.lists(LONG | st.text(max_size=9), max_size=40).map(tuple)
numbers = st.none() | st.integers(0, 10**20)
statuses = st.sampled_from(["failed", "succeeded", None]) | texts
anything = st.builds(
    RegistryEvent.model_construct,
    id=LONG | st.just("e1"),
    source=st.just("eu"),
    kind=st.just("quay"),
    type=st.sampled_from(["scan.completed", "replication.changed", "x"]) | LONG,
    occurred_at=st.datetimes(timezones=st.just(UTC)),
    received_at=st.just(PUSH.received_at),
    registry=texts,
    project=texts,
    repository=texts,
    tags=lists,
    digest=texts,
    platforms=lists,
    artifact_type=texts,
    actor=texts,
    scan=st.none()
    | st.builds(
        Scan.model_construct,
        status=statuses,
        severity=texts,
        total=numbers,
        fixable=numbers,
        counts=st.dictionaries(st.text(max_size=9), st.integers()),
    ),
    replication=st.none()
    | st.builds(Replication.model_construct, status=statuses, policy=texts, references=lists),
    retention=st.none() | st.builds(Retention.model_construct, total=numbers, deleted=lists),
    quota=st.none() | st.builds(Quota.model_construct, details=texts, used=numbers, limit=numbers),
    verification=st.none()
    | st.builds(Verification.model_construct, state=st.just("unverified"), reason=texts),
    attributes=st.dictionaries(st.sampled_from(["cve", "message", "title", "error", "n"]), texts),
)
