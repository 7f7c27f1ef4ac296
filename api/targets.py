"""`/api/v1/targets`: the webhook endpoints; a URL that may not be reached is refused early."""

from collections.abc import Iterator

from api.services import Services
from api.specs import Doubts, FieldErrors, Noun, spec_router
from portcall.adapters.tls import UnusableTlsError, check_tls
from portcall.addresses import check_url
from portcall.auth import OAuth2Auth
from portcall.policies import Target
from portcall.rotation import with_retiring
from portcall.target_doubts import doubts


async def _check(services: Services, target: Target) -> FieldErrors:
    return [*_url_errors(services, target), *_tls_errors(target)]


def _url_errors(services: Services, target: Target) -> Iterator[dict[str, str]]:
    urls = {"url": target.url, "proxy.url": target.proxy and target.proxy.url}
    if isinstance(target.auth, OAuth2Auth):
        urls["auth.token_url"] = target.auth.token_url
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


async def _doubts(_: Services) -> Doubts:
    return doubts


router = spec_router(
    Noun(
        name="target",
        plural="targets",
        model=Target,
        collection=lambda services: services.store.targets,
        check=_check,
        doubts=_doubts,
        kept=with_retiring,
        example={
            "name": "ci",
            "url": "https://ci.example.com/hook",
            "auth": {"type": "bearer", "token": "what the receiver expects"},
            "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        },
    )
)
