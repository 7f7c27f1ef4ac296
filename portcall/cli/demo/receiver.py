"""A small webhook receiver with a script: which path answers what, and how often."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Receiver:
    """What the receiver answers next by path; the last status of a list is answered for ever."""

    port: int
    script: dict[str, list[int]]
    turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def next_status(self, path: str) -> int:
        """Give the status for the next request to a path."""
        with self.turn:
            statuses = self.script.get(path, [404])
            return statuses.pop(0) if len(statuses) > 1 else statuses[0]

    def repair(self, path: str) -> None:
        """Answer 200 from now on."""
        with self.turn:
            self.script[path] = [200]


@contextmanager
def running_receiver(script: dict[str, Sequence[int]]) -> Iterator[Receiver]:
    """Run a receiver on a free port for the block."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        receiver = Receiver(server.server_port, {path: [*script[path]] for path in script})
        server.RequestHandlerClass = _handler(receiver)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = receiver.next_status(self.path)
            body = b"thank you\n" if status == 200 else b"down for maintenance\n"
            self.send_response(status)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay quiet: the log that counts is Portcall's."""

    return Handler
