"""`/api/v1/targets`: the webhook endpoints; a URL that may not be reached is refused early."""

from api.services import Services
from api.specs import FieldErrors, Noun, spec_router
from portcall.addresses import check_url
from portcall.policies import Target
from portcall.signing import check_secret


async def _check(services: Services, target: Target) -> FieldErrors:
    errors = []
    try:
        check_url(target.url, services.allowed_networks)
    except ValueError as error:
        errors.append({"field": "url", "message": str(error)})
    for index, secret in enumerate(target.secrets):
        try:
            check_secret(secret.get_secret_value())
        except ValueError as error:
            errors.append({"field": f"secrets.{index}", "message": str(error)})
    return errors


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
