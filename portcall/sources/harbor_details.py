"""Reads the parts of Harbor's `event_data`: what it is about, and what came of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from portcall.events import Quota, Replication, Retention, Scan
from portcall.sources.fields import Part, host, storable, tags_and_digest
from portcall.sources.harbor_names import REPLICATION_STATUSES

_SIZE = r"([0-9]{1,4}(?:[.][0-9]{1,3})?) ?([KMGTPE]?)i?B"
_EXCEEDED = re.compile(rf"current usage of {_SIZE} .{{0,40}}upper limit of {_SIZE}")
_WARNED = re.compile(rf"used {_SIZE} of {_SIZE}")
_CLAIR_SEVERITIES: Mapping[int | None, str] = dict(
    enumerate(("None", "Unknown", "Low", "Medium", "High"), start=1)
)


@dataclass(frozen=True)
class Subject:
    """Which artifact, as far as Harbor says."""

    project: str | None = None
    repository: str | None = None
    tags: tuple[str, ...] = ()
    digest: str | None = None
    visibility: Literal["public", "private"] | None = None
    registry: str | None = None
    url: str | None = None


def read_subject(data: Part) -> Subject:
    """Find the subject in `repository` and `resources`, else in the replication or retention."""
    if data.part("replication").members:
        return _replicated(data.part("replication"))
    if data.part("retention").members:
        return _retained(data.part("retention"))
    repository, resources = data.part("repository"), data.parts("resources")
    project = repository.name("namespace")
    name = repository.name("repo_full_name") or repository.joined(
        "name", project, repository.name("name")
    )
    digests = [resource.digest("digest") for resource in resources]
    tags, digest = tags_and_digest(
        [resource.name("tag") for resource in resources], next(filter(None, digests), None)
    )
    # Harbor up to 2.2 leaves the colon of a tag that is not there.
    url = (resources[0].text("resource_url", 2048) or "").rstrip(":") if resources else ""
    return Subject(
        project=project or (name.partition("/")[0] if name and "/" in name else None),
        repository=name,
        tags=tags,
        digest=digest,
        visibility=read_visibility(repository.text("repo_type")),
        registry=host(url),
        url=url or None,
    )


def read_visibility(word: str | None) -> Literal["public", "private"] | None:
    """Read `public` or `private` in any case."""
    match (word or "").lower():
        case "public":
            return "public"
        case "private":
            return "private"
    return None


def read_scan(data: Part, event_type: str) -> Scan | None:
    """Sum up a scan; Harbor leaves the overview out of those that Scan All started."""
    if not event_type.startswith("scan."):
        return None
    resources = data.parts("resources") or [Part({})]
    sbom = resources[0].part("sbom_overview")
    report = sbom if sbom.members else _report(resources[0].part("scan_overview"))
    summary = report.part("summary")
    counts = summary.part("summary")
    found = {name[:50]: counts.integer(name) for name in list(counts.members)[:20]}
    return Scan(
        kind=data.part("scan").text("scan_type")
        or ("sbom" if sbom.members else "vulnerability" if report.members else None),
        # The overview may still say Running (goharbor/harbor#14585); the type is right.
        status=event_type.removeprefix("scan."),
        severity=report.text("severity"),
        total=summary.integer("total"),
        fixable=summary.integer("fixable"),
        counts={storable(name): count for name, count in found.items() if count is not None},
        scanner=report.part("scanner").text("name"),
    )


def _report(overview: Part) -> Part:
    """Find the report: its key is a media type that changes with Harbor's releases."""
    if overview.part("components").members:
        return _of_clair(overview)
    reports = (overview.part(name) for name in list(overview.members)[:20])
    fitting = (part for part in reports if part.members.keys() & {"scan_status", "summary"})
    return next(fitting, Part({}))


def _of_clair(overview: Part) -> Part:
    """Write the overview of Harbor 1.9, which numbers severities, like a report of today.

    Its total is of packages, the harmless ones too, and so is not given.
    """
    counts = {
        _CLAIR_SEVERITIES.get(part.integer("severity")): part.integer("count")
        for part in overview.part("components").parts("summary")
    }
    found = {name: count for name, count in counts.items() if name not in (None, "None")}
    severity = _CLAIR_SEVERITIES.get(overview.integer("severity"))
    summary = {"summary": found}
    return Part({"severity": severity, "scanner": {"name": "Clair"}, "summary": summary})


