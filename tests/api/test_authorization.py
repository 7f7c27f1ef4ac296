import pytest

from tests.api.conftest import TOKEN, Backend

PATHS = ["sources", "targets/t", "policies", "inbox", "inbox/1", "deliveries", "events"]


@pytest.mark.parametrize("path", PATHS)
async def test_the_admin_token_opens_management(api, path):
    assert (await api.get(f"/api/v1/{path}")).status_code in (200, 404)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer tökén"],
)
async def test_a_missing_or_wrong_token_is_not_authenticated(api, path, header):
    answer = await api.get(f"/api/v1/{path}", headers={"Authorization": header.encode()})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="portcall"'
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"] == "The admin token is missing or wrong."


@pytest.mark.parametrize("token", [None, ""])
@pytest.mark.parametrize("path", PATHS)
async def test_without_a_configured_token_everything_is_refused_and_says_what_to_set(token, path):
    async with Backend(admin_token=token).client() as api:
        answer = await api.get(f"/api/v1/{path}", headers={"Authorization": "Bearer "})
    assert answer.status_code == 403
    assert "PORTCALL_ADMIN_TOKEN" in answer.json()["detail"]


async def test_a_token_may_hold_any_character(backend):
    backend.admin_token = "tökén €"
    async with backend.client() as api:
        header = {"Authorization": "Bearer tökén €".encode()}
        assert (await api.get("/api/v1/sources", headers=header)).status_code == 200


async def test_the_scheme_is_read_in_any_case(api):
    answer = await api.get("/api/v1/sources", headers={"Authorization": f"bearer {TOKEN}"})
    assert answer.status_code == 200


async def test_a_stranger_learns_nothing_about_the_body(api):
    answer = await api.post(
        "/api/v1/sources",
        content=b"{not json" * 1_000_000,
        headers={"Authorization": "Bearer wrong", "Content-Type": "application/json"},
    )
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/healthz"])
async def test_documentation_and_health_need_no_token(api, path):
    assert (await api.get(path, headers={"Authorization": ""})).status_code == 200


async def test_openapi_declares_the_token_where_it_is_needed(api):
    document = (await api.get("/openapi.json")).json()
    assert document["components"]["securitySchemes"] == {
        "admin token": {
            "type": "http",
            "scheme": "bearer",
            "description": "PORTCALL_ADMIN_TOKEN",
        }
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert ("security" in operation) == path.startswith("/api/v1/"), path
