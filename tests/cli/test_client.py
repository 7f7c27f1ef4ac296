import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from portcall.cli.client import ApiClient
from portcall.errors import UnavailableError
from tests.cli.conftest import TOKEN, Backend, Run


@pytest.fixture
def stranger() -> Iterator[str]:
    """Another program where the API should be: what it answers depends on the path."""
    answers = {
        "ok": (200, "text/html", b"<html>hello</html>"),
        "lost": (404, "text/html", b"<html>lost</html>"),
        "odd": (500, "application/json", b"[]"),
        "other": (200, "application/json", b"[]"),
        "newer": (200, "application/json", b'{"items": [{"id": 1}], "next_cursor": null}'),
    }

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content_type, body = answers[self.path.split("/")[1]]
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_nobody_at_the_address_is_said_with_the_reason_and_what_to_do(run: Run):
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    ran = run("policies", "list", "--url", url)
    assert ran.code == 3
    assert ran.err == (
        f"Portcall does not answer at {url}: connection refused. Is it running? (portcall up)"
    )


def test_a_host_without_an_address_is_unavailable(run: Run):
    ran = run("policies", "list", "--url", "http://portcall.invalid")
    assert ran.code == 3
    assert "http://portcall.invalid" in ran.err


@pytest.mark.parametrize("path", ["/ok", "/lost", "/odd"])
def test_another_program_at_the_address_is_not_taken_for_the_api(
    run: Run, stranger: str, path: str
):
    ran = run("policies", "list", "--url", stranger + path)
    assert ran.code == 3
    assert "does not speak like Portcall's API" in ran.err


@pytest.mark.parametrize("path", ["/other", "/newer"])
def test_an_answer_of_another_version_is_not_guessed_at(run: Run, stranger: str, path: str):
    ran = run("deliveries", "list", "--url", stranger + path)
    assert ran.code == 2
    assert ran.err.endswith("is it another version of Portcall?")


def test_an_api_that_says_nothing_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            httpx.Client(base_url=url, timeout=0.2) as http,
            pytest.raises(UnavailableError, match=f"{url} did not answer in time"),
        ):
            ApiClient(http).call("GET", "policies")


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://x", "http://", "http://[", "nonsense"])
def test_what_is_no_address_is_a_wrong_setting(run: Run, url: str):
    ran = run("policies", "list", "--url", url)
    assert ran.code == 2
    assert "write http://host:port" in ran.err


def test_a_wrong_token_says_where_to_give_the_right_one(run: Run, backend: Backend):
    ran = run("policies", "list", "--token", "wrong")
    assert ran.code == 4
    assert "PORTCALL_ADMIN_TOKEN" in ran.err


def test_without_a_token_the_one_in_the_data_directory_is_used(
    run: Run, backend: Backend, tmp_path: Path
):
    (tmp_path / "admin-token").write_text(TOKEN + "\n")
    assert run("policies", "list", PORTCALL_ADMIN_TOKEN=None).code == 0


def test_without_any_token_it_says_how_to_give_one(run: Run, tmp_path: Path):
    ran = run("policies", "list", PORTCALL_ADMIN_TOKEN=None)
    assert ran.code == 2
    assert str(tmp_path / "admin-token") in ran.err


def test_the_token_of_this_machine_is_not_sent_to_another(run: Run, tmp_path: Path):
    (tmp_path / "admin-token").write_text(TOKEN)
    ran = run("policies", "list", "--url", "http://portcall.invalid", PORTCALL_ADMIN_TOKEN=None)
    assert ran.code == 2
    assert "No admin token" in ran.err


def test_a_token_file_that_is_none_is_named(run: Run, tmp_path: Path):
    (tmp_path / "admin-token").mkdir()
    ran = run("policies", "list", PORTCALL_ADMIN_TOKEN=None)
    assert ran.code == 2
    assert str(tmp_path / "admin-token") in ran.err


def test_a_proxy_for_the_outside_is_not_asked_for_this_machine(run: Run, backend: Backend):
    assert run("policies", "list", HTTP_PROXY="http://127.0.0.1:9", http_proxy=None).code == 0


def test_an_api_without_its_database_is_unavailable(run: Run, backend: Backend):
    backend.store.switch.available = False
    ran = run("policies", "list")
    assert (ran.code, ran.err) == (3, "The policy database does not answer.")
