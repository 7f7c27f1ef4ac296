"""Sources, targets and policies over HTTP: the same six answers for each, by name.

What is special to one of them (checks, an example) is in its own module.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Generic

from fastapi import APIRouter, Body, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, create_model

from api.authorization import admin_router
from api.changes import Change, changes
from api.pages import LIMIT, Limit, Page
from api.preconditions import ETAG, IfMatch, IfNoneMatch, etag, wanted_version
from api.problems import invalid, problems
from api.services import Services, TheServices
from api.suspension import release_held
from portcall.errors import ConflictError, NotFoundError, UnreadableError
from portcall.ports import Collection, SpecT, Stored
from portcall.secrets import merge_masked
from portcall.spec import Name

FieldErrors = Sequence[Mapping[str, str]]
Doubts = Callable[[Any], list[str]]


async def _no_doubts(_: Services) -> Doubts:
    return lambda _: []


def _nothing_kept(spec: Any, _: Any) -> Any:
    return spec


DryRun = Annotated[
    bool, Query(description="validate and say what would change, without changing it")
]


@dataclass(frozen=True)
class Noun(Generic[SpecT]):
    """What makes sources, targets and policies different."""

    name: str
    plural: str
    model: type[SpecT]
    collection: Callable[[Services], Collection[SpecT]]
    check: Callable[[Services, SpecT], Awaitable[FieldErrors]]
    example: Mapping[str, Any]
    doubts: Callable[[Services], Awaitable[Doubts]] = _no_doubts
    kept: Callable[[SpecT, SpecT | None], SpecT] = _nothing_kept
    """What a body that does not say it leaves as it is stored."""

    @cached_property
    def body(self) -> type[BaseModel]:
        """The body of a PUT, which may leave the name to the path."""
        name = Field(default="", description="the name in the path, or absent")
        return create_model(f"{self.model.__name__}Body", __base__=self.model, name=(Name, name))

    @cached_property
    def answer(self) -> type[BaseModel]:
        """The spec as it is answered, secrets masked."""
        warnings: dict[str, Any] = (
            {} if self.doubts is _no_doubts else {"warnings": (list[str], [])}
        )
        return create_model(
            f"Stored{self.model.__name__}",
            __base__=self.model,
            version=(int, ...),
            created_at=(datetime, ...),
            updated_at=(datetime, ...),
            **warnings,
        )

    async def answer_to(
        self, services: Services, stored: Stored[SpecT], response: Response
    ) -> BaseModel:
        """Give the stored spec, and set its ETag."""
        response.headers["ETag"] = etag(stored)
        return self.shown(stored, await self.doubts(services))

    def shown(self, stored: Stored[SpecT], doubts: Doubts) -> BaseModel:
        """Give the stored spec as it is answered, with what it can hardly mean."""
        warnings = doubts(stored.spec)
        return self.answer(
            **dict(stored.spec),
            version=stored.version,
            created_at=stored.created_at,
            updated_at=stored.updated_at,
            **({"warnings": warnings} if warnings else {}),
        )

    async def find(self, services: Services, name: str) -> Stored[SpecT] | None:
        """Give the stored spec, None where there is none."""
        try:
            return await self.collection(services).get(name)
        except NotFoundError:
            return None

    async def checked(self, services: Services, spec: SpecT, old: SpecT | None) -> SpecT:
        """Give the spec with the secrets that came back masked; raise InvalidInputError."""
        merged = merge_masked(self.kept(spec, old), old)
        errors = await self.check(services, merged)
        if errors:
            raise invalid(errors)
        return merged

    async def save(self, services: Services, spec: SpecT, version: int | None) -> Stored[SpecT]:
        """Write over `version`, over none where it is 0, over whichever where it is None."""
        collection = self.collection(services)
        if version == 0:
            return await collection.create(spec)
        return await collection.put(spec, if_version=version)


def spec_router(noun: Noun[SpecT]) -> APIRouter:
    """Give the router of one noun."""
    router = admin_router(noun.plural)
    _add_reads(router, noun)
    _add_create(router, noun)
    _add_put(router, noun)
    _add_delete(router, noun)
    return router


def _add_reads(router: APIRouter, noun: Noun[SpecT]) -> None:
    @router.get(
        "",
        operation_id=f"list_{noun.plural}",
        summary=f"List {noun.plural}",
        response_model=Page[noun.answer],  # type: ignore[name-defined]
    )
    async def list_by_name(
        services: TheServices, limit: Limit = LIMIT, cursor: Name | None = None
    ) -> Any:
        """List by name."""
        found = await noun.collection(services).list(after=cursor or "", limit=limit + 1)
        doubts = await noun.doubts(services)
        return Page(
            items=[noun.shown(stored, doubts) for stored in found[:limit]],
            next_cursor=found[limit - 1].spec.name if len(found) > limit else None,
        )

    @router.get(
        "/{name}",
        operation_id=f"get_{noun.name}",
        summary=f"Get a {noun.name}",
        response_model=noun.answer,
        responses={200: ETAG, **problems(404)},
    )
    async def get(services: TheServices, name: Name, response: Response) -> Any:
        """Give one; its ETag goes into `If-Match`."""
        return await noun.answer_to(services, await noun.collection(services).get(name), response)


def _add_create(router: APIRouter, noun: Noun[SpecT]) -> None:
    @router.post(
        "",
        operation_id=f"create_{noun.name}",
        summary=f"Create a {noun.name}",
        status_code=201,
        response_model=noun.answer,
        responses={201: ETAG, 200: {"model": Change}, **problems(409)},
    )
    async def create(
        services: TheServices,
        spec: Annotated[noun.model, Body(examples=[noun.example])],  # type: ignore[name-defined]
        response: Response,
        dry_run: DryRun = False,
    ) -> Any:
        """Add one; 409 where the name is in use."""
        if await noun.find(services, spec.name):
            raise ConflictError(f"There is a {noun.name} named {spec.name} already.")
        checked = await noun.checked(services, spec, None)
        if dry_run:
            warnings = (await noun.doubts(services))(checked)
            return JSONResponse(changes(None, checked, warnings).model_dump())
        stored = await noun.collection(services).create(checked)
        response.headers["Location"] = f"{router.prefix}/{spec.name}"
        return await noun.answer_to(services, stored, response)


def _add_put(router: APIRouter, noun: Noun[SpecT]) -> None:
    @router.put(
        "/{name}",
        operation_id=f"put_{noun.name}",
        summary=f"Create or replace a {noun.name}",
        response_model=noun.answer | Change,
        responses={200: ETAG, 201: {"model": noun.answer} | ETAG, **problems(409, 412)},
    )
    async def put(
        services: TheServices,
        name: Name,
        body: Annotated[noun.body, Body(examples=[noun.example])],  # type: ignore[name-defined]
        response: Response,
        *,
        if_match: IfMatch = None,
        if_none_match: IfNoneMatch = None,
        dry_run: DryRun = False,
    ) -> Any:
        """Create or replace; the same body again changes nothing.

        A secret that is sent back as it was answered (`**********`) stays what it is.
        """
        if body.name not in ("", name):
            raise invalid([{"field": "name", "message": "another name than in the path"}])
        said = {field: getattr(body, field) for field in body.model_fields_set}
        spec = noun.model(**{**said, "name": name})
        stored = await noun.find(services, name)
        version = wanted_version(stored, if_match, if_none_match)
        old = stored.spec if stored else None
        checked = await noun.checked(services, spec, old)
        if dry_run:
            return changes(old, checked, (await noun.doubts(services))(checked))
        if stored and checked is not spec and version is None:
            version = stored.version  # a secret that is kept must not undo a newer one
        response.status_code = 200 if stored else 201
        saved = await noun.save(services, checked, version)
        if old:
            await release_held(services, old, checked)
        return await noun.answer_to(services, saved, response)


def _add_delete(router: APIRouter, noun: Noun[SpecT]) -> None:
    @router.delete(
        "/{name}",
        operation_id=f"delete_{noun.name}",
        summary=f"Delete a {noun.name}",
        status_code=204,
        responses=problems(404, 409, 412),
    )
    async def delete(services: TheServices, name: Name, if_match: IfMatch = None) -> None:
        """Remove one; 409 with the policies' names where a target is in use."""
        collection, stored = noun.collection(services), None
        with suppress(UnreadableError):  # which is to be deleted too
            stored = await collection.get(name)
        await collection.delete(name, if_version=wanted_version(stored, if_match))
        if stored:
            await release_held(services, stored.spec, None)
