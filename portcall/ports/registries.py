"""Registries, and issuers of tokens, as they are asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from portcall.auth import OidcAuth
from portcall.policies import RegistryAccess


@dataclass(frozen=True)
class Manifest:
    """A manifest as a registry gives it; `content` is empty where it was too large to read."""

    digest: str
    media_type: str | None
    content: bytes


class Repository(Protocol):
    """One repository of a registry, asked over the OCI distribution API.

    UnavailableError is what neither confirms nor denies: nobody answers, a credential is
    refused, the answer is no registry's.
    """

    async def manifest(self, reference: str) -> Manifest | None:
        """Give what a tag or digest names; None where the registry says that it has none."""
        ...

    async def digest(self, tag: str) -> str | None:
        """Give what a tag names now, without reading it."""
        ...

    async def blob(self, digest: str) -> bytes | None:
        """Give a small blob; None where there is none or it is large."""
        ...

    async def tags(self, limit: int) -> tuple[Sequence[str], bool]:
        """Give at most so many tags, and whether there are more."""
        ...


class Registries(Protocol):
    """Knows how to ask a registry."""

    def repository(self, access: RegistryAccess, name: str) -> Repository:
        """Give one repository, without asking yet."""
        ...


class TokenVerifier(Protocol):
    """Judges tokens by the keys of their issuer (OpenID Connect)."""

    async def refusal(self, token: str, wanted: OidcAuth) -> str | None:
        """Say why the token is not to be trusted, never quoting it; None where it is.

        Raise UnavailableError, soon, while the issuer's keys are not known.
        """
        ...
