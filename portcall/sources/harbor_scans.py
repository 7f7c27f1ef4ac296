"""Reads what Harbor says of a scan: its overview's shape has changed with its releases."""

from collections.abc import Mapping

from portcall.events import Scan
from portcall.sources.fields import Part, storable
from portcall.sources.times import described_time

_CLAIR_SEVERITIES: Mapping[int | None, str] = dict(
    enumerate(("None", "Unknown", "Low", "Medium", "High"), start=1)
)


def read_scan(data: Part, event_type: str) -> Scan | None:
    """Sum up a scan; Harbor leaves the overview out of those that Scan All started."""
    if not event_type.startswith("scan."):
        return None
    resources = data.parts("resources") or [Part({})]
    sbom = resources[0].part("sbom_overview")
    report = sbom if sbom.members else _report(resources[0].part("scan_overview"))
    summary, scanner = report.part("summary"), report.part("scanner")
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
        scanner=scanner.text("name"),
        scanner_vendor=scanner.text("vendor"),
        scanner_version=scanner.text("version"),
        report_id=report.text("report_id"),
        started_at=described_time(report, "start_time"),
        ended_at=described_time(report, "end_time"),
        sbom_repository=sbom.text("sbom_repository"),
        sbom_digest=sbom.text("sbom_digest"),
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
