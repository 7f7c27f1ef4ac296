"""`/api/v1/sources`: the registries that may send notifications."""

from collections.abc import Iterator

from api.services import Services
from api.specs import FieldErrors, Noun, spec_router
from portcall.addresses import check_url
from portcall.auth import HmacAuth, OidcAuth
from portcall.mapping import FieldMapping
from portcall.own_events import OWN_SOURCE
from portcall.policies import Source
from portcall.sources.authentication import signature_of
from portcall.sources.kind import SourceKind


async def _check(services: Services, source: Source) -> FieldErrors:
    if source.name == OWN_SOURCE:
        return [
            {"field": "name", "message": f"{OWN_SOURCE} is the source of Portcall's own events"}
        ]
    kind = services.kinds.get(source.kind)
    if kind is None:
        return [{"field": "kind", "message": f"one of: {', '.join(sorted(services.kinds))}"}]
    errors = [*_auth_errors(kind, source), *mapping_errors(kind, source)]
    for field, url in _asked_urls(source):
        try:
            check_url(url, services.allowed)
        except ValueError as error:
            errors.append({"field": field, "message": str(error)})
    return errors


def _auth_errors(kind: SourceKind, source: Source) -> list[dict[str, str]]:
    if not isinstance(source.auth, HmacAuth) or signature_of(source.auth, kind.signature):
        return []
    message = f"{kind.kind} has no signature of its own: name the header that it stands in"
    return [{"field": "auth.header", "message": message}]


def mapping_errors(kind: SourceKind, source: Source) -> Iterator[dict[str, str]]:
    """Say what is wrong with having a mapping, or with having none."""
    match kind.mapping_use, source.mapping:
        case "none", FieldMapping():
            yield {"field": "mapping", "message": f"{kind.kind} takes no mapping"}
        case "required", None:
            yield {"field": "mapping", "message": f"is missing: {kind.kind} knows nothing else"}
        case "required", FieldMapping(type=None):
            yield {"field": "mapping.type", "message": "is missing: it says what happened"}
        case "optional", FieldMapping(events=str()):
            message = f"{kind.kind} finds the events itself"
            yield {"field": "mapping.events", "message": message}


def _asked_urls(source: Source) -> Iterator[tuple[str, str]]:
    """Give the URLs that Portcall itself will ask, with their fields."""
    if isinstance(source.auth, OidcAuth):
        yield "auth.issuer", source.auth.issuer
    if source.verify:
        yield "verify.url", source.verify.url


router = spec_router(
    Noun(
        name="source",
        plural="sources",
        model=Source,
        collection=lambda services: services.store.sources,
        check=_check,
        example={
            "name": "harbor-eu",
            "kind": "harbor",
            "auth": {"type": "bearer", "token": "what Harbor sends"},
        },
    )
)
