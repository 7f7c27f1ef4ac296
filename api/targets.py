"""`/api/v1/targets`: the webhook endpoints; a URL that may not be reached is refused early."""

from api.services import Services
from api.specs import FieldErrors, Noun, spec_router
from portcall.addresses import check_url
from portcall.policies import Target


async def _check(services: Services, target: Target) -> FieldErrors:
    try:
        check_url(target.url, services.allowed_networks)
    except ValueError as error:
        return [{"field": "url", "message": str(error)}]
    return []


router = spec_router(
    Noun(
        name="target",
        plural="targets",
        model=Target,
        collection=lambda services: services.store.targets,
        check=_check,
        example={
            "name": "ci",
            "url": "https://ci.example.com/hook",
            "auth": {"type": "bearer", "token": "what the receiver expects"},
            "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        },
    )
)
