"""The CLI's way to the API: where it is, which token it takes, and what its answers mean.

Every problem document and every failed connection becomes a `PortcallError` with one clear
sentence; what is printed is left to the commands.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from portcall.errors import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    PortcallError,
    PreconditionError,
    TooLargeError,
    UnavailableError,
)
from portcall.settings import Settings, load_settings

ModelT = TypeVar("ModelT", bound=BaseModel)

PAGE = 200
"""The most that the API gives in one page."""

_HOST = re.compile(r"[\w.:-]+")
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_ERRORS: Mapping[int, type[PortcallError]] = {
    401: AuthenticationError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    412: PreconditionError,
    413: TooLargeError,
    503: UnavailableError,
}


class _Page(BaseModel):
    items: list[dict[str, Any]]
    next_cursor: str | None


class ApiClient:
    """Asks the API. Paths are relative to `/api/v1`; parts of a path are quoted by `path`."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Make one request; raise what a refusal or a failed connection means."""
        given = {name: value for name, value in (params or {}).items() if value is not None}
        try:
            response = self._http.request(
                method, f"/api/v1/{path}", params=given, json=json, headers=headers
            )
        except httpx.TimeoutException:
            raise UnavailableError(f"Portcall at {self._url} did not answer in time.") from None
        except httpx.TransportError as error:
            raise UnavailableError(
                f"Portcall does not answer at {self._url}: {_cause(error)}. "
                "Is it running? (portcall up)"
            ) from None
        if not response.is_success:
            raise self._refusal(response)
        return response

    def json(self, method: str, path: str, **more: Any) -> Any:
        """Make one request and give the answer's JSON."""
        response = self.call(method, path, **more)
        try:
            return response.json()
        except ValueError:
            raise self._stranger(response) from None

    def find(self, path: str) -> httpx.Response | None:
        """Get what may not be there."""
        try:
            return self.call("GET", path)
        except NotFoundError:
            return None

    def items(
        self, path: str, limit: int, params: Mapping[str, Any] | None = None
    ) -> tuple[list[dict[str, Any]], bool]:
        """Give the first `limit` items of a list, page after page, and whether there are more."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            wanted = {"limit": min(PAGE, limit - len(found)), "cursor": cursor}
            page = understood(_Page, self.json("GET", path, params={**(params or {}), **wanted}))
            found += page.items
            cursor = page.next_cursor
            if cursor is None or len(found) >= limit:
                return found, cursor is not None

    @property
    def _url(self) -> str:
        return str(self._http.base_url).rstrip("/")

    def _refusal(self, response: httpx.Response) -> PortcallError:
        try:
            problem = response.json()
            message = str(problem.get("detail") or problem["title"])
        except (ValueError, AttributeError, KeyError):
            return self._stranger(response)
        if response.status_code in (400, 422):
            errors = problem.get("errors") or ()
            return InvalidInputError("The API refuses this." if errors else message, errors)
        if response.status_code == 401:
            message += " Give --token or set PORTCALL_ADMIN_TOKEN."
        return _ERRORS.get(response.status_code, PortcallError)(message)

    def _stranger(self, response: httpx.Response) -> PortcallError:
        kind = response.headers.get("content-type", "no content type")
        return UnavailableError(
            f"What answers at {self._url} does not speak like Portcall's API "
            f"(HTTP {response.status_code}, {kind})."
        )


@contextmanager
def connect(url: str | None, token: str | None) -> Iterator[ApiClient]:
    """Open a client from the command's options, the environment or the data directory."""
    settings = load_settings(url=url, admin_token=token)
    address = _address(settings.api_url)
    local = address.host in LOOPBACK
    http = httpx.Client(
        base_url=address,
        headers={"Authorization": f"Bearer {_token(settings, local=local)}"},
        timeout=httpx.Timeout(30, connect=5),
        verify=address.scheme == "https",  # reading the CAs takes a tenth of a second
        trust_env=not local,  # a proxy for the outside must not be asked for loopback
    )
    with http:
        yield ApiClient(http)


def understood(model: type[ModelT], value: Any) -> ModelT:
    """Read an answer of the API into its model."""
    try:
        return model.model_validate(value)
    except ValidationError:
        raise ConfigurationError(
            "What the API answers is not understood: is it another version of Portcall?"
        ) from None


def path(*parts: str) -> str:
    """Join the parts of a path, each quoted."""
    return "/".join(quote(part, safe=":") for part in parts)


def _address(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        address = httpx.URL()
    if address.scheme not in ("http", "https") or not _HOST.fullmatch(address.host):
        raise ConfigurationError(f"{url!r} is not the API's address: write http://host:port.")
    return address


def _token(settings: Settings, *, local: bool) -> str:
    """Give the admin token; the one in the data directory goes to this machine alone."""
    if settings.admin_token:
        return settings.admin_token.get_secret_value()
    file = settings.data_dir / "admin-token"
    try:
        if local:
            return file.read_text().strip()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from None
    where = f" in {file}" if local else ""
    raise ConfigurationError(
        f"No admin token{where}: give --token, or set PORTCALL_ADMIN_TOKEN or PORTCALL_DATA_DIR."
    )


def _cause(error: Exception) -> str:
    """Say in the operating system's words why there was no connection."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
