"""Secrets are planted wherever one can be put; none may be found in what is stored or printed."""

import asyncio
import json
import sys
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import Client
from typer.testing import CliRunner

from portcall.adapters.devserver import DevServer
from portcall.adapters.processes import free_port
from portcall.cli.main import app
from portcall.formats.known import load_formats
from tests.e2e.planted import Echo, Planted
from tests.fixtures.portcall import QUICK, Portcall, a_namespace, push
from tests.fixtures.receiver import Certificate

SEEN = "everybody-may-read-this"
"""Stands beside the secrets: where it is found, they would be found too."""


@dataclass
class World:
    """One installation full of secrets, and all that it has said."""

    portcall: Portcall
    planted: Planted
    echo: Echo
    said: dict[str, bytes] = field(default_factory=dict)

    async def ask(self, method: str, path: str, **more: Any) -> Any:
        """Ask the API, keep the answer."""
        answer = await self.portcall.api.request(method, path, **more)
        self._keep(f"API: {method} {path}", answer)
        return answer

    def _keep(self, where: str, answer: httpx.Response) -> None:
        text = f"{answer.status_code} {dict(answer.headers)}\n".encode() + answer.content
        self.said[f"{where} #{len(self.said)}"] = text

    async def notify(self, source: str, number: int, **more: Any) -> httpx.Response:
        """Send a push as a registry does, without the admin token."""
        url = f"{self.portcall.url}/notifications/{source}"
        async with httpx.AsyncClient() as http:
            answer = await http.post(url, json=push(number=number), timeout=30, **more)
        self._keep(f"intake: {source}", answer)
        return answer

    def run_here(self, arguments: Sequence[str], stdin: str, env: Mapping[str, str]) -> None:
        """Run a command in this process, which is faster; keep what it prints or raises."""
        known = {**self.portcall.env, "PORTCALL_URL": self.portcall.url, **env}
        ran = CliRunner().invoke(app, arguments, input=stdin, env=known, prog_name="portcall")
        raised = "".join(traceback.format_exception(ran.exception)) if ran.exception else ""
        problem = getattr(ran.exception, "problem", {})
        output = f"{ran.output}{ran.stderr}{raised}{problem}".encode()
        self.said[f"portcall {' '.join(arguments)} #{len(self.said)}"] = output

    async def run(self, *arguments: str, stdin: str = "", **env: str) -> None:
        """Run a command as a process of its own, keep what it prints."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "portcall.cli.main", *arguments,
            env={**self.portcall.env, "PORTCALL_URL": self.portcall.url, **env},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate(stdin.encode())
        self.said[f"portcall {' '.join(arguments)} #{len(self.said)}"] = output


@pytest.fixture
async def world(temporal: DevServer, tmp_path: Path) -> AsyncIterator[World]:
    planted = Planted()
    portcall = Portcall(tmp_path, temporal.address, namespace=a_namespace())
    admin_token = planted.word("the admin token")
    portcall.api.headers["Authorization"] = f"Bearer {admin_token}"
    portcall.env |= {
        "PORTCALL_ADMIN_TOKEN": admin_token,
        "PORTCALL_SECRET_KEY": planted.word("the secret key"),
        "PORTCALL_LOG_FORMAT": "json",
        "PORTCALL_METRICS_PORT": str(free_port("127.0.0.1")),
    }
    async with Echo().serving() as echo:
        try:
            await portcall.start(workers=0)
            portcall.env["PORTCALL_LOG_FORMAT"] = "text"
            await portcall.start_worker()
            yield World(portcall, planted, echo)
        finally:
            await portcall.stop()


@pytest.mark.timeout(180)  # many processes on few processors
async def test_no_secret_is_found_in_anything_stored_or_printed(
    world: World, temporal: DevServer, certificate: Certificate
) -> None:
    client_pem = Path(certificate.file).read_text()
    sources = sources_of(world)
    targets = targets_of(world, client_pem)
    for name, spec in sources.items():
        assert (await world.ask("PUT", f"/api/v1/sources/{name}", json=spec)).is_success
    for name, spec in targets.items():
        answer = await world.ask("PUT", f"/api/v1/targets/{name}", json=spec)
        assert answer.is_success, answer.text
    await rotate(world)
    await write_policies(world, list(targets))
    await asyncio.sleep(1)  # within a second a change holds in every process
    await send(world)
    enabled = [spec for spec in targets.values() if spec.get("enabled", True)]
    await settled(world, len(enabled) + 2 * len(load_formats()))
    await send_again_to_a_target_that_is_gone(world)
    arrived = b"".join(
        json.dumps([request.path, request.header_lines]).encode() for request in world.echo.requests
    )
    await ask_everything(world, list(targets))
    await ask_what_is_wrong(world)
    await run_commands(world)
    await world.portcall.stop()
    corpora = {**world.said, **files(world, temporal), **await histories(world, temporal)}
    found = world.planted.found_in(corpora)
    assert found == []
    for where in ("histories", "portcall.db", "GET /api/v1/targets", "deliveries show"):
        seen = [name for name, text in corpora.items() if where in name and SEEN.encode() in text]
        assert seen, f"nothing was written where secrets are looked for: {where}"
    sent = {what for what, _, _ in world.planted.found_in({"sent": arrived})}
    assert {"a bearer", "a password", "a header", "the access token", "in a URL"} <= sent


def sources_of(world: World) -> dict[str, dict[str, Any]]:
    """Give a source for each way to prove who one is, and one whose registry is asked."""
    text, word = world.planted.text, world.planted.word
    basic = {"type": "basic", "username": SEEN, "password": text("a registry's password")}
    auths: dict[str, dict[str, Any]] = {
        "dist": {"type": "bearer", "token": word("a source's bearer")},
        "basic": {"type": "basic", "username": SEEN, "password": text("a source's password")},
        "header": {"type": "header", "name": "X-Door", "value": word("a source's header")},
        "query": {"type": "query", "name": "pass", "value": word("a source's query")},
        "hmac": {"type": "hmac", "header": "X-Sum", "secret": text("a source's hmac secret")},
        "oidc": {"type": "oidc", "audience": SEEN, "issuer": world.echo.url("/404/issuer")},
        "asked": {"type": "bearer", "token": word("a bearer of a source that is asked")},
    }
    specs: dict[str, dict[str, Any]] = {
        name: {"kind": "distribution", "auth": auth} for name, auth in auths.items()
    }
    specs["asked"]["verify"] = {"url": world.echo.url("/401/registry"), "auth": basic}
    return specs


def targets_of(world: World, client_pem: str) -> dict[str, dict[str, Any]]:
    """Give targets with every credential, and receivers that take, refuse and repeat them."""
    planted, url = world.planted, world.echo.url
    key_start = client_pem.index("-----BEGIN PRIVATE KEY")
    oauth2 = {"type": "oauth2", "token_url": url("/token"), "client_id": SEEN}
    world.echo.token = planted.text("the access token")
    credentials: dict[str, dict[str, Any]] = {
        "bearer": {"auth": {"type": "bearer", "token": planted.text("a bearer")}},
        "basic": {
            "auth": {"type": "basic", "username": SEEN, "password": planted.text("a password")}
        },
        "header": {"auth": {"type": "header", "name": "X-Door", "value": planted.text("a header")}},
        "oauth2": {"auth": {**oauth2, "client_secret": planted.text("a client secret")}},
        "oauth2-body": {
            "auth": {
                **oauth2,
                "client_auth": "body",
                "token_url": url(f"/token/refused?key={planted.word('in a token URL')}"),
                "client_secret": planted.text("a client secret in a body"),
            }
        },
        "signed": {
            "secrets": [planted.key("an HMAC key", "whsec_"), planted.key("a seed", "whsk_")],
            "hub_secret": planted.text("a hub secret"),
        },
        "headers": {"headers": {"X-Api-Key": planted.text("a secret header"), "X-Team": SEEN}},
    }
    tls = {
        "client_cert": client_pem[:key_start],
        "client_key": planted.pem("a client key", client_pem[key_start:]),
    }
    proxy_auth = {"type": "basic", "username": SEEN, "password": planted.text("a proxy's password")}
    proxy = {"url": url("/"), "auth": proxy_auth}
    specs = {
        f"{name}-{status}": {"url": url(f"/{status}/{SEEN}"), **fields}
        for name, fields in credentials.items()
        for status in (200, 400, 503)
    }
    specs |= {
        "url-200": {"url": url(f"/200/hook?token={planted.word('in a URL')}&team={SEEN}")},
        "url-307": {"url": url(f"/307/hook?sig={planted.word('in a redirect')}")},
        "gone": {"url": url("/410/"), **credentials["bearer"]},
        "tls": {"url": f"https://127.0.0.1:{world.echo.port}/200/", "tls": tls},
        "proxied": {"url": url("/200/"), "proxy": proxy, **credentials["basic"]},
        "slack": {
            "url": f"https://hooks.slack.com/services/T0/B0/{planted.word('in a path')}",
            "enabled": False,
        },
    }
    return specs


async def rotate(world: World) -> None:
    """Give one target a new secret, so that an old one retires."""
    given = world.planted.key("a secret that was given", "whsec_")
    body = {"secret": given, "grace": "1h"}
    answer = await world.ask("POST", "/api/v1/targets/signed-200/rotate", json=body)
    assert answer.is_success, answer.text


async def write_policies(world: World, targets: list[str]) -> None:
    """Send every event in one format to all, and in all formats to one."""
    retry = {**QUICK, "maximum_attempts": 2}
    policies: dict[str, dict[str, Any]] = {"all": {"targets": targets}}
    for name in load_formats():
        template = {"template": {"body": '"{{ event.type }}"'}} if name == "template" else {}
        policies[name] = {"targets": ["signed-200", "headers-200"], "format": name, **template}
    for name, spec in policies.items():
        match = {"match": {"sources": ["dist"]}, "retry": retry}
        answer = await world.ask("PUT", f"/api/v1/policies/{name}", json={**match, **spec})
        assert answer.is_success, answer.text


async def send(world: World) -> None:
    """Send a push by each source with the right credential, and by some with another's."""
    values = {what: value.decode("latin-1") for what, value in world.planted.values.items()}
    own, asking = values["a source's bearer"], values["a bearer of a source that is asked"]
    bearer = {"Authorization": f"Bearer {own}"}
    assert (await world.notify("dist", 1, headers=bearer)).status_code == 202
    password = values["a source's password"]
    assert (await world.notify("basic", 2, auth=(SEEN, password))).status_code == 202
    header = {"X-Door": values["a source's header"]}
    assert (await world.notify("header", 3, headers=header)).status_code == 202
    query = {"pass": values["a source's query"]}
    assert (await world.notify("query", 4, params=query)).status_code == 202
    asked = {"Authorization": f"Bearer {asking}"}
    assert (await world.notify("asked", 5, headers=asked)).status_code == 202
    for source in ("basic", "hmac", "oidc"):
        assert (await world.notify(source, 6, headers=bearer)).status_code in (401, 503)
    async with httpx.AsyncClient(headers=bearer) as http:  # parked, with headers and body
        url = f"{world.portcall.url}/notifications/dist"
        for body in (b"{}", b"\xff", json.dumps({"events": [{"id": "x"}]}).encode()):
            world._keep("intake: parked", await http.post(url, content=body))


