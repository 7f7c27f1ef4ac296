"""Reads webhook policies from Harbor's API 2.0, page after page; what they mean is not asked.

Nothing but the address that was given is asked: neither redirects nor links are followed, so
that the password goes nowhere else.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

from portcall.errors import (
    AuthenticationError,
    ConfigurationError,
    ForbiddenError,
    NotFoundError,
    PortcallError,
    UnavailableError,
)

PAGE = 100
MOST_PAGES = 1000
_LIST = re.compile(r"projects/([^/]+)/webhook/policies/?")


class Listed(NamedTuple):
    """The policies by project, as they came, and the projects that may not be read."""

    projects: dict[str, Any]
    refused: list[str]


class Harbor:
    """Asks one Harbor."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def listed(self, project: str | None, part: str = "") -> Listed:
        """Give the policies of one project, of that whose list is at `part`, or of all."""
        if found := _LIST.fullmatch(part):
            name = project or self._named(found[1])
            return Listed({name: self._pages(part)}, [])
        if project:
            return Listed({project: self._policies(project)}, [])
        return self._all()

    def _all(self) -> Listed:
        names = [self._name(project) for project in self._pages("projects")]
        found = Listed({}, [])
        refusal: PortcallError | None = None
        for name in names:
            try:
                found.projects[name] = self._policies(name)
            except ForbiddenError as error:
                found.refused.append(name)
                refusal = error
        if refusal and not found.projects:
            raise refusal
        return found

    def _policies(self, project: str) -> list[Any]:
        # Harbor takes a project of digits for an id, unless it is told so.
        named = {"X-Is-Resource-Name": "true"}
        return self._pages(f"projects/{quote(project, safe='')}/webhook/policies", named)

    def _named(self, project: str) -> str:
        return self._name(self._json(self._get(f"projects/{project}")))

    def _name(self, project: Any) -> str:
        name = project.get("name") if isinstance(project, dict) else None
        if not isinstance(name, str):
            raise self._stranger()
        return name

    def _pages(self, path: str, headers: Mapping[str, str] | None = None) -> list[Any]:
        items: list[Any] = []
        for page in range(1, MOST_PAGES + 1):
            response = self._get(path, {"page": page, "page_size": PAGE}, headers)
            found = self._json(response)
            if not isinstance(found, list | None):
                raise self._stranger()
            items += found or []
            if not found or not _has_more(response, len(items)):
                break
        return items

    def _get(
        self,
        path: str,
        params: Mapping[str, int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        try:
            response = self._http.get(path, params=params, headers=headers)
        except httpx.TimeoutException:
            raise UnavailableError(f"Harbor at {self._url} did not answer in time.") from None
        except httpx.TransportError as error:
            message = f"Harbor does not answer at {self._url}: {error}."
            raise UnavailableError(message) from None
        if not response.is_success:
            raise self._refusal(response, path)
        return response

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError:
            raise self._stranger() from None

    def _refusal(self, response: httpx.Response, path: str) -> PortcallError:
        status, what = response.status_code, path.removesuffix("/webhook/policies")
        if status == 401:
            return AuthenticationError(
                "Harbor wants a user: give --username, and the right password in HARBOR_PASSWORD."
            )
        if status == 403:
            return ForbiddenError(
                f"This user may not read the webhooks of {what}: that takes a project admin."
            )
        if status == 404:
            return NotFoundError(f"Harbor at {self._url} has no {what}.")
        if status == 429 or status >= 500:
            return UnavailableError(f"Harbor at {self._url} answers HTTP {status}; try again.")
        if response.is_redirect:
            where = response.headers.get("Location", "elsewhere")
            return ConfigurationError(f"{self._url} redirects to {where}: give Harbor's own URL.")
        return self._stranger()

    def _stranger(self) -> PortcallError:
        return ConfigurationError(
            f"What answers at {self._url} does not speak like Harbor's API: is it Harbor's own URL,"
            " such as https://harbor.example?"
        )

    @property
    def _url(self) -> str:
        return str(self._http.base_url).rstrip("/")


def _has_more(response: httpx.Response, count: int) -> bool:
    """Whether there are more than `count`: Harbor says how many, and links to the next page."""
    total = response.headers.get("X-Total-Count", "")
    return count < int(total) if total.isdecimal() else "next" in response.links
