"""Reads the `detail` of ECR's and Inspector's events: what happened to which image.

The fields are those of AWS's own documentation; all but CloudTrail's are spelled with hyphens.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from portcall.events import Replication, Scan
from portcall.sources.fields import Part, known, storable, tags_and_digest

SCAN_CHANGE = "ecr scan resource change"

_IMAGE_ACTIONS = {
    "push": "artifact.pushed",
    "delete": "artifact.deleted",
    "update_storage_class": "artifact.storage_changed",
}
# Signatures, SBOMs and attestations: they must not pass for a new image.
_REFERRER_ACTIONS = {**_IMAGE_ACTIONS, "push": "referrer.pushed"}
_SCANS = {"complete": "completed", "initial_scan_complete": "completed", "failed": "failed"}
_SEVERITIES = ("Critical", "High", "Medium", "Low", "Informational", "Undefined", "Untriaged")


@dataclass(frozen=True, kw_only=True)
class Details:
    """What a `detail` says; `type` is None where Portcall has no name for it.

    `account` is the image's, where that is not the event's. `shared`: the notification speaks
    of several repositories under one id.
    """

    type: str | None = None
    action: str | None = None
    shared: bool = False
    account: str | None = None
    repository: str | None = None
    tags: tuple[str, ...] = ()
    digest: str | None = None
    media_type: str | None = None
    artifact_type: str | None = None
    platforms: tuple[str, ...] = ()
    actor: str | None = None
    scan: Scan | None = None
    replication: Replication | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


def registry_host(account: str | None, region: str | None) -> str | None:
    """Build the registry's host, which no event names."""
    if not (account and region):
        return None
    return f"{account}.dkr.ecr.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def read_details(detail_type: str, detail: Part) -> Details:
    """Read the `detail` that belongs to a `detail-type`; one nobody foresaw as far as it goes."""
    return _READERS.get(detail_type.lower(), _read_unforeseen)(detail)


def _image(detail: Part) -> dict[str, Any]:
    """Read which image it is; Inspector names the repository by its ARN."""
    tags, digest = tags_and_digest(
        [detail.name("image-tag"), *detail.names("image-tags")], detail.digest("image-digest")
    )
    name = detail.name("repository-name") or ""
    return {
        "repository": name.rpartition(":repository/")[2] or None,
        "tags": tags,
        "digest": digest,
        "media_type": detail.text("manifest-media-type"),
        "artifact_type": detail.text("artifact-media-type"),
    }


def _read_action(types: Mapping[str, str], detail: Part) -> Details:
    action, result = detail.required_name("action-type"), detail.name("result")
    rejected = result is not None and result.lower() != "success"
    detail.required_name("repository-name")
    return Details(
        type="artifact.rejected" if rejected else types.get(action.lower()),
        action=action,
        **_image(detail),
        attributes=known(
            action=action if rejected else None,
            result=result if rejected else None,
            storage_class=detail.text("target-storage-class"),
            last_activated_at=detail.text("last-activated-at"),
        ),
    )


def _read_scan(scanner: str | None, detail: Part) -> Details:
    native_status = detail.required_name("scan-status")
    if scanner and not detail.name("repository-name"):  # Inspector scans machines too
        return Details(action=native_status)
    status = _SCANS.get(native_status.lower())
    detail.required_name("repository-name")
    counts = _counts(detail.part("finding-severity-counts"))
    total = counts.pop("Total", None)
    if total is None and isinstance(detail.members.get("finding-severity-counts"), dict):
        # Those that are not named are zero.
        total = sum(counts.values())
    return Details(
        type=f"scan.{status}" if status else None,
        action=native_status,
        **_image(detail),
        scan=Scan(
            kind="vulnerability",
            status=status or native_status.lower(),
            severity=next((name for name in _SEVERITIES if counts.get(name)), None),
            total=total,
            counts=counts,
            scanner=scanner,
        ),
    )


def _counts(part: Part) -> dict[str, int]:
    found = ((name, part.integer(name)) for name in list(part.members)[:20])
    return {storable(name[:50]).capitalize(): count for name, count in found if count is not None}


