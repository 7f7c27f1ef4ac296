"""Configuration in git against a real installation: prune, export, and what Harbor's says."""

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.portcall import SOURCE_TOKEN, TOKEN, Portcall
from tests.fixtures.receiver import Receiver

FILE = """\
managed_by: payments
sources:
  - {name: harbor-eu, kind: harbor, auth: {type: bearer, token: "${SOURCE_TOKEN}"}}
targets:
  - {name: ci, url: "https://ci.example/hook", secrets: ["${SIGNING}"]}
  - {name: cd, url: "https://cd.example/hook", auth: {type: basic, username: u, password: "${PW}"}}
policies:
  - name: deploy
    match: {event_types: [artifact.pushed], repository: {glob: "payments/**"}}
    targets: [ci, cd]
    retry: {maximum_attempts: 3}
"""
SECRETS = {
    "SOURCE_TOKEN": SOURCE_TOKEN,
    "SIGNING": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "PW": "planted-password",
}


@dataclass(frozen=True)
class Ended:
    """What a command printed and how it ended."""

    code: int | None
    out: str
    err: str


@pytest.fixture
def command(portcall: Portcall, tmp_path: Path) -> Any:
    async def run(*arguments: str, **environment: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "portcall.cli.main",
            *arguments,
            cwd=tmp_path,
            env={**os.environ, **portcall.env, "PORTCALL_URL": portcall.url, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert TOKEN.encode() not in out + err
        return Ended(process.returncode, out.decode(), err.decode())

    return run


async def test_files_are_applied_exported_unchanged_and_pruned(
    portcall: Portcall, command: Any, tmp_path: Path
) -> None:
    (tmp_path / "payments.yaml").write_text(FILE)
    ran = await command("apply", "-f", "payments.yaml", "--prune", "--yes", **SECRETS)
    assert ran.code == 0, ran.err
    exported = await command("export", "--managed-by", "payments", "-o", "exported/")
    assert exported.code == 0, exported.err
    texts = [file.read_text() for file in (tmp_path / "exported").iterdir()]
    assert not any(secret in text for secret in SECRETS.values() for text in texts)
    same = await command("apply", "-f", "exported", "--prune", "--dry-run", "--exit-code")
    assert (same.code, same.out.splitlines()[-1]) == (
        0,
        "0 to create, 0 to update, 4 unchanged.",
    )
    (tmp_path / "payments.yaml").write_text(
        "\n".join(line for line in FILE.splitlines() if "cd.example" not in line).replace(
            "[ci, cd]", "[ci]"
        )
    )
    pruned = await command("apply", "-f", "payments.yaml", "--prune", "--yes", **SECRETS)
    assert pruned.code == 0, pruned.err
    assert pruned.out.splitlines()[-1] == "deleted target cd"
    assert (await portcall.api.get("/api/v1/targets/cd")).status_code == 404


async def test_harbors_webhook_is_taken_over_and_its_receiver_sees_the_same(
    portcall: Portcall, receiver: Receiver, command: Any, tmp_path: Path
) -> None:
    hook = {
        "type": "http",
        "address": receiver.url(),
        "auth_header": "planted bare secret",
        "payload_format": "Default",
    }
    webhook = {"id": 12, "name": "notify", "event_types": ["PUSH_ARTIFACT"], "enabled": True}
    (tmp_path / "shop.json").write_text(json.dumps([webhook | {"targets": [hook]}]))
    options = ("shop.json", "--project", "shop", "--source", "harbor-eu", "--apply", "--yes")
    auth = {"type": "bearer", "token": SOURCE_TOKEN}
    await portcall.put("sources", name="harbor-eu", kind="harbor", auth=auth)
    ran = await command("import", "harbor", *options)
    assert ran.code == 0, ran.err
    again = await command("import", "harbor", *options)
    assert again.out.splitlines()[-1] == "0 to create, 0 to update, 2 unchanged."
    await asyncio.sleep(1.1)
    digest = f"sha256:{'1' * 64}"
    resource = {"digest": digest, "tag": digest, "resource_url": f"hub.example/shop/app@{digest}"}
    repository = {"name": "app", "namespace": "shop", "repo_full_name": "shop/app"}
    body = {
        "type": "PUSH_ARTIFACT",
        "occur_at": 1750000000,
        "operator": "admin",
        "event_data": {
            "resources": [resource],
            "repository": repository | {"repo_type": "private"},
        },
    }
    answer = await portcall.sender.post("/notifications/harbor-eu", json=body)
    assert answer.status_code == 202, answer.text
    async with asyncio.timeout(20):
        while not receiver.requests:
            await asyncio.sleep(0.1)
    (request,) = receiver.requests
    assert request.headers["authorization"] == "planted bare secret"
    assert json.loads(request.body)["event_data"]["resources"] == [resource]


async def test_a_kept_connection_does_not_wait_for_acknowledgements(portcall: Portcall):
    took = []
    for _ in range(20):
        began = time.monotonic()
        await portcall.api.get("/api/v1/policies/nothing")
        took.append(time.monotonic() - began)
    assert sorted(took)[5] < 0.035  # an acknowledgement is delayed for 40 ms
