"""What formats in Harbor's manner share: the parts of a repository's name, and their words."""

from portcall.events import RegistryEvent


def project_and_name(event: RegistryEvent) -> tuple[str, str]:
    """Split the repository into its project and the name within, each perhaps empty."""
    repository = event.repository or ""
    project = event.project or ("/" in repository and repository.partition("/")[0]) or ""
    return project, repository.removeprefix(f"{project}/")


def shouted(event: RegistryEvent) -> str:
    """Write the type in the manner of Harbor's words: `scan.completed` is `SCAN_COMPLETED`.

    A registry's own type loses the name of its kind: `quay.build_queued` is `BUILD_QUEUED`.
    """
    word = event.type.removeprefix(f"{event.kind}.")
    return word.upper().replace(".", "_").replace("-", "_")