async def settled(world: World, count: int) -> None:
    """Wait until every delivery has come to its end."""
    over = {"delivered", "rejected", "exhausted", "blocked"}
    found = await world.portcall.until(
        "/api/v1/deliveries",
        lambda page: len(page["items"]) == count and {i["outcome"] for i in page["items"]} <= over,
        limit=200,
        timeout=60,
    )
    assert {item["outcome"] for item in found["items"]} >= {"delivered", "rejected", "exhausted"}


async def send_again_to_a_target_that_is_gone(world: World) -> None:
    """Have a delivery blocked: the receiver said 410, and the target is disabled by that."""
    page = (await world.ask("GET", "/api/v1/deliveries", params={"target": "gone"})).json()
    await world.ask("POST", f"/api/v1/deliveries/{page['items'][0]['id']}/redeliver")
    await world.portcall.until(
        "/api/v1/deliveries",
        lambda page: all(item["outcome"] == "blocked" for item in page["items"]),
        target="gone",
    )


async def ask_everything(world: World, targets: list[str]) -> None:
    """Read all there is over the API."""
    for path in (
        "sources", "targets", "policies", "events", "inbox", "targets/health",
        "targets/signed-200/keys", "targets/oauth2-503/health",
    ):  # fmt: skip
        await world.ask("GET", f"/api/v1/{path}", params={"limit": 200})
    for name in targets:
        shown = (await world.ask("GET", f"/api/v1/targets/{name}")).json()
        body = {key: shown[key] for key in ("url", "headers", "auth", "secrets", "tls", "proxy")}
        dry = await world.ask("PUT", f"/api/v1/targets/{name}", json=body, params={"dry_run": True})
        assert dry.is_success, dry.text
    page = (await world.ask("GET", "/api/v1/deliveries", params={"limit": 200})).json()
    for item in page["items"]:
        await world.ask("GET", f"/api/v1/deliveries/{item['id']}")
    for item in (await world.ask("GET", "/api/v1/events")).json()["items"]:
        await world.ask("GET", f"/api/v1/events/{item['id']}")
    for item in (await world.ask("GET", "/api/v1/inbox")).json()["items"]:
        await world.ask("GET", f"/api/v1/inbox/{item['id']}")
    event = {"type": "artifact.pushed", "source": "dist", "repository": SEEN, "tags": ["v1"]}
    for path in ("match", "all/preview", "default/preview", "all/backtest"):
        body = {} if path.endswith("backtest") else {"event": event}
        await world.ask("POST", f"/api/v1/policies/{path}", json=body)
    await world.ask("POST", "/api/v1/targets/bearer-200/ping")
    await world.ask("GET", "/metrics")
    worker = f"http://127.0.0.1:{world.portcall.env['PORTCALL_METRICS_PORT']}/metrics"
    async with httpx.AsyncClient() as http:
        world._keep("worker's metrics", await http.get(worker))


