"""The stack of docker-compose.yml as a test sees it: Compose on one side, HTTP on the other."""

import json
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.stack.engine import Engine, say

ROOT = Path(__file__).parents[2]
FILES = ("docker-compose.yml", "tests/stack/receiver.yml")
TAG = "stack-test"
Found = TypeVar("Found")


def wait_for(what: str, ask: Callable[[], Found | None], seconds: float = 180) -> Found:
    """Ask until the answer is true; a connection that is refused is no answer yet."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = ask()
        except httpx.HTTPError as error:
            last = error
        else:
            if last:
                return last
        time.sleep(0.5)
    raise AssertionError(f"{what}: not within {seconds:.0f} s, last seen: {last!r}")


@dataclass(frozen=True)
class Stack:
    """A project of Compose, its settings, and clients for what it publishes."""

    engine: Engine
    project: str
    settings: Path
    api: httpx.Client
    web_ui: httpx.Client
    receiver: httpx.Client

    def compose(self, *command: str, **options: Any) -> str:
        """Run `docker compose ...` for this project; see Engine.execute for the options."""
        files = [part for name in FILES for part in ("--file", str(ROOT / name))]
        return self.engine.execute(
            [
                *self.engine.compose, "--project-name", self.project,
                "--project-directory", str(ROOT), "--env-file", str(self.settings),
                *files, *command,
            ],
            **options,
        ).stdout  # fmt: skip

    def up(self, *command: str) -> None:
        """Bring it up and wait until everything is healthy."""
        self.compose("up", "--detach", "--no-build", *command)
        try:
            wait_for("every container healthy", self.is_healthy, 300)
        except AssertionError:
            say(self.logs())
            raise

    def logs(self) -> str:
        """The last words of every container."""
        return self.compose("logs", "--no-color", "--tail", "40", check=False)

    def is_healthy(self) -> bool:
        running = [box for name in self.services() for box in self.containers(name)]
        return bool(running) and all(
            box["State"]["Running"] and box["State"].get("Health", {}).get("Status") == "healthy"
            for box in running
        )

    def services(self) -> Sequence[str]:
        """Those that go on running."""
        return ("postgresql", "temporal", "temporal-ui", "api", "worker")

    def containers(self, service: str) -> list[dict[str, Any]]:
        """What `docker inspect` says of a service's containers, ended ones too."""
        ids = self.engine.call(
            "ps", "--all", "--quiet",
            "--filter", f"label=com.docker.compose.project={self.project}",
            "--filter", f"label=com.docker.compose.service={service}",
        ).stdout.split()  # fmt: skip
        return list(json.loads(self.engine.call("inspect", *ids).stdout)) if ids else []

    def configure(self, name: str, path: str, **retry: Any) -> None:
        """Make a source, a target at the receiver's path and a policy, all of one name."""
        retry = {"initial_interval": "1s", "maximum_attempts": 30, "backoff_coefficient": 1} | retry
        for kind, spec in {
            "sources": {"kind": "distribution", "auth": {"type": "bearer", "token": name}},
            "targets": {"url": f"http://receiver:9000{path}"},
            "policies": {"match": {"sources": [name]}, "targets": [name], "retry": retry},
        }.items():
            answer = self.api.put(f"/api/v1/{kind}/{name}", json=spec)
            assert answer.status_code in {200, 201}, answer.text
        time.sleep(1)  # until a policy is in force in every worker (docs/database.md)

    def push(self, source: str, tag: str) -> str | None:
        """Notify of a pushed tag; give the event's id where that was accepted."""
        event = {
            "id": f"{source}-{tag}",
            "timestamp": "2026-01-02T03:04:05.678Z",
            "action": "push",
            "target": {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": f"sha256:{tag.encode().hex():0>64}",
                "repository": f"{source}/app",
                "tag": tag,
            },
            "request": {"host": "registry.example"},
        }
        try:
            answer = self.api.post(
                f"/notifications/{source}",
                content=json.dumps({"events": [event]}),
                headers={"Authorization": f"Bearer {source}"},
            )
        except httpx.HTTPError:
            return None
        return answer.json()["events"][0]["id"] if answer.status_code == 202 else None

    def deliveries(self, **filters: str) -> list[dict[str, Any]]:
        """All pages of the log of deliveries."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            query = {**filters, "limit": "200"} | ({"cursor": cursor} if cursor else {})
            page = self.api.get("/api/v1/deliveries", params=query).raise_for_status().json()
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    def delivered(self, source: str) -> set[str]:
        """The events of a source whose deliveries the log calls delivered."""
        found = self.deliveries(source=source, outcome="delivered")
        return {delivery["event_id"] for delivery in found}

    def received(self, path: str) -> list[str]:
        """The tags that the receiver accepted on a path."""
        return [
            item["body"]["events"][0]["tag"]
            for item in self.receiver.get("/").raise_for_status().json()
            if item["path"] == path and item["status"] < 300
        ]


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@contextmanager
def running_stack(engine: Engine, folder: Path) -> Iterator[Stack]:
    """Bring the stack up from nothing; afterwards take it down with its volumes."""
    api, web_ui, temporal, receiver = _free_ports(4)
    token = secrets.token_hex(16)
    settings = folder / "env"
    settings.write_text(
        f"POSTGRES_PASSWORD=/p@ss:{secrets.token_hex(8)}%?\n"
        f"PORTCALL_ADMIN_TOKEN={token}\n"
        f"PORTCALL_SECRET_KEY={secrets.token_hex(16)}\n"
        f"PORTCALL_PORT={api}\nTEMPORAL_UI_PORT={web_ui}\nTEMPORAL_PORT={temporal}\n"
        f"RECEIVER_PORT={receiver}\n"
        "PORTCALL_ALLOWED_NETWORKS=10.0.0.0/8,172.16.0.0/12,192.168.0.0/16\n"
        f"PORTCALL_VERSION={TAG}\n"
    )
    with (
        httpx.Client(
            base_url=f"http://127.0.0.1:{api}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            trust_env=False,
        ) as api_client,
        httpx.Client(base_url=f"http://127.0.0.1:{web_ui}", trust_env=False) as web_ui_client,
        httpx.Client(base_url=f"http://127.0.0.1:{receiver}", trust_env=False) as receiver_client,
    ):
        stack = Stack(
            engine, f"portcall-{secrets.token_hex(4)}", settings,
            api_client, web_ui_client, receiver_client,
        )  # fmt: skip
        try:
            say("bringing the stack up from nothing")
            stack.up()
            yield stack
        finally:
            say("taking it down, volumes and all")
            stack.compose("down", "--volumes", "--remove-orphans")
