import asyncio
import base64

import httpx
import pytest

from portcall.outgoing import live_secrets
from portcall.secrets import MASK
from portcall.signing import check_secret
from tests.api.conftest import Backend
from tests.portcall.test_rotation import NOW
from tests.portcall.test_signing import NEW, OLD, SVIX, SVIX_PUBLIC

TARGET = {"name": "ci", "url": "https://ci.example/hook", "secrets": [OLD]}
ROTATE = "/api/v1/targets/ci/rotate"


@pytest.fixture(autouse=True)
async def target(api: httpx.AsyncClient) -> None:
    assert (await api.put("/api/v1/targets/ci", json=TARGET)).status_code == 201


async def secrets_of(backend: Backend) -> tuple[list[str], int]:
    spec = (await backend.store.targets.get("ci")).spec
    return live_secrets(spec, NOW), len(spec.retiring_secrets)


async def test_a_new_secret_is_made_shown_once_and_the_old_one_signs_on(
    api: httpx.AsyncClient, backend: Backend
) -> None:
    answer = await api.post(ROTATE, json={"grace": "24h"})
    assert answer.status_code == 200, answer.text
    made = answer.json()
    check_secret(made["secret"])
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    assert (made["name"], made["kind"], made["public_key"], made["version"]) == (
        "ci", "hmac", None, 2,
    )  # fmt: skip
    assert [list(old) for old in made["retiring"]] == [["until"]]
    assert answer.headers["ETag"] == '"2"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert await secrets_of(backend) == ([made["secret"], OLD], 1)
    shown = await api.get("/api/v1/targets/ci")
    assert shown.json()["secrets"] == [MASK]
    assert [old["secret"] for old in shown.json()["retiring_secrets"]] == [MASK]
    for secret in (made["secret"], OLD):
        assert secret not in shown.text


async def test_what_is_queued_for_the_target_is_looked_at(
    api: httpx.AsyncClient, backend: Backend
) -> None:
    assert (await api.post(ROTATE)).status_code == 200
    assert backend.engine.looked_again == ["ci"]


async def test_an_ed25519_key_comes_with_its_public_key_and_is_followed_by_its_kind(
    api: httpx.AsyncClient,
) -> None:
    first = (await api.post(ROTATE, json={"kind": "ed25519"})).json()
    assert first["secret"].startswith("whsk_")
    assert first["public_key"].startswith("whpk_")
    second = (await api.post(ROTATE)).json()
    assert second["kind"] == "ed25519"
    assert second["secret"] != first["secret"]
    keys = (await api.get("/api/v1/targets/ci/keys")).json()["keys"]
    assert [key["public_key"] for key in keys] == [second["public_key"], first["public_key"], None]
    assert [key["kind"] for key in keys] == ["ed25519", "ed25519", "hmac"]
    assert [key["until"] is None for key in keys] == [True, False, False]


async def test_a_secret_that_is_given_is_taken_and_not_told_again(
    api: httpx.AsyncClient, backend: Backend
) -> None:
    answer = await api.post(ROTATE, json={"secret": SVIX, "grace": 0})
    assert answer.json() == {
        "name": "ci", "kind": "ed25519", "secret": None, "public_key": SVIX_PUBLIC,
        "retiring": [], "version": 2,
    }  # fmt: skip
    assert await secrets_of(backend) == ([SVIX], 0)