def read_replication(data: Part) -> Replication | None:
    """Read a change of a replication task's status."""
    part = data.part("replication")
    if not part.members:
        return None
    native_status = part.text("job_status")
    task = part.integer("task_id")
    source, destination = part.part("src_resource"), part.part("dest_resource")
    namespaces = source.name("namespace"), destination.name("namespace")
    if not _is_pull(part):
        # When Harbor pushes, it writes each side's namespace on the other side.
        namespaces = namespaces[1], namespaces[0]
    return Replication(
        status=REPLICATION_STATUSES.get((native_status or "").lower()),
        native_status=native_status,
        trigger=part.text("trigger_type"),
        source_registry=source.text("registry_name") or source.text("endpoint"),
        source_namespace=namespaces[0],
        destination_registry=destination.text("registry_name") or destination.text("endpoint"),
        destination_namespace=namespaces[1],
        task_id=None if task is None else str(task),
        references=tuple(_artifact(part)[1]),
    )


def _is_pull(replication: Part) -> bool:
    """Say whether Harbor is the destination: only the remote side has a registry name."""
    return replication.part("dest_resource").text("registry_name") is None


def _artifact(replication: Part) -> tuple[str | None, list[str]]:
    """Give the repository without its project, and what of it was copied."""
    artifacts = replication.parts("successful_artifact") or replication.parts("failed_artifact")
    if not artifacts:
        return None, []
    name, named = _name_and_reference(artifacts[0].name("name_tag") or "")
    return name, artifacts[0].texts("references") or named


def _name_and_reference(name_tag: str) -> tuple[str | None, list[str]]:
    """Part `name:tag`, `name@digest` and `name [2 item(s) in total]`."""
    text = name_tag.partition(" [")[0]
    name, at, digest = text.partition("@")
    if at:
        return name or None, [digest]
    name, _, tag = text.partition(":")
    return name or None, [tag] if tag else []


def _of_one_or_several(references: list[str]) -> tuple[tuple[str, ...], str | None]:
    """Give the tags, and the digest where only one artifact is named."""
    tags, digest = tags_and_digest(references)
    return tags, digest if len(references) == 1 else None


def _replicated(replication: Part) -> Subject:
    # In both directions the local project is what the destination says (see read_replication).
    project = replication.part("dest_resource").name("namespace")
    name, references = _artifact(replication)
    tags, digest = _of_one_or_several(references)
    return Subject(
        project=project,
        repository=replication.joined("successful_artifact", project, name),
        tags=tags,
        digest=digest,
        registry=replication.text("harbor_hostname"),
    )


def read_retention(data: Part) -> Retention | None:
    """Read what a retention run deleted; its names lack the project."""
    part = data.part("retention")
    if not part.members:
        return None
    project = part.name("project_name")
    names = [deleted.text("name_tag") for deleted in part.parts("deleted_artifact")]
    return Retention(
        total=part.integer("total"),
        retained=part.integer("retained"),
        deleted=tuple(f"{project}/{name}" if project else name for name in names if name),
        status=part.text("result"),
    )


def _retained(retention: Part) -> Subject:
    project = retention.name("project_name")
    deleted = [
        _name_and_reference(part.text("name_tag") or "")
        for part in retention.parts("deleted_artifact")
    ]
    names = [name for name, _ in deleted if name]
    tags, digest = _of_one_or_several([text for _, given in deleted for text in given])
    return Subject(
        project=project,
        repository=retention.joined("deleted_artifact", project, names[0] if names else None),
        tags=tags,
        digest=digest,
        registry=retention.text("harbor_hostname"),
    )


def read_quota(data: Part) -> Quota | None:
    """Read a quota's figures out of the English text that Harbor gives."""
    details = data.part("custom_attributes").text("Details", 2000)
    if not details:
        return None
    figures = _EXCEEDED.search(details) or _WARNED.search(details)
    if not figures:
        return Quota(details=details)
    return Quota(
        details=details, used=_size(figures[1], figures[2]), limit=_size(figures[3], figures[4])
    )


def _size(number: str, unit: str) -> int:
    return int(float(number) * 1024 ** " KMGTPE".index(unit or " "))
