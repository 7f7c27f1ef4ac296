"""An event that has every part, to try templates on, and a group of it and another."""

from datetime import UTC, datetime

from portcall.events import Quota, RegistryEvent, Replication, Retention, Scan, Verification

SAMPLE = RegistryEvent(
    id="320678d8-ca14-430f-8bb6-4ca139cd83f7",
    source="sample",
    kind="distribution",
    type="artifact.pushed",
    native_type="push",
    occurred_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    received_at=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC),
    registry="registry.example",
    project="prod",
    repository="prod/app",
    tags=("v1.2.3", "latest"),
    digest="sha256:" + "9e2c" * 16,
    media_type="application/vnd.oci.image.manifest.v1+json",
    artifact_type="application/vnd.oci.image.config.v1+json",
    platforms=("linux/amd64",),
    size=1234,
    visibility="private",
    actor='alice "the builder"',
    url="https://registry.example/v2/prod/app/manifests/v1.2.3",
    correlation_id="7f9c",
    scan=Scan(status="completed", severity="High", total=3, fixable=1, counts={"High": 3}),
    replication=Replication(status="succeeded", references=("v1.2.3",)),
    retention=Retention(total=9, retained=8, deleted=("prod/app:v1.0.0",)),
    quota=Quota(details="85% used", used=85, limit=100),
    verification=Verification(state="verified"),
    attributes={"message": "a sample"},
)

SAMPLES = (
    SAMPLE,
    SAMPLE.model_copy(
        update={
            "id": "9f1f8f0e-5d1c-4b55-9a7e-0d6f7a3f2b11",
            "tags": ("v1.2.4",),
            "digest": "sha256:" + "07ad" * 16,
        }
    ),
)
