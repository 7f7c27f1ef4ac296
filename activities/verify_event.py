"""The activity that asks the registry whether an event's claim is true, and what it left out.

A registry that cannot be asked neither confirms nor denies: the activity fails, saying why,
and Temporal tries again until the registry answers or the source no longer wants to verify.
"""

import asyncio
from collections.abc import Sequence

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.heartbeats import heartbeats
from portcall.errors import NotFoundError, UnavailableError
from portcall.events import RegistryEvent, Value
from portcall.policies import RegistryAccess
from portcall.ports import Manifest, PolicyStore, Registries, Repository
from portcall.verification import (
    claimed,
    denial,
    facts_of,
    image_config,
    malformed,
    platforms_of_image,
    unverified,
    verified,
    wants_tags,
)

TAGS_LOOKED_AT = 200
AT_ONCE = 8


class VerifyInput(Value):
    """An event whose verification is pending, without the raw original."""

    event: RegistryEvent


class VerifyEvent:
    """Verification with the store that says how to ask, and the registries."""

    def __init__(self, store: PolicyStore, registries: Registries) -> None:
        """Take what the worker built."""
        self._store = store
        self._registries = registries

    @activity.defn(name="verify_event")
    async def verify_event(self, given: VerifyInput) -> RegistryEvent:
        """Give the event verified, unverified, or unchecked where nobody wants to know any more."""
        event = given.event
        try:
            access = await self._access(event.source)
            if access is None:
                return event.model_copy(update={"verification": None})
            repository = self._registries.repository(access, event.repository or "")
            async with heartbeats():
                judged = await _judge(repository, event)
        except UnavailableError as error:
            raise _failure(error.message, type(error).__name__) from None
        verification = judged.verification
        if verification and verification.state == "unverified" and activity.info().attempt == 1:
            # A registry of several nodes may tell of a push before each of them knows it.
            raise _failure(f"{verification.reason}; the registry is asked again", "Denied")
        return judged

    async def _access(self, source: str) -> RegistryAccess | None:
        try:
            return (await self._store.sources.get(source)).spec.verify
        except NotFoundError:
            return None


def _failure(message: str, kind: str) -> ApplicationError:
    return ApplicationError(message, type=kind, category=ApplicationErrorCategory.BENIGN)


async def _judge(repository: Repository, event: RegistryEvent) -> RegistryEvent:
    if why := malformed(event):
        return unverified(event, why)
    first, *others = claimed(event)
    manifest = await repository.manifest(first)
    digests = [manifest.digest if manifest else None, *await _digests(repository, others)]
    for reference, digest in zip((first, *others), digests, strict=True):
        if why := denial(event, reference, digest):
            return unverified(event, why)
    if manifest is None or len(set(digests)) > 1:
        return verified(event)
    return await _resolved(repository, event, manifest)


async def _resolved(
    repository: Repository, event: RegistryEvent, manifest: Manifest
) -> RegistryEvent:
    """Add what the notification left out: digest, types, size, platforms, tags."""
    facts = facts_of(manifest)
    if config := image_config(manifest):
        facts["platforms"] = platforms_of_image(await repository.blob(config))
    if wants_tags(event):
        tags, more = await repository.tags(TAGS_LOOKED_AT)
        digests = await _digests(repository, tags)
        facts["tags"] = tuple(
            tag for tag, found in zip(tags, digests, strict=True) if found == manifest.digest
        )
        if more:
            facts["attributes"] = {**event.attributes, "more_tags": True}
    return verified(event, **facts)


async def _digests(repository: Repository, tags: Sequence[str]) -> list[str | None]:
    places = asyncio.Semaphore(AT_ONCE)

    async def digest(tag: str) -> str | None:
        async with places:
            return await repository.digest(tag)

    return await asyncio.gather(*map(digest, tags))