async def test_a_target_without_a_secret_gets_one(api: httpx.AsyncClient, backend: Backend) -> None:
    await api.put("/api/v1/targets/ci", json=TARGET | {"secrets": []})
    made = (await api.post(ROTATE, json={})).json()
    assert await secrets_of(backend) == ([made["secret"]], 0)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"grace": "-1s"}, "grace"),
        ({"grace": "366d"}, "grace"),
        ({"secret": "plain"}, "secret"),
        ({"secret": MASK}, "secret"),
        ({"secret": SVIX_PUBLIC}, "secret"),
        ({"secret": OLD, "kind": "ed25519"}, "kind"),
        ({"kind": "rsa"}, "kind"),
        ({"secrets": [OLD]}, "secrets"),
    ],
)
async def test_what_is_wrong_with_a_rotation_is_told_by_its_field(
    api: httpx.AsyncClient, backend: Backend, body: dict[str, object], field: str
) -> None:
    answer = await api.post(ROTATE, json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert await secrets_of(backend) == ([OLD], 0)


async def test_an_unknown_target_and_a_changed_one_are_refused(api: httpx.AsyncClient) -> None:
    assert (await api.post("/api/v1/targets/x/rotate")).status_code == 404
    assert (await api.get("/api/v1/targets/x/keys")).status_code == 404
    assert (await api.post(ROTATE, headers={"If-Match": '"7"'})).status_code == 412
    assert (await api.post(ROTATE, headers={"If-Match": '"1"'})).status_code == 200
    assert (await api.post(ROTATE, headers={"If-Match": '"1"'})).status_code == 412


async def test_rotations_at_once_lose_no_secret(api: httpx.AsyncClient, backend: Backend) -> None:
    backend.store.targets.takes = 0.01
    answers = await asyncio.gather(*(api.post(ROTATE, json={"grace": "1h"}) for _ in range(8)))
    made = {answer.json()["secret"] for answer in answers}
    live, _ = await secrets_of(backend)
    assert set(live) == {*made, OLD}


async def test_with_if_match_one_of_two_rotations_at_once_is_refused(
    api: httpx.AsyncClient, backend: Backend
) -> None:
    backend.store.targets.takes = 0.01
    answers = await asyncio.gather(
        *(api.post(ROTATE, headers={"If-Match": '"1"'}) for _ in range(2))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]


async def test_a_target_that_is_changed_all_the_time_is_a_conflict(
    api: httpx.AsyncClient, backend: Backend
) -> None:
    backend.store.targets.is_contested = True
    assert (await api.post(ROTATE)).status_code == 409


async def test_a_body_that_says_nothing_of_retiring_secrets_leaves_them(
    api: httpx.AsyncClient, backend: Backend
) -> None:
    await api.post(ROTATE, json={"secret": NEW})
    masked = TARGET | {"secrets": [MASK], "timeout": "3s"}
    changes = (await api.put("/api/v1/targets/ci?dry_run=true", json=masked)).json()
    assert changes["changed"] == ["timeout"]
    await api.put("/api/v1/targets/ci", json=masked)
    assert await secrets_of(backend) == ([NEW, OLD], 1)
    await api.put("/api/v1/targets/ci", json=masked | {"retiring_secrets": []})
    assert await secrets_of(backend) == ([NEW], 0)


async def test_what_is_less_safe_than_it_looks_comes_as_a_warning(api: httpx.AsyncClient) -> None:
    body = TARGET | {"skip_cert_verify": True}
    for answer in (
        await api.put("/api/v1/targets/ci?dry_run=true", json=body),
        await api.put("/api/v1/targets/ci", json=body),
        await api.get("/api/v1/targets/ci"),
    ):
        [warning] = answer.json()["warnings"]
        assert warning.startswith("skip_cert_verify: ")
    [listed] = (await api.get("/api/v1/targets")).json()["items"]
    assert listed["warnings"] == [warning]


async def test_credentials_in_url_and_headers_are_masked_and_may_be_sent_back(
    api: httpx.AsyncClient, backend: Backend
) -> None:
    url = "https://ci.example/hook?sig=planted-1"
    headers = {"X-Api-Key": "planted-2", "X-Team": "a"}
    put = await api.put("/api/v1/targets/ci", json=TARGET | {"url": url, "headers": headers})
    shown = (await api.get("/api/v1/targets/ci")).json()
    assert "planted" not in put.text + str(shown)
    assert shown["url"] == f"https://ci.example/hook?sig={MASK}"
    back = {key: shown[key] for key in ("url", "headers", "secrets")} | {"name": "ci"}
    assert (await api.put("/api/v1/targets/ci", json=back | {"timeout": "9s"})).is_success
    spec = (await backend.store.targets.get("ci")).spec
    assert (spec.url, spec.headers) == (url, headers)