async def ask_what_is_wrong(world: World) -> None:
    """Put secrets where they do not belong: the answers must not repeat them."""
    text = world.planted.text
    wrong: list[dict[str, Any]] = [
        {"auth": {"type": "bearer", "tokn": text("in an unknown field")}},
        {"auth": {"type": text("in a type"), "token": text("beside it")}},
        {"auth": {"type": "bearer", "token": text("with a line break") + "\n"}},
        {"auth": text("in place of an object")},
        {"secrets": [text("no signing secret")]},
        {"secrets": ["whsec_" + text("no base64"), "whsk_" + text("no base64 either")]},
        {"hub_secret": [text("in a list")]},
        {"tls": {"client_cert": text("a certificate"), "client_key": text("no key")}},
        {"tls": {"client_key": text("a key alone")}},
        {"headers": {"X-Api-Key": text("in a header") + "\n"}},
        {"url": f"https://{SEEN}:{text('in a user')}@ci.example/"},
        {"url": f"https://ci.example:x/?key={text('in a bad URL')}"},
        {"timeout": text("in a duration")},
        {"proxy": {"url": f"ftp://{text('in a proxy URL')}"}},
    ]
    for fields in wrong:
        body = {"url": "https://ci.example/", **fields}
        for method, path in (("PUT", "/wrong"), ("POST", "")):
            spec = {**body, "name": "wrong"}
            answer = await world.ask(method, f"/api/v1/targets{path}", json=spec)
            assert answer.status_code == 422, (fields, answer.text)
    body = text("in a body that is no JSON").encode()
    await world.ask("PUT", "/api/v1/targets/wrong", content=b'{"auth": ' + body)
    await world.ask("POST", "/api/v1/targets/bearer-200/rotate", json={"secret": text("rotated")})
    other = {"Authorization": f"Bearer {text('another admin token')}"}
    await world.ask("GET", "/api/v1/targets", headers=other)
    await world.ask("GET", "/api/v1/targets", params={"cursor": text("a cursor")})


