import httpx
import pytest
from structlog.testing import capture_logs

from api.app import create_app
from tests.api.conftest import HEADERS, Backend

JSON = {"Content-Type": "application/json"}


def problem(answer, status):
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["type"] == "about:blank"
    assert document["title"]
    return document


async def test_an_unknown_path_is_a_problem_document(api):
    problem(await api.get("/api/v1/nothing"), 404)


async def test_an_unknown_method_is_a_problem_document_that_says_what_is_allowed(api):
    answer = await api.patch("/api/v1/inbox")
    problem(answer, 405)
    assert "GET" in answer.headers["Allow"]


async def test_an_unknown_name_is_a_problem_document_that_names_it(api):
    document = problem(await api.get("/api/v1/targets/ci"), 404)
    assert document["detail"] == "There is no target named ci."


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"{", "The body is not JSON at position 1: "),
        (b'{"name": }', "The body is not JSON at position 9: "),
        (b'{"\xff": 1}', "There was an error parsing the body"),
        (b"[" * 100_000, "There was an error parsing the body"),
    ],
)
async def test_a_body_that_is_not_json_is_a_bad_request(api, content, detail):
    document = problem(await api.post("/api/v1/sources", content=content, headers=JSON), 400)
    assert document["detail"].startswith(detail)


async def test_json_under_another_content_type_is_a_bad_request_that_says_which_to_send(api):
    answer = await api.post("/api/v1/sources", data={"name": "s"})
    assert "Content-Type: application/json" in problem(answer, 400)["detail"]


@pytest.mark.parametrize("content", [b"null", b"[]", b'"text"', b"1"])
async def test_json_that_is_no_object_is_invalid(api, content):
    answer = await api.post("/api/v1/sources", content=content, headers=JSON)
    [error] = problem(answer, 422)["errors"]
    assert error["field"] == ""


async def test_a_body_over_one_mebibyte_is_too_large(api):
    body = b'{"name": "' + b"x" * 1024 * 1024 + b'"}'
    problem(await api.post("/api/v1/sources", content=body, headers=JSON), 413)


async def test_a_body_of_unknown_length_is_read_no_further_than_the_limit(api):
    sent = 0

    async def endless():
        nonlocal sent
        while sent < 1000:
            sent += 1
            yield b"x" * 65536

    problem(await api.put("/api/v1/sources/s", content=endless(), headers=JSON), 413)
    assert sent <= 18


@pytest.mark.parametrize("path", ["sources", "targets/t", "policies", "inbox"])
async def test_while_the_database_is_away_a_problem_says_when_to_ask_again(api, backend, path):
    backend.store.switch.available = backend.inbox.switch.available = False
    answer = await api.get(f"/api/v1/{path}")
    assert problem(answer, 503)["detail"] == "The policy database does not answer."
    assert answer.headers["Retry-After"] == "5"


async def test_a_bug_shows_in_the_log_and_not_in_the_answer(backend):
    app = create_app(backend.services())

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("planted-secret")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    with capture_logs() as logs:
        async with httpx.AsyncClient(transport=transport, base_url="http://portcall.test") as api:
            answer = await api.get("/bug")
    document = problem(answer, 500)
    assert "planted-secret" not in answer.text
    assert "log" in document["detail"]
    [entry] = logs
    assert entry["log_level"] == "error"
    assert (entry["method"], entry["path"]) == ("GET", "/bug")
    assert str(entry["exc_info"]) == "planted-secret"


async def test_the_values_that_were_sent_do_not_come_back_in_a_problem():
    secret = "planted-secret"
    bodies = [
        {"name": secret + "!", "url": "http://" + secret + " "},
        {"name": "t", "url": "https://t.example", "auth": {"type": secret, "token": secret}},
        {"name": "t", "url": "https://t.example", "secrets": [secret]},
        {"name": "t", "url": "https://t.example", "headers": {"X-A": secret + "\n"}},
        {"name": "t", "url": "https://t.example", "timeout": secret, "enabled": secret},
        {"name": "t", "url": f"https://user:{secret}@t.example"},
    ]
    async with Backend().client() as api:
        for body in bodies:
            answer = await api.post("/api/v1/targets", json=body, headers=HEADERS)
            assert answer.status_code == 422
            assert secret not in answer.text
