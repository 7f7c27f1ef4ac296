"""`/api/v1/sources`: the registries that may send notifications."""

from api.services import Services
from api.specs import FieldErrors, Noun, spec_router
from portcall.policies import Source


async def _check(services: Services, source: Source) -> FieldErrors:
    if source.kind in services.kinds:
        return []
    return [{"field": "kind", "message": f"one of: {', '.join(sorted(services.kinds))}"}]


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
