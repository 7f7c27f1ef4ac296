"""`/api/v1/targets`: the webhook endpoints; a URL that may not be reached is refused early."""

from collections.abc import Iterator

from api.services import Services
from api.specs import FieldErrors, Noun, spec_router
from portcall.adapters.tls import UnusableTlsError, check_tls
from portcall.addresses import check_url
from portcall.policies import Target


async def _check(services: Services, target: Target) -> FieldErrors:
    return [*_url_errors(services, target), *_tls_errors(target)]


def _url_errors(services: Services, target: Target) -> Iterator[dict[str, str]]:
    urls = {"url": target.url, "proxy.url": target.proxy and target.proxy.url}
    for field, url in urls.items():
        try:
            if url:
                check_url(url, services.allowed)
        except ValueError as error:
            yield {"field": field, "message": str(error)}


def _tls_errors(target: Target) -> Iterator[dict[str, str]]:
    try:
        check_tls(target.tls)
    except UnusableTlsError as error:
        yield {"field": error.field, "message": error.reason}


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
