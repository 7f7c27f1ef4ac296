"""A webhook receiver for the stack: remembers what came, and answers as it is told.

`GET /` gives what came; `PUT /PATH` with a status makes it answer `POST /PATH` so.
"""

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RECEIVED: list[dict[str, object]] = []
ANSWERS: dict[str, int] = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(200, json.dumps(RECEIVED).encode())

    def do_PUT(self) -> None:
        ANSWERS[self.path] = int(self._body())
        self._answer(204)

    def do_POST(self) -> None:
        body = self._body()
        if self.path.startswith("/slow"):
            time.sleep(3)
        status = ANSWERS.get(self.path, 200)
        RECEIVED.append({"path": self.path, "status": status, "body": json.loads(body)})
        self._answer(status, b'{"from": "the receiver"}')

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("", 9000), Handler).serve_forever()