def _read_replication(detail: Part) -> Details:
    image = _image(detail)
    return Details(
        type="replication.changed",
        action=detail.name("action-type"),
        **image,
        replication=Replication(
            status=_outcome(detail.name("result")),
            native_status=detail.name("result"),
            source_registry=registry_host(
                detail.name("source-account"), detail.name("source-region")
            ),
            references=image["tags"],
        ),
        attributes=_failure(detail),
    )


def _read_cache(detail: Part) -> Details:
    status = detail.required_name("sync-status")
    outcome = _outcome(status)
    return Details(
        type="cache.synced" if outcome == "succeeded" else "cache.failed",
        action=status,
        **_image(detail),
        replication=Replication(
            status=outcome,
            native_status=status,
            source_registry=detail.text("upstream-registry-url"),
        ),
        attributes=known(prefix=detail.text("ecr-repository-prefix")) | _failure(detail),
    )


def _outcome(result: str | None) -> str | None:
    if result is None:
        return None
    return "succeeded" if result.lower() == "success" else "failed"


def _failure(detail: Part) -> dict[str, str]:
    return known(
        failure_code=detail.text("failure-code"), failure_reason=detail.text("failure-reason", 1000)
    )


def _read_scan_change(detail: Part) -> Details:
    repositories = detail.parts("repositories")
    repository = repositories[0] if repositories else Part({})
    return Details(
        type="scan.config_changed",
        action=detail.name("action-type"),
        shared=bool(repositories),
        repository=repository.name("repository-name"),
        attributes=known(
            scan_frequency=repository.text("scan-frequency"),
            previous_scan_frequency=repository.text("previous-scan-frequency"),
            scan_type=detail.text("scan-type"),
        ),
    )


def _read_finding(detail: Part) -> Details:
    """Read one vulnerability in one image; Inspector also finds them in other things."""
    resources = detail.parts("resources")
    image = (resources[0] if resources else Part({})).part("details").part("awsEcrContainerImage")
    status = detail.required_name("status")
    tags, digest = tags_and_digest(image.names("imageTags"), image.digest("imageHash"))
    architecture = image.text("architecture")
    return Details(
        type="vulnerability.found" if image.members and status.lower() == "active" else None,
        action=status,
        account=image.name("registry"),
        repository=image.name("repositoryName"),
        tags=tags,
        digest=digest,
        # Inspector scans images for Linux only; its `platform` is the distribution.
        platforms=(f"linux/{architecture}",) if architecture else (),
        scan=Scan(
            kind="vulnerability",
            severity=(detail.text("severity") or "").capitalize() or None,
            scanner="Amazon Inspector",
        ),
        attributes=known(
            vulnerability=detail.part("packageVulnerabilityDetails").text("vulnerabilityId"),
            title=detail.text("title"),
            fix_available=detail.text("fixAvailable"),
            finding=detail.text("findingArn"),
        ),
    )


def _read_api_call(detail: Part) -> Details:
    """Read a call of ECR's API, which CloudTrail reports in another spelling."""
    user = detail.part("userIdentity")
    return Details(
        action=detail.required_name("eventName"),
        repository=detail.part("requestParameters").name("repositoryName"),
        actor=user.text("userName") or user.text("arn"),
        attributes=known(
            request_addr=detail.text("sourceIPAddress"),
            user_agent=detail.text("userAgent"),
            error=detail.text("errorCode"),
        ),
    )


def _read_unforeseen(detail: Part) -> Details:
    return Details(action=detail.name("action-type"), **_image(detail))


_READERS: Mapping[str, Callable[[Part], Details]] = {
    "ecr image action": partial(_read_action, _IMAGE_ACTIONS),
    "ecr artifact action": partial(_read_action, _IMAGE_ACTIONS),
    "ecr referrer action": partial(_read_action, _REFERRER_ACTIONS),
    "ecr image scan": partial(_read_scan, None),
    SCAN_CHANGE: _read_scan_change,
    "ecr replication action": _read_replication,
    "ecr pull through cache action": _read_cache,
    "inspector2 scan": partial(_read_scan, "Amazon Inspector"),
    "inspector2 finding": _read_finding,
    "aws api call via cloudtrail": _read_api_call,
}
