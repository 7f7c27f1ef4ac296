"""`/api/v1/targets/{name}/rotate` and `/keys`: the secrets that sign, exchanged and made known."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from fastapi import Body, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, model_validator

from api.authorization import admin_router
from api.preconditions import ETAG, IfMatch, etag, wanted_version
from api.problems import problems
from api.services import Services, TheServices
from api.suspension import release_held
from portcall.durations import Duration
from portcall.errors import ConflictError, PreconditionError
from portcall.policies import SigningSecret, Target
from portcall.ports import Stored
from portcall.rotation import rotated
from portcall.signing import SecretKind, check_secret, kind_of, new_secret, public_key
from portcall.spec import Name, fault

MOST_TRIES = 50

router = admin_router("targets")


class Rotation(BaseModel):
    """How to exchange a target's signing secret.

    `grace` is how long the older secrets sign as well. Without `secret` a new one is made, of the
    `kind` that is given, else of the kind that it takes the place of.
    """

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"grace": "24h"}]},
    )

    grace: Annotated[Duration, Field(ge=timedelta(), le=timedelta(days=365))] = timedelta(days=1)
    secret: SigningSecret | None = None
    kind: SecretKind | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.secret:
            given = self.secret.get_secret_value()
            try:
                check_secret(given)
            except ValueError as error:  # the mask, of which nothing is stored
                raise fault(["secret"], str(error)) from None
            if self.kind not in (None, kind_of(given)):
                raise fault(["kind"], f"the secret is one of {kind_of(given)}")
        return self


class Retiring(BaseModel):
    """An older secret, which signs until then."""

    until: AwareDatetime


class Rotated(BaseModel):
    """The exchanged secret. `secret` is shown this once, and only where Portcall made it."""

    name: str
    kind: SecretKind
    secret: str | None = Field(default=None, description="null where the caller gave it")
    public_key: str | None = Field(default=None, description="of ed25519: for the receiver")
    retiring: list[Retiring] = []
    version: int


class Key(BaseModel):
    """A key that signs now: how, by which public key to verify (ed25519), and until when."""

    kind: SecretKind
    public_key: str | None = None
    until: AwareDatetime | None = None


class Keys(BaseModel):
    """The keys that sign a target's requests, newest first."""

    keys: list[Key]


@router.post("/{name}/rotate", responses={200: ETAG, **problems(404, 409, 412)})
async def rotate(
    services: TheServices,
    name: Name,
    response: Response,
    rotation: Annotated[Rotation, Body()] = Rotation(),  # noqa: B008 - it is frozen in effect
    if_match: IfMatch = None,
) -> Rotated:
    """Give a target a new signing secret; the older ones sign as well until their grace is over.

    Each request carries a signature of every one of them meanwhile, so that the receiver may
    change over at any moment. The new secret is in this answer and in no other.
    """
    for _ in range(MOST_TRIES):
        stored = await services.store.targets.get(name)
        wanted_version(stored, if_match)
        secret = rotation.secret or SecretStr(_made(rotation.kind, stored.spec))
        try:
            saved = await _saved(services, stored, secret, rotation.grace)
        except PreconditionError:
            if if_match is not None:
                raise
            continue  # another rotation, perhaps: its secret must not be lost
        await release_held(services, stored.spec, saved.spec)
        response.headers["ETag"] = etag(saved)
        response.headers["Cache-Control"] = "no-store"
        return _shown(saved, secret.get_secret_value(), given=rotation.secret is not None)
    raise ConflictError(f"The target {name} is being changed all the time; try again.")


@router.get("/{name}/keys", responses=problems(404))
async def keys(services: TheServices, name: Name) -> Keys:
    """Say which keys sign a target's requests now, with the public keys to verify them by."""
    target, now = (await services.store.targets.get(name)).spec, datetime.now(UTC)
    live = [(secret, None) for secret in target.secrets]
    retiring = [(old.secret, old.until) for old in target.retiring_secrets if old.until > now]
    return Keys(keys=[_key(secret, until) for secret, until in (*live, *retiring)])


async def _saved(
    services: Services, stored: Stored[Target], secret: SecretStr, grace: timedelta
) -> Stored[Target]:
    wanted = rotated(stored.spec, secret, datetime.now(UTC), grace)
    return await services.store.targets.put(wanted, if_version=stored.version)


def _made(kind: SecretKind | None, target: Target) -> str:
    if kind is None:
        old = [secret.get_secret_value() for secret in target.secrets]
        kind = kind_of(old[0]) if old else SecretKind.HMAC
    return new_secret(kind, secrets.token_bytes(32))


def _shown(stored: Stored[Target], secret: str, *, given: bool) -> Rotated:
    return Rotated(
        name=stored.spec.name,
        kind=kind_of(secret),
        secret=None if given else secret,
        public_key=public_key(secret),
        retiring=[Retiring(until=old.until) for old in stored.spec.retiring_secrets],
        version=stored.version,
    )


def _key(secret: SecretStr, until: datetime | None) -> Key:
    value = secret.get_secret_value()
    return Key(kind=kind_of(value), public_key=public_key(value), until=until)
