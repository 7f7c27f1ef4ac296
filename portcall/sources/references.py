"""Takes image references apart that come in one piece, and puts platforms together."""

from typing import NamedTuple

from portcall.sources.fields import Part, is_digest, storable


class ImageReference(NamedTuple):
    """The parts of `host/path/of/the/image:tag@digest`; None for what is not there."""

    registry: str | None
    repository: str | None
    tag: str | None
    digest: str | None


def read_reference(part: Part, name: str) -> ImageReference:
    """Read a member that is a full reference; without a tag it may end in a bare colon."""
    text = part.members.get(name)
    if text is not None and not isinstance(text, str):
        part.wrong(name, "text")
    located, _, digest = storable(text or "").partition("@")
    host, _, path = located.partition("/")
    repository, _, tag = path.partition(":")
    if digest and not is_digest(digest):
        part.wrong(name, "an image reference")
    found = (part.joined(name, None, piece) for piece in (host, repository, tag, digest))
    return ImageReference(*(piece or None for piece in found))


def read_platform(part: Part) -> str | None:
    """Read an OCI platform object: `os/architecture[/variant]`."""
    names = (part.text(name) for name in ("os", "architecture", "variant"))
    return "/".join(name for name in names if name) or None
