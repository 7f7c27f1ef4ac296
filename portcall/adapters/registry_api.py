"""Asks a registry over the OCI distribution API, with Basic credentials or its token service's.

Requests go through the guarded network. A 404 counts only as a registry says it: another
server's would deny every event.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from portcall.attempts import Headers
from portcall.errors import UnavailableError
from portcall.outgoing import auth_headers, user_agent
from portcall.policies import RegistryAccess
from portcall.ports import Manifest, OutgoingRequest, ReceivedResponse, Transport

ACCEPT = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
"""Without these a registry gives an index as one of its images, or says that there is none."""

BODY_LIMIT = 4 * 1024 * 1024
"""The size of a manifest that every registry takes (OCI distribution spec)."""

TIMEOUT = timedelta(seconds=10)
REDIRECTS = 5
PAGE = 100

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next\b')


class RegistryApi:
    """`ports.Registries` over a transport."""

    def __init__(self, transport: Transport) -> None:
        """Send through `transport`."""
        self._transport = transport

    def repository(self, access: RegistryAccess, name: str) -> "ApiRepository":
        """Give one repository, without asking yet."""
        return ApiRepository(self._transport, access, name)


class ApiRepository:
    """`ports.Repository`; what the registry wants as authorization is learned from its 401."""

    def __init__(self, transport: Transport, access: RegistryAccess, name: str) -> None:
        """Begin without authorization."""
        self._transport = transport
        self._access = access
        self._name = name
        self._place = f"{access.url.rstrip('/')}/v2/{quote(name)}/"
        self._host = urlsplit(access.url).netloc
        self._authorization: str | None = None

    async def manifest(self, reference: str) -> Manifest | None:
        """Give what a tag or digest names; None where the registry says that it has none."""
        response = await self._ask("GET", f"manifests/{quote(reference, safe=':')}")
        if response is None:
            return None
        digest = _header(response, "docker-content-digest")
        if not digest and response.truncated:
            raise UnavailableError(f"{self._host}: {reference} is too large to be read")
        return Manifest(
            digest=digest or "sha256:" + hashlib.sha256(response.body).hexdigest(),
            media_type=(_header(response, "content-type") or "").partition(";")[0] or None,
            content=b"" if response.truncated else response.body,
        )

    async def digest(self, tag: str) -> str | None:
        """Give what a tag names now, without reading it where the registry can say it so."""
        response = await self._ask("HEAD", f"manifests/{quote(tag, safe='')}")
        if response is None:
            return None
        if digest := _header(response, "docker-content-digest"):
            return digest
        manifest = await self.manifest(tag)
        return manifest.digest if manifest else None

    async def blob(self, digest: str) -> bytes | None:
        """Give a small blob; None where there is none or it is large."""
        response = await self._ask("GET", f"blobs/{quote(digest, safe=':')}")
        return None if response is None or response.truncated else response.body

    async def tags(self, limit: int) -> tuple[Sequence[str], bool]:
        """Give at most so many tags, and whether there are more."""
        found: list[str] = []
        place: str | None = f"tags/list?n={PAGE}"
        while place and len(found) < limit:
            response = await self._ask("GET", place)
            tags = _json(response).get("tags") if response else None
            if response is None or not isinstance(tags, list) or not tags:
                return found, False
            found += [tag for tag in tags if isinstance(tag, str)]
            following = _NEXT.search(_header(response, "link") or "")
            place = following and following[1]
        return found[:limit], place is not None or len(found) > limit

    async def _ask(self, method: str, path: str) -> ReceivedResponse | None:
        """Give the answer, None where it is a registry's «there is none»."""
        url = self._leading(self._place, path)
        response = await self._follow(method, url)
        if response.status == 401:
            self._authorization = await self._authorize(response)
            response = await self._follow(method, url)
        if response.status == 200:
            return response
        if response.status == 404 and (method == "HEAD" or _is_registrys(response)):
            return None
        raise UnavailableError(f"{self._host}: {_explained(response.status)}")

    async def _follow(self, method: str, url: str) -> ReceivedResponse:
        """Send, and follow redirects: many registries keep blobs with a cloud's object store."""
        for _ in range(REDIRECTS):
            own = _origin(url) == _origin(self._place)
            authorization = self._authorization if own else None
            response = await self._send(method, url, authorization, (("Accept", ACCEPT),))
            location = _header(response, "location")
            if response.status == 401 and not own:  # whose token service could be anybody's
                raise UnavailableError(f"{urlsplit(url).netloc}: {_explained(401)}")
            if response.status not in (301, 302, 303, 307, 308) or not location:
                return response
            url = self._leading(url, location)
        raise UnavailableError(f"{self._host}: more than {REDIRECTS} redirects")

    async def _authorize(self, refused: ReceivedResponse) -> str:
        """Give the Authorization header that a 401 asks for (RFC 6750, RFC 7617)."""
        challenges = ", ".join(v for n, v in refused.headers if n.lower() == "www-authenticate")
        credential = dict(auth_headers(self._access.auth)).get("Authorization")
        _, bearer, parameters = re.sub("(?i)bearer ", "Bearer ", challenges).partition("Bearer ")
        if bearer:
            return await self._token(dict(reversed(_PARAMETER.findall(parameters))), credential)
        if credential is None:
            raise UnavailableError(f"{self._host}: wants a credential: set verify.auth")
        return credential

    async def _token(self, asked: dict[str, str], credential: str | None) -> str:
        """Get a token from the registry's token service (distribution spec, token.md)."""
        realm = self._leading(self._place, asked.get("realm", ""))
        query = {"scope": f"repository:{self._name}:pull"} | {
            name: asked[name] for name in ("service", "scope") if name in asked
        }
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}"
        response = await self._send("GET", url, credential)
        answer = _json(response)
        token = answer.get("token") or answer.get("access_token")
        if response.status != 200 or not isinstance(token, str):
            raise UnavailableError(
                f"{urlsplit(realm).netloc} gives no token: {_explained(response.status)}"
            )
        return f"Bearer {token}"

    def _leading(self, base: str, place: str) -> str:
        """Give the URL that an answer leads to; not without TLS where the registry has it."""
        try:
            url = urljoin(base, place)
            scheme = urlsplit(url).scheme
        except ValueError:
            raise UnavailableError(f"{self._host}: leads to no URL") from None
        if scheme not in {"https", urlsplit(self._access.url).scheme}:
            raise UnavailableError(f"{self._host}: leads to a URL without TLS")
        return url

    async def _send(
        self, method: str, url: str, authorization: str | None, more: Headers = ()
    ) -> ReceivedResponse:
        own: Headers = (("User-Agent", user_agent()), ("Accept-Encoding", "identity"), *more)
        request = OutgoingRequest(
            url=url,
            headers=(*own, ("Authorization", authorization)) if authorization else own,
            body=b"",
            timeout=TIMEOUT,
            skip_cert_verify=self._access.skip_cert_verify,
            method=method,
            body_limit=BODY_LIMIT,
        )
        exchange = await self._transport.send(request)
        if exchange.response is None:
            why = exchange.error.message if exchange.error else "no response"
            raise UnavailableError(f"{urlsplit(url).netloc}: {why}")
        return exchange.response


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _header(response: ReceivedResponse, name: str) -> str | None:
    return next((value for key, value in response.headers if key.lower() == name), None)


def _json(response: ReceivedResponse) -> dict[str, Any]:
    try:
        value = json.loads(response.body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _is_registrys(response: ReceivedResponse) -> bool:
    """Say whether an error is one of the distribution API's."""
    named = _header(response, "docker-distribution-api-version")
    return bool(named) or isinstance(_json(response).get("errors"), list)


def _explained(status: int) -> str:
    match status:
        case 401 | 403:
            return f"HTTP {status}: the credential is refused: check verify.auth"
        case 404:
            return f"HTTP {status}, but not as a registry answers: check verify.url"
        case _:
            return f"HTTP {status}"
