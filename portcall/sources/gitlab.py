"""Reads the notifications of GitLab's container registry, a fork of the CNCF distribution."""

from portcall.sources.distribution import Distribution
from portcall.sources.fields import Part


class Gitlab(Distribution):
    """The kind `gitlab`: distribution's envelope with more about the actor, and renaming."""

    kind = "gitlab"

    def project_of(self, repository: str) -> str | None:
        """Give all parts but the last, which is the image's name or, where it has none, wrong."""
        return repository.rpartition("/")[0] or None

    def facts(self, item: Part) -> dict[str, str | None]:
        """Give what only describes the event, and from where to where a repository moved."""
        rename = item.part("target").part("rename")
        return super().facts(item) | {
            "rename_type": rename.text("type"),
            "renamed_from": rename.text("from"),
            "renamed_to": rename.text("to"),
        }