async def run_commands(world: World) -> None:
    """Run the commands that show, compare, refuse and fail."""
    planted = world.planted
    good = {"name": "bearer-200", "url": "https://ci.example/", "headers": {"X-Team": SEEN}}
    new_auth = {"type": "bearer", "token": planted.text("in a file")}
    bad = {"name": "bad", "url": "https://ci.example", "secrets": [planted.text("bad in a file")]}
    broken = f"target: {{name: ci, auth: {{token: '{planted.text('in a broken file')}'"
    changing = json.dumps({"targets": [{**good, "auth": new_auth}]})
    filled = 'target: {name: bearer-400, url: "${HOOK}", auth: {type: bearer, token: "${T}"}}'
    env = {"HOOK": f"https://ci.example/?sig={planted.word('from HOOK')}", "T": planted.text("T")}
    page = (await world.ask("GET", "/api/v1/deliveries", params={"target": "oauth2-503"})).json()
    database = f"postgresql://{SEEN}:{planted.word('a database password')}@127.0.0.1:1/x"
    debug = {"PORTCALL_DEBUG": "1"}
    commands: list[tuple[tuple[str, ...], str, dict[str, str]]] = [
        (("targets", "list", "--wide"), "", {}),
        (("targets", "show", "url-200"), "", {}),
        (("sources", "show", "asked"), "", {}),
        (("export",), "", {}),
        (("export", "--secrets", "env"), "", {}),
        (("apply", "--dry-run", "-f", "-"), changing, {}),
        (("apply", "--yes", "-f", "-"), filled, env),
        (("apply", "-f", "-"), json.dumps({"target": bad}), {}),
        (("apply", "-f", "-"), broken, {}),
        (("deliveries", "show", page["items"][0]["id"]), "", {}),
        (("deliveries", "list", "--json"), "", {}),
        (("targets", "rotate", "signed-400", "--secret", "-"), planted.key("-", "whsec_"), {}),
        (("policies", "preview", "all", "--type", "artifact.pushed", "--source", "dist"), "", {}),
        (("init",), "", {"PORTCALL_DATABASE_URL": database}),
        (("rekey",), "", {}),
        (("targets", "list", "--token", planted.word("a wrong token")), "", debug),
    ]
    for command in commands:
        await asyncio.to_thread(world.run_here, *command)
    await asyncio.gather(
        world.run("apply", "-f", "-", stdin=json.dumps({"target": bad})),
        world.run("apply", "-f", "-", stdin=json.dumps({"target": bad}), **debug),
        world.run("init", PORTCALL_DATABASE_URL=database, **debug),
    )


def files(world: World, temporal: DevServer) -> dict[str, bytes]:
    """Give all files of the installation (database, logs), and those of Temporal."""
    kept = [file for file in world.portcall.data_dir.rglob("*") if file.is_file()]
    kept += [file for file in temporal.log.parent.rglob("*") if file.is_file()]
    assert any(file.name == "portcall.db" for file in kept)
    return {str(file): file.read_bytes() for file in kept}


async def histories(world: World, temporal: DevServer) -> dict[str, bytes]:
    """Give what Temporal knows of every workflow: its history and its row in visibility."""
    client = await Client.connect(temporal.address, namespace=world.portcall.namespace)
    found = {}
    async for execution in client.list_workflows():
        handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
        history = await handle.fetch_history()
        events = b"".join(event.SerializeToString() for event in history.events)
        where = f"histories: {execution.id} {execution.run_id}"
        found[where] = events + history.to_json().encode()
        found[f"visibility: {where}"] = execution.raw_info.SerializeToString()
    assert len(found) > 60
    return found
