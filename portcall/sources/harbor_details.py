"""Reads the parts of Harbor's `event_data`: what it is about, and what came of it."""

import re
from dataclasses import dataclass
from typing import Literal

from portcall.events import Quota, Replication, Retention
from portcall.sources.fields import Part, host, tags_and_digest
from portcall.sources.harbor_names import REPLICATION_STATUSES
from portcall.sources.references import read_reference
from portcall.sources.times import described_time

_SIZE = r"([0-9]{1,4}(?:[.][0-9]{1,3})?) ?([KMGTPE]?)i?B"
_EXCEEDED = re.compile(rf"current usage of {_SIZE} .{{0,40}}upper limit of {_SIZE}")
_WARNED = re.compile(rf"used {_SIZE} of {_SIZE}")


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
    # Harbor up to 2.2 leaves the colon of a tag that is not there.
    url = (resources[0].text("resource_url", 2048) or "").rstrip(":") if resources else ""
    name = (
        repository.name("repo_full_name")
        or repository.joined("name", project, repository.name("name"))
        or _named_by(resources)
    )
    digests = [resource.digest("digest") for resource in resources]
    tags, digest = tags_and_digest(
        [resource.name("tag") for resource in resources], next(filter(None, digests), None)
    )
    return Subject(
        project=project or (name.partition("/")[0] if name and "/" in name else None),
        repository=name,
        tags=tags,
        digest=digest,
        visibility=read_visibility(repository.text("repo_type")),
        registry=host(url),
        url=url or None,
    )


def _named_by(resources: list[Part]) -> str | None:
    """Give the repository that the reference of an image names, `host/project/name:tag`."""
    if not resources or "://" in (resources[0].text("resource_url") or "://"):
        return None
    return read_reference(resources[0], "resource_url").repository


def read_visibility(word: str | None) -> Literal["public", "private"] | None:
    """Read `public` or `private` in any case."""
    match (word or "").lower():
        case "public":
            return "public"
        case "private":
            return "private"
    return None


def read_replication(data: Part) -> Replication | None:
    """Read a change of a replication task's status."""
    part = data.part("replication")
    if not part.members:
        return None
    native_status = part.text("job_status")
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
        task_id=_numbered(part, "task_id"),
        execution_id=_numbered(part, "execution_id"),
        started_at=described_time(part, "execution_timestamp"),
        description=part.text("description"),
        artifact_type=part.text("artifact_type"),
        source_type=source.text("registry_type"),
        destination_type=destination.text("registry_type"),
        override=part.flag("override_mode"),
        created_by=part.text("policy_creator"),
        references=tuple(_artifact(part)[1]),
    )


def _numbered(part: Part, name: str) -> str | None:
    number = part.integer(name)
    return None if number is None else str(number)


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
        policy_id=_numbered(part, "retention_policy_id"),
        rules=tuple(
            name for rule in part.parts("retention_rule") if (name := rule.text("template"))
        ),
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
