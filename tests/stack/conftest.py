"""One engine and one stack for the session."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from portcall.settings import load_settings
from tests.stack.engine import Engine, machine_engine, own_engine, say
from tests.stack.stack import ROOT, TAG, Stack, running_stack
from tests.stack.stand_ins import build_compose, make_stand_ins


def needed_images() -> dict[str, str]:
    """The images that docker-compose.yml and the Dockerfile start from, with their tags."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    images = {service["image"] for service in compose["services"].values()}
    dockerfile = (ROOT / "Dockerfile").read_text().splitlines()
    images |= {line.split()[1] for line in dockerfile if line.startswith("FROM ")}
    named = (image.partition(":") for image in images if not image.startswith("portcall:"))
    return {name: tag for name, _, tag in named}


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    images = needed_images()
    machines = machine_engine([f"{name}:{tag}" for name, tag in images.items()])
    if machines:
        yield machines
        return
    cache = load_settings().cache_dir / "test-stack"
    with own_engine(build_compose(cache)) as own:
        make_stand_ins(own, images, cache)
        yield own


@pytest.fixture(scope="session")
def image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Portcall's image, built as its users build it."""
    say("building Portcall's image")
    name = f"portcall:{TAG}"
    extra = machine_settings(tmp_path_factory.mktemp("pip")) if engine.own else []
    engine.call("build", *extra, "--tag", name, str(ROOT))
    yield name
    engine.call("rmi", "--force", name)


def machine_settings(folder: Path) -> list[str]:
    """How this machine reaches its package index, for a build and for nothing after it."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    ).stdout
    values = {
        key.rpartition(".")[2]: ast.literal_eval(value)
        for key, _, value in (line.partition("=") for line in listed.splitlines())
    }
    arguments = ["--network", "host"]
    if certificates := values.get("cert"):
        values["cert"] = "/etc/ssl/certs/ca-certificates.crt"
        arguments += ["--secret", f"id=ca.crt,src={certificates}"]
    wanted = ("cert", "extra-index-url", "index-url", "proxy", "trusted-host")
    settings = folder / "pip.conf"
    lines = [f"{key} = {values[key]}\n" for key in wanted if key in values]
    settings.write_text("[global]\n" + "".join(lines))
    arguments += ["--secret", f"id=pip.conf,src={settings}"]
    # Docker knows these by name and does not record them.
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        for name in (variable, variable.lower()):
            arguments += ["--build-arg", name] if name in os.environ else []
    return arguments


@pytest.fixture(scope="session")
def brought_up(
    request: pytest.FixtureRequest,
    engine: Engine,
    image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    with running_stack(engine, tmp_path_factory.mktemp("stack")) as running:
        yield running
        if request.session.testsfailed:
            say(running.logs())


@pytest.fixture
def stack(brought_up: Stack) -> Stack:
    """The stack, whole again whatever the test before did."""
    if not brought_up.is_healthy():
        brought_up.up()
    return brought_up
