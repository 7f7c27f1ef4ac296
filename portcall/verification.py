"""Decides what a registry is to be asked about an event, and what its answers say of the claim.

Pure: `activities/verify_event.py` asks. A claim is that a tag names a digest, that a digest is
there, or that it is gone; who did it and when is nothing that a registry could confirm.
"""

import json
import re
from typing import Any

from portcall.events import RegistryEvent, Verification
from portcall.ports import Manifest
from portcall.sources.fields import NAME_LIMIT, is_digest, storable

_CLAIMING = ("artifact.", "tag.", "referrer.", "scan.")
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_NAME = re.compile(f"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_IMAGE_CONFIGS = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
_PLATFORMS_LIMIT = 200


def awaiting_verification(event: RegistryEvent) -> RegistryEvent:
    """Mark the event as pending where it claims something that its registry can confirm.

    A pull is not asked about: to ask is a pull itself, which the registry would tell again.
    """
    if event.type == "artifact.pulled" or not event.type.startswith(_CLAIMING):
        return event
    if not event.repository or not claimed(event):
        return event
    return event.model_copy(update={"verification": Verification(state="pending")})


def is_own_pull(event: RegistryEvent) -> bool:
    """Say whether a registry tells that Portcall has asked it."""
    user_agent = event.attributes.get("user_agent")
    pulled = event.type == "artifact.pulled"
    return pulled and isinstance(user_agent, str) and user_agent.startswith("Portcall/")


def claimed(event: RegistryEvent) -> tuple[str, ...]:
    """Give the references that the claim is about: the tags, else the digest.

    Of an artifact that is gone the digest: its tags may point at another one since.
    """
    digest = (event.digest,) if event.digest else ()
    if _is_deletion(event) and event.type != "tag.deleted":
        return digest or event.tags
    return event.tags or digest


def malformed(event: RegistryEvent) -> str | None:
    """Say why no registry can have this (OCI distribution spec): only names get into a URL."""
    if not _NAME.fullmatch(event.repository or ""):
        return f"{event.repository} is not a repository's name"
    wrong = [text for text in event.tags if not _TAG.fullmatch(text)]
    return f"{wrong[0]} is not a tag" if wrong else None


def denial(event: RegistryEvent, reference: str, digest: str | None) -> str | None:
    """Say how the registry denies the claim, given the digest that it has for a reference."""
    name = f"{event.repository}{'@' if is_digest(reference) else ':'}{reference}"
    if _is_deletion(event):
        return f"the registry still has {name}" if digest else None
    if digest is None:
        return f"the registry has no {name}"
    return f"{name} is at {digest} now" if event.digest not in (None, digest) else None


def unverified(event: RegistryEvent, reason: str) -> RegistryEvent:
    """Give the event with a claim that its registry denies."""
    return event.model_copy(
        update={"verification": Verification(state="unverified", reason=storable(reason)[:1000])}
    )


def verified(event: RegistryEvent, **facts: Any) -> RegistryEvent:
    """Give the event as its registry confirms it: what the registry says goes before the claim."""
    return event.model_copy(update={**facts, "verification": Verification(state="verified")})


def wants_tags(event: RegistryEvent) -> bool:
    """Say whether the tags of the event's digest are to be looked up.

    Not of a push by digest: it is the image of an index, or a tag follows and is told too.
    """
    return not event.tags and not _is_deletion(event) and not event.type.endswith(".pushed")


def facts_of(manifest: Manifest) -> dict[str, Any]:
    """Give what a manifest says of itself, in an event's words; only its digest if unreadable."""
    document = _object(manifest.content)
    if not document:
        return {"digest": manifest.digest}
    config = document.get("config")
    kind = document.get("artifactType") or (config if isinstance(config, dict) else {}).get(
        "mediaType"
    )
    return {
        "digest": manifest.digest,
        "media_type": _text(document.get("mediaType") or manifest.media_type),
        "artifact_type": None if kind in _IMAGE_CONFIGS else _text(kind),
        "size": len(manifest.content),
        "platforms": _platforms(document.get("manifests")),
    }


def image_config(manifest: Manifest) -> str | None:
    """Give the digest of the blob that says for which platform an image is."""
    config = _object(manifest.content).get("config")
    if not isinstance(config, dict) or config.get("mediaType") not in _IMAGE_CONFIGS:
        return None
    digest = config.get("digest")
    return digest if isinstance(digest, str) and is_digest(digest) else None


def platforms_of_image(config: bytes | None) -> tuple[str, ...]:
    """Give the platform that an image's config names."""
    return _platforms([{"platform": _object(config or b"")}])


def _is_deletion(event: RegistryEvent) -> bool:
    return event.type.endswith(".deleted")


def _platforms(children: Any) -> tuple[str, ...]:
    """Give each platform once; `unknown/unknown` is how BuildKit marks what is no image."""
    found = []
    for child in children[:_PLATFORMS_LIMIT] if isinstance(children, list) else ():
        platform = child.get("platform") if isinstance(child, dict) else None
        if isinstance(platform, dict):
            parts = (_text(platform.get(name)) for name in ("os", "architecture", "variant"))
            found.append("/".join(part for part in parts if part))
    return tuple(dict.fromkeys(p for p in found if p and p != "unknown/unknown"))


def _text(value: Any) -> str | None:
    return storable(value[:NAME_LIMIT]) if isinstance(value, str) else None


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
