"""How formats name things: the parts of a repository's name, Harbor's words, what it is about."""

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


def subject(event: RegistryEvent) -> str:
    """Give `prod/app:v1` for a single tag, else `prod/app@sha256:...`, else the repository."""
    repository = event.repository or event.project or ""
    if repository and len(event.tags) == 1:
        return f"{repository}:{event.tags[0]}"
    return f"{repository}@{event.digest}" if repository and event.digest else repository
