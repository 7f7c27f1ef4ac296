"""The registry asked for real, and servers that answer as other registries do, or worse."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import pytest

from portcall.adapters.http import HttpTransport
from portcall.adapters.registry_api import BODY_LIMIT, PAGE, RegistryApi
from portcall.addresses import Allowed
from portcall.auth import BasicAuth
from portcall.errors import UnavailableError
from portcall.policies import RegistryAccess
from portcall.ports import Registries, Repository
from tests.fakes import FakeRegistries
from tests.fixtures.receiver import Answer, Receiver
from tests.fixtures.registry import IMAGE, INDEX, StartRegistry

CREDENTIAL = BasicAuth.model_validate({"username": "portcall", "password": "s3crét"})
BASIC = "Basic " + base64.b64encode("portcall:s3crét".encode()).decode()
UNKNOWN = Answer(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
MANIFEST = Answer(200, b'{"schemaVersion": 2}', {"Content-Type": f"{IMAGE}; charset=utf-8"})
DIGEST = "sha256:" + hashlib.sha256(MANIFEST.body).hexdigest()
V1 = "/v2/prod/app/manifests/v1"


@pytest.fixture
async def api() -> AsyncIterator[RegistryApi]:
    async with HttpTransport(Allowed([ip_network("127.0.0.0/8")])) as transport:
        yield RegistryApi(transport)


def repository(api: RegistryApi, receiver: Receiver, **access: Any) -> Any:
    return api.repository(RegistryAccess(url=receiver.url(""), **access), "prod/app")


@dataclass(frozen=True)
class Stocked:
    """Registries of which one has, in `prod/app`, an image `v1` and an index `v2`."""

    registries: Registries
    access: RegistryAccess
    image: str
    index: str

    def repository(self, name: str = "prod/app") -> Repository:
        return self.registries.repository(self.access, name)


@pytest.fixture
async def real(api: RegistryApi, start_registry: StartRegistry, receiver: Receiver) -> Stocked:
    registry = await start_registry(receiver.url(), {})
    image = await registry.push_image("prod/app", "v1")
    index = await registry.push_index("prod/app", "v2", ["amd64", "arm64"])
    return Stocked(api, RegistryAccess(url=registry.url), image, index)


@pytest.fixture
def fake() -> Stocked:
    registries, access = FakeRegistries(), RegistryAccess(url="https://registry.test")
    repository = registries.repository(access, "prod/app")
    config = b'{"architecture": "amd64"}'
    digest = "sha256:" + hashlib.sha256(config).hexdigest()
    repository.blobs[digest] = config
    image = repository.push({"mediaType": IMAGE, "config": {"digest": digest}}, "v1")
    return Stocked(registries, access, image, repository.push({"mediaType": INDEX}, "v2"))


@pytest.fixture(params=["real", "fake"])
def stocked(request: pytest.FixtureRequest) -> Stocked:
    found: Stocked = request.getfixturevalue(request.param)
    return found


async def test_a_registry_gives_what_it_has_and_denies_the_rest(stocked: Stocked) -> None:
    asked = stocked.repository()
    image, index = await asked.manifest("v1"), await asked.manifest("v2")
    assert image is not None
    assert index is not None
    assert (image.digest, image.media_type) == (stocked.image, IMAGE)
    assert image == await asked.manifest(stocked.image)
    assert (index.digest, index.media_type) == (stocked.index, INDEX)
    assert await asked.digest("v2") == stocked.index
    config = await asked.blob(json.loads(image.content)["config"]["digest"])
    assert json.loads(config or b"")["architecture"] == "amd64"
    assert await asked.tags(200) == (["v1", "v2"], False)
    assert await asked.tags(1) == (["v1"], True)
    unknown = "sha256:" + "0" * 64
    assert [await asked.manifest(name) for name in ("v3", unknown)] == [None, None]
    assert (await asked.digest("v3"), await asked.blob(unknown)) == (None, None)
    elsewhere = stocked.repository("prod/other")
    assert await elsewhere.manifest("v1") is None
    assert await elsewhere.tags(200) == ([], False)


async def test_a_real_registry_gives_its_tags_in_pages(
    api: RegistryApi, start_registry: StartRegistry, receiver: Receiver
) -> None:
    registry = await start_registry(receiver.url(), {})
    digest = await registry.push_image("prod/app", "t000")
    manifest = json.loads(await registry.pull("prod/app", digest))
    for number in range(1, PAGE + 5):
        await registry.push_manifest("prod/app", f"t{number:03}", manifest)
    asked = api.repository(RegistryAccess(url=registry.url), "prod/app")
    tags, more = await asked.tags(200)
    assert (tags, more) == ([f"t{n:03}" for n in range(PAGE + 5)], False)
    tags, more = await asked.tags(PAGE)
    assert (len(tags), more) == (PAGE, True)


async def test_a_digest_that_the_registry_does_not_name_is_computed(
    api: RegistryApi, receiver: Receiver
) -> None:
    receiver.answer(MANIFEST, Answer(200), MANIFEST)
    found = await repository(api, receiver).manifest("v1")
    assert (found.digest, found.media_type) == (DIGEST, IMAGE)
    assert await repository(api, receiver).digest("v1") == DIGEST
    assert [request.method for request in receiver.requests] == ["GET", "HEAD", "GET"]
    accepted = receiver.requests[0].headers["accept"]
    assert IMAGE in accepted
    assert INDEX in accepted
    assert "manifest.list.v2+json" in accepted


async def test_basic_credentials_are_sent_where_they_are_asked_for(
    api: RegistryApi, receiver: Receiver
) -> None:
    challenge = {"WWW-Authenticate": 'Basic realm="registry"'}
    receiver.answer(Answer(401, headers=challenge), MANIFEST, path=V1)
    asked = repository(api, receiver, auth=CREDENTIAL)
    assert await asked.manifest("v1")
    assert await asked.manifest("v1")
    sent = [request.headers.get("authorization") for request in receiver.requests]
    assert sent == [None, BASIC, BASIC]


@pytest.mark.parametrize("member", ["token", "access_token"])
@pytest.mark.parametrize("auth", [{}, {"auth": CREDENTIAL}])
async def test_a_token_comes_from_the_registrys_token_service(
    api: RegistryApi, receiver: Receiver, member: str, auth: dict[str, Any]
) -> None:
    challenge = (
        f'Bearer realm="{receiver.url("/token?a=b")}",service="registry.test",'
        'scope="repository:prod/app:pull",error="invalid_token", Basic realm="x"'
    )
    receiver.answer(Answer(401, headers={"WWW-Authenticate": challenge}), MANIFEST, path=V1)
    place = "/token?a=b&scope=repository%3Aprod%2Fapp%3Apull&service=registry.test"
    receiver.answer(Answer(200, json.dumps({member: "abc"}).encode()), path=place)
    assert await repository(api, receiver, **auth).manifest("v1")
    sent = [(r.path, r.headers.get("authorization")) for r in receiver.requests]
    assert sent == [(V1, None), (place, BASIC if auth else None), (V1, "Bearer abc")]


async def test_a_token_that_has_expired_is_renewed(api: RegistryApi, receiver: Receiver) -> None:
    refused = Answer(401, headers={"WWW-Authenticate": f'Bearer realm="{receiver.url("/t")}"'})
    receiver.answer(refused, MANIFEST, refused, MANIFEST, path=V1)
    receiver.answer(Answer(200, b'{"token": "abc"}'))
    asked = repository(api, receiver)
    assert await asked.manifest("v1")
    assert await asked.manifest("v1")


TOKENS = {"WWW-Authenticate": 'bearer realm="/token"'}
FAULTS: dict[str, tuple[Answer, Answer, str]] = {
    "wants a credential": (
        Answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'}),
        Answer(),
        "set verify.auth",
    ),
    "refuses without saying how": (Answer(401), Answer(), "set verify.auth"),
    "gives no token": (Answer(401, headers=TOKENS), Answer(401), "the credential is refused"),
    "gives an odd token": (Answer(401, headers=TOKENS), Answer(body=b'{"token": 7}'), "no token"),
    "gives no JSON": (Answer(401, headers=TOKENS), Answer(body=b"<"), "gives no token"),
    "gives a useless token": (
        Answer(401, headers=TOKENS),
        Answer(body=b'{"token": "abc"}'),
        "HTTP 401: the credential is refused",
    ),
    "forbids": (Answer(403), Answer(), "HTTP 403: the credential is refused"),
    "has no TLS for tokens": (
        Answer(401, headers={"WWW-Authenticate": 'Bearer realm="ftp://tokens.test"'}),
        Answer(),
        "without TLS",
    ),
    "leads nowhere": (Answer(307, headers={"Location": "http://["}), Answer(), "leads to no URL"),
    "leads in circles": (Answer(307, headers={"Location": V1}), Answer(), "redirects"),
    "is another server": (Answer(404, b"not found"), Answer(), "check verify.url"),
    "is broken": (Answer(500), Answer(), "HTTP 500"),
    "asks to wait": (Answer(429), Answer(), "HTTP 429"),
    "is away": (Answer(reset=True), Answer(), "reset by"),
    "gives too much": (Answer(200, b"x" * (BODY_LIMIT + 1)), Answer(), "too large"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_neither_confirms_nor_denies_says_what_is_wrong(
    api: RegistryApi, receiver: Receiver, fault: str
) -> None:
    answer, token, why = FAULTS[fault]
    receiver.answer(answer, path=V1)
    receiver.answer(token)
    with pytest.raises(UnavailableError, match=why) as caught:
        await repository(api, receiver).manifest("v1")
    assert caught.value.message.startswith(f"127.0.0.1:{receiver.port}")


@pytest.mark.parametrize(
    "answer",
    [UNKNOWN, Answer(404, b"", {"Docker-Distribution-Api-Version": "registry/2.0"})],
)
async def test_only_a_registry_can_say_that_there_is_none(
    api: RegistryApi, receiver: Receiver, answer: Answer
) -> None:
    receiver.answer(answer)
    assert await repository(api, receiver).manifest("v1") is None


async def test_a_manifest_too_large_to_be_read_still_has_its_digest(
    api: RegistryApi, receiver: Receiver
) -> None:
    headers = {"Docker-Content-Digest": DIGEST}
    receiver.answer(Answer(200, b"x" * (BODY_LIMIT + 1), headers))
    found = await repository(api, receiver).manifest("v1")
    assert (found.digest, found.content) == (DIGEST, b"")
    assert await repository(api, receiver).blob(DIGEST) is None


async def test_a_credential_does_not_follow_a_redirect_to_somebody_else(
    api: RegistryApi, receiver: Receiver
) -> None:
    async with Receiver().serving() as store:
        store.answer(Answer(200, b'{"os": "linux"}'))
        blob = f"/v2/prod/app/blobs/{DIGEST}"
        receiver.answer(
            Answer(401, headers={"WWW-Authenticate": "Basic"}),
            Answer(307, headers={"Location": "/elsewhere"}),
            path=blob,
        )
        receiver.answer(Answer(307, headers={"Location": store.url("/blob?signed=1")}))
        found = await repository(api, receiver, auth=CREDENTIAL).blob(DIGEST)
        assert found == b'{"os": "linux"}'
        assert [r.path for r in receiver.requests] == [blob, blob, "/elsewhere"]
        assert receiver.requests[-1].headers["authorization"] == BASIC
        [request] = store.requests
        assert request.path == "/blob?signed=1"
        assert "authorization" not in request.headers


async def test_somebody_else_does_not_learn_the_credential_by_asking_for_it(
    api: RegistryApi, receiver: Receiver
) -> None:
    async with Receiver().serving() as store:
        realm = f'Bearer realm="{store.url("/token")}"'
        store.answer(Answer(401, headers={"WWW-Authenticate": realm}), path="/blob")
        receiver.answer(Answer(307, headers={"Location": store.url("/blob")}))
        with pytest.raises(UnavailableError, match=f"127.0.0.1:{store.port}: HTTP 401"):
            await repository(api, receiver, auth=CREDENTIAL).blob(DIGEST)
        assert [request.path for request in store.requests] == ["/blob"]


async def test_a_registry_with_tls_does_not_lead_out_of_it(
    api: RegistryApi, tls_receiver: Receiver
) -> None:
    tls_receiver.answer(Answer(307, headers={"Location": "http://127.0.0.1:1/x"}))
    access = RegistryAccess(url=tls_receiver.url("", "localhost"), skip_cert_verify=True)
    with pytest.raises(UnavailableError, match="without TLS"):
        await api.repository(access, "prod/app").manifest("v1")
    strict = RegistryAccess(url=access.url)
    with pytest.raises(UnavailableError, match="certificate verify failed"):
        await api.repository(strict, "prod/app").manifest("v1")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"tags": null}', []),
        (b'{"tags": []}', []),
        (b'{"tags": ["a", 7]}', ["a"]),
        (b'{"tags": {"a": 1}}', []),
        (b"[]", []),
    ],
)
async def test_odd_lists_of_tags_are_short_ones(
    api: RegistryApi, receiver: Receiver, body: bytes, expected: list[str]
) -> None:
    receiver.answer(Answer(200, body))
    assert await repository(api, receiver).tags(5) == (expected, False)


async def test_a_list_of_tags_that_never_ends_is_cut(api: RegistryApi, receiver: Receiver) -> None:
    endless = {"Link": f'<{receiver.url("/v2/prod/app/tags/list?last=a")}>; rel="next"'}
    receiver.answer(Answer(200, b'{"tags": ["a", "b"]}', endless))
    assert await repository(api, receiver).tags(5) == (["a", "b", "a", "b", "a"], True)
    assert len(receiver.requests) == 3


async def test_a_registry_on_a_private_network_must_be_allowed(receiver: Receiver) -> None:
    async with HttpTransport() as transport:
        with pytest.raises(UnavailableError, match=r"PORTCALL_ALLOWED_NETWORKS .* can allow it"):
            await repository(RegistryApi(transport), receiver).manifest("v1")
    assert receiver.requests == []


async def test_a_registry_behind_a_path_is_asked_there(
    api: RegistryApi, receiver: Receiver
) -> None:
    receiver.answer(MANIFEST)
    access = RegistryAccess(url=receiver.url("/api/docker/local/"))
    await api.repository(access, "prod/app").manifest("v1")
    assert receiver.requests[0].path == "/api/docker/local/v2/prod/app/manifests/v1"
