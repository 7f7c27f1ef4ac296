"""`RegistryEvent`: what happened to which artifact, in one shape for every kind of registry.

Parsers in `portcall/sources` make it; everything behind them knows nothing of registries.
"""

import base64
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

RAW_LIMIT = 256 * 1024
"""Bytes of the raw original that travel with an event (a Temporal payload ends at 2 MiB)."""


class Value(BaseModel):
    """A frozen value. Every new field has a default, so that old histories still load."""

    model_config = ConfigDict(frozen=True)


def text_or_base64(body: bytes) -> tuple[str, Literal["utf-8", "base64"]]:
    """Give bytes as text where they are plain UTF-8, as base64 otherwise.

    Text that JSON would have to escape heavily is base64 too, so that a stored body never
    grows by more than the half (base64 costs a third, an escaped control character 6x).
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(body).decode("ascii"), "base64"
    escapes = sum(text.count(c) for c in '"\\\n\r\t') + 5 * sum(
        text.count(chr(c)) for c in range(32) if chr(c) not in "\n\r\t"
    )
    if escapes * 2 > max(len(body), 256):
        return base64.b64encode(body).decode("ascii"), "base64"
    return text, "utf-8"


class RawOriginal(Value):
    """The registry's own bytes for one event, cut at `RAW_LIMIT`; `size` is that uncut."""

    content_type: str = "application/json"
    body: str = ""
    encoding: Literal["utf-8", "base64"] = "utf-8"
    size: int = 0
    truncated: bool = False

    @classmethod
    def of(cls, body: bytes, content_type: str = "application/json") -> Self:
        """Keep `body`, at most `RAW_LIMIT` bytes of it."""
        text, encoding = text_or_base64(body[:RAW_LIMIT])
        return cls(
            content_type=content_type[:255],
            body=text,
            encoding=encoding,
            size=len(body),
            truncated=len(body) > RAW_LIMIT,
        )

    def content(self) -> bytes:
        """Give the kept bytes back."""
        return base64.b64decode(self.body) if self.encoding == "base64" else self.body.encode()


class Scan(Value):
    """The summary of a vulnerability scan or SBOM run; unknown figures are None, never zero."""

    kind: str | None = None
    status: str | None = None
    severity: str | None = None
    total: int | None = None
    fixable: int | None = None
    counts: dict[str, int] = {}
    scanner: str | None = None
    scanner_vendor: str | None = None
    scanner_version: str | None = None
    report_id: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    sbom_repository: str | None = None
    sbom_digest: str | None = None


class Replication(Value):
    """One replication task. `status` is `running`, `succeeded`, `failed` or `stopped`.

    The types are those of the two registries (`harbor`, `docker-hub`, …); `started_at` is when
    the execution began that the task is of, `created_by` who wrote the rule.
    """

    status: str | None = None
    native_status: str | None = None
    policy: str | None = None
    trigger: str | None = None
    source_registry: str | None = None
    source_namespace: str | None = None
    destination_registry: str | None = None
    destination_namespace: str | None = None
    task_id: str | None = None
    execution_id: str | None = None
    started_at: datetime | None = None
    description: str | None = None
    artifact_type: str | None = None
    source_type: str | None = None
    destination_type: str | None = None
    override: bool | None = None
    created_by: str | None = None
    references: tuple[str, ...] = ()


class Retention(Value):
    """What a tag-retention run kept and deleted in one repository, by which rules."""

    total: int | None = None
    retained: int | None = None
    deleted: tuple[str, ...] = ()
    status: str | None = None
    policy_id: str | None = None
    rules: tuple[str, ...] = ()


class Quota(Value):
    """A quota warning or refusal; figures in bytes where the text could be read."""

    details: str | None = None
    used: int | None = None
    limit: int | None = None


class Verification(Value):
    """What the registry says of the event's claim; `pending` until it was asked."""

    state: Literal["pending", "verified", "unverified"]
    reason: str | None = None


class RegistryEvent(Value):
    """One normalised fact from a registry.

    `id` is derived from the event's own identity, so a sender's repeat has the same one.
    `type` is a normalised name (`artifact.pushed`) or `<kind>.<its own name>` where nobody
    foresaw it; `native_type` is the registry's word. `repository` is the full name without
    host; `digest` is `algorithm:hex`. `platforms` are `os/architecture[/variant]`, of an index
    those of its images. `size` is bytes of the manifest itself. `verification` is None where
    nobody was to be asked.
    """

    id: str
    source: str
    kind: str
    type: str
    native_type: str = ""
    occurred_at: datetime
    received_at: datetime
    registry: str | None = None
    project: str | None = None
    repository: str | None = None
    tags: tuple[str, ...] = ()
    digest: str | None = None
    media_type: str | None = None
    artifact_type: str | None = None
    platforms: tuple[str, ...] = ()
    size: int | None = None
    visibility: Literal["public", "private"] | None = None
    actor: str | None = None
    url: str | None = None
    correlation_id: str | None = None
    scan: Scan | None = None
    replication: Replication | None = None
    retention: Retention | None = None
    quota: Quota | None = None
    verification: Verification | None = None
    attributes: dict[str, Any] = {}
    raw: RawOriginal | None = None

    def without_raw(self) -> Self:
        """Give the event without the raw original, which most formats do not need."""
        return self.model_copy(update={"raw": None})
