"""Plays Harbor's API 2.0 on a loopback port: projects, and the webhook policies of each."""

import base64
import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

USER = "admin"
PASSWORD = "planted-harbor-password"
_CREDENTIAL = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@dataclass
class FakeHarbor:
    """What this Harbor holds; a test may make it answer otherwise."""

    projects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    page_size: int = 2
    counts: bool = True
    instead: tuple[int, dict[str, str], bytes] | None = None
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(  # noqa: PLR0911 - one for each thing that Harbor may say
        self, path: str, headers: Any
    ) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(path)
        if self.instead:
            return self.instead
        if headers.get("Authorization") != _CREDENTIAL:
            return _json(401, {"errors": [{"code": "UNAUTHORIZED"}]})
        parts = urlsplit(path)
        steps = unquote(parts.path).strip("/").split("/")
        if steps[:3] != ["api", "v2.0", "projects"]:
            return 404, {"Content-Type": "text/html"}, b"<html>"
        if len(steps) == 3:
            named = [{"project_id": i, "name": n} for i, n in enumerate(self.projects, 1)]
            return self._page(named, parts.path, parts.query)
        is_named = headers.get("X-Is-Resource-Name") == "true"
        name = steps[3]
        if name.isdecimal() and not is_named and int(name) <= len(self.projects):
            name = list(self.projects)[int(name) - 1]
        if name not in self.projects:
            return _json(404, {"errors": [{"code": "NOT_FOUND"}]})
        if name in self.private:
            return _json(403, {"errors": [{"code": "FORBIDDEN"}]})
        if steps[4:] == ["webhook", "policies"]:
            return self._page(self.projects[name], parts.path, parts.query)
        return _json(200, {"project_id": 1, "name": name})

    def _page(self, items: list[Any], path: str, query: str) -> tuple[int, dict[str, str], bytes]:
        page = int(parse_qs(query)["page"][0])
        start = (page - 1) * self.page_size
        part = items[start : start + self.page_size]
        headers = {"X-Total-Count": str(len(items))} if self.counts else {}
        if start + self.page_size < len(items):
            headers["Link"] = f'<{path}?page={page + 1}>; rel="next"'
        # Go writes an empty list that nobody made as null.
        return _json(200, part or None, **headers)


def _json(status: int, value: Any, **headers: str) -> tuple[int, dict[str, str], bytes]:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return status, {"Content-Type": "application/json", **named}, json.dumps(value).encode()


def serve(harbor: FakeHarbor) -> ThreadingHTTPServer:
    """Bind a server to a free port; the caller runs and ends it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = harbor.answer(self.path, self.headers)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    harbor.url = f"http://127.0.0.1:{server.server_port}"
    return server
