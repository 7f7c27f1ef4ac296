"""What the demo does and shows, step by step, with the commands that anybody would use."""

import asyncio
import os
import secrets
import shlex
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.syntax import Syntax

from portcall.cli.demo.receiver import Receiver, running_receiver
from portcall.cli.demo.registry import push_image, running_registry
from portcall.cli.installation import Installation
from portcall.errors import PortcallError

FILES = files("portcall.cli.demo")
SOURCE = "demo-registry"
PATIENCE = 60.0
"""Seconds that a step may take on a slow machine."""

Push = Callable[[str, str], Awaitable[str]]


class Story:
    """One telling of the demo."""

    def __init__(self, installation: Installation, console: Console, receiver: Receiver) -> None:
        self._installation = installation
        self._console = console
        self._receiver = receiver
        self._steps = 0
        self._token = secrets.token_urlsafe(16)
        signing = "whsec_" + secrets.token_hex(16)
        self._env = {
            **os.environ,
            "PORTCALL_URL": installation.api_url,
            "PORTCALL_ADMIN_TOKEN": installation.admin_token,
            "DEMO_RECEIVER": receiver.url,
            "DEMO_REGISTRY_TOKEN": self._token,
            "DEMO_SIGNING_SECRET": signing,
        }

    async def tell(self, registry: Path | None, stack: AsyncExitStack) -> None:
        """Go through it all."""
        self._step("Portcall runs: Temporal, API and worker, durable on disk")
        self._say(
            f"API {self._installation.api_url}, Web UI {self._installation.ui_url or 'yours'}"
        )
        self._step("What goes where, as anybody would write it")
        file = self._installation.settings.data_dir / "demo.yaml"
        file.write_text(FILES.joinpath("demo.yaml").read_text())
        self._console.print(Syntax(file.read_text(), "yaml", background_color="default"))
        await self._command("apply", "-f", str(file), "--yes")
        push = await self._registry(registry, stack)
        await self._deliver(push)
        await self._give_up_and_repair(push)

    async def _registry(self, program: Path | None, stack: AsyncExitStack) -> Push:
        notify = f"{self._installation.api_url}/notifications/{SOURCE}"
        if program is None:
            self._step("No registry is to be had here: replaying what one sent earlier")

            async def replay(repository: str, _tag: str) -> str:
                return await self._replay(notify, repository)

            return replay
        self._step("A real registry (CNCF distribution) whose notifications point at Portcall")
        directory = self._installation.settings.data_dir
        url = await stack.enter_async_context(
            running_registry(program, directory, notify, self._token)
        )
        self._say(f"Registry {url}, configured by {directory / 'registry.yml'}")

        async def push(repository: str, tag: str) -> str:
            return await push_image(url, repository, tag)

        return push

    async def _replay(self, notify: str, repository: str) -> str:
        name = repository.replace("/", "-") + ".json"
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(
                notify,
                content=FILES.joinpath(name).read_bytes(),
                headers={
                    "Authorization": f"Bearer {self._token}",
                    "Content-Type": "application/vnd.docker.distribution.events.v2+json",
                },
            )
        return answer.raise_for_status().text

    async def _deliver(self, push: Push) -> None:
        self._step("A push; the receiver answers 503 twice, then 200")
        self._say(f"prod/app:v1.2.3 pushed: {await push('prod/app', 'v1.2.3')}")
        found = await self._delivery("demo-prod", "delivered")
        self._step("The search that finds the delivery, and its attempts from the log")
        await self._command("deliveries", "list", "--repository", "prod/*", "--tag", "v1.2.3")
        await self._command("deliveries", "show", found["id"])

    async def _give_up_and_repair(self, push: Push) -> None:
        self._step("A push whose receiver is broken: two attempts, then Portcall gives up")
        self._say(f"staging/app:v2.0.0 pushed: {await push('staging/app', 'v2.0.0')}")
        found = await self._delivery("demo-staging", "exhausted")
        await self._command("deliveries", "list", "--outcome", "exhausted")
        self._step("The receiver is repaired, and the delivery sent again")
        self._receiver.repair("/scanner")
        await self._command("deliveries", "redeliver", found["id"], "--wait")
        await self._command("deliveries", "show", found["id"])

    async def _delivery(self, policy: str, outcome: str) -> dict[str, Any]:
        """Wait until the policy's delivery has come to an outcome."""
        headers = {"Authorization": f"Bearer {self._installation.admin_token}"}
        url = f"{self._installation.api_url}/api/v1/deliveries"
        query = {"policy": policy, "outcome": outcome}
        with self._console.status(f"waiting for the delivery to be {outcome}"):
            async with httpx.AsyncClient(headers=headers, trust_env=False) as http:
                for _ in range(int(PATIENCE / 0.3)):
                    answer = await http.get(url, params=query)
                    if items := answer.raise_for_status().json()["items"]:
                        found: dict[str, Any] = items[0]
                        return found
                    await asyncio.sleep(0.3)
        logs = self._installation.logs
        raise PortcallError(f"no delivery was {outcome} in {PATIENCE:.0f} s; see {logs}")

    async def _command(self, *arguments: str) -> None:
        """Run a command of `portcall` as a user would, and show it."""
        self._console.print(f"$ portcall {shlex.join(arguments)}", style="bold", markup=False)
        command = [sys.executable, "-m", "portcall.cli.main", *arguments]
        process = await asyncio.create_subprocess_exec(*command, env=self._env)
        if code := await process.wait():
            raise PortcallError(f"`portcall {arguments[0]}` ended with {code}")

    def _step(self, title: str) -> None:
        self._steps += 1
        self._console.print(f"\n[bold cyan]{self._steps}. {title}[/]")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False)


async def tell(
    installation: Installation, registry: Path | None, console: Console, *, keep: bool
) -> None:
    """Tell the demo on a running installation; with `keep` stay until somebody stops it."""
    with running_receiver({"/ci": [503, 503, 200], "/scanner": [500]}) as receiver:
        async with AsyncExitStack() as stack:
            story = Story(installation, console, receiver)
            await story.tell(registry, stack)
            console.print("\n[bold green]That was the main job.[/]")
            if keep:
                _invite(installation, console)
                await asyncio.Event().wait()
    console.print("It stops now; `make demo KEEP=1` leaves it running, Web UI and all.")


def _invite(installation: Installation, console: Console) -> None:
    console.print("It goes on running until Ctrl-C. To look around in another terminal:")
    console.print(f"  export PORTCALL_URL={installation.api_url} PORTCALL_ADMIN_TOKEN=demo")
    console.print("  portcall deliveries list")
    console.print(f"  {installation.api_url}/docs   {installation.ui_url or ''}")
