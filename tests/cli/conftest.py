"""Runs commands against the API's own application on a real port, its ports in memory."""

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr
from typer.testing import CliRunner

from api.app import create_app
from api.services import Services
from portcall.cli.main import app
from portcall.errors import PortcallError
from portcall.formats.known import load_formats
from portcall.sources.kinds import load_kinds
from tests.cli.logs import FakeDeliveryLog, FakeEventLog
from tests.fakes import (
    FakeEngine,
    FakeFailed,
    FakeInbox,
    FakePings,
    FakeRedeliveries,
    FakeSourceActivity,
    FakeStates,
    FakeStore,
    FakeTokens,
)

TOKEN = "planted-admin-token"


@dataclass
class Backend:
    """What stands behind the API in a test."""

    store: FakeStore = field(default_factory=FakeStore)
    inbox: FakeInbox = field(default_factory=FakeInbox)
    engine: FakeEngine = field(default_factory=FakeEngine)
    deliveries: FakeDeliveryLog = field(default_factory=FakeDeliveryLog)
    events: FakeEventLog = field(default_factory=FakeEventLog)
    states: FakeStates = field(default_factory=FakeStates)
    pings: FakePings = field(default_factory=FakePings)
    failed: FakeFailed = field(default_factory=FakeFailed)
    redeliveries: FakeRedeliveries = field(default_factory=FakeRedeliveries)

    def services(self) -> Services:
        return Services(
            store=self.store,
            inbox=self.inbox,
            engine=self.engine,
            deliveries=self.deliveries,
            events=self.events,
            tokens=FakeTokens(),
            activity=FakeSourceActivity(self.store),
            states=self.states,
            pings=self.pings,
            failed=self.failed,
            redeliveries=self.redeliveries,
            kinds=load_kinds(),
            formats=load_formats(),
            admin_token=SecretStr(TOKEN),
        )


@dataclass(frozen=True)
class Ran:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture(scope="session")
def served() -> Iterator[tuple[str, FastAPI]]:
    """The API's application on a port of its own."""
    application = create_app(Backend().services())
    server = uvicorn.Server(uvicorn.Config(application, log_config=None, lifespan="off"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", application
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def backend(served: tuple[str, FastAPI]) -> Backend:
    """A fresh backend for the API that the commands talk to."""
    fresh = Backend()
    served[1].state.services = fresh.services()
    return fresh


@pytest.fixture
def run(served: tuple[str, FastAPI], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `portcall` with the API's address and token in the environment."""
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: str, stdin: str = "", **environment: str | None) -> Ran:
        known = {
            "PORTCALL_URL": served[0],
            "PORTCALL_ADMIN_TOKEN": TOKEN,
            "PORTCALL_DATA_DIR": str(tmp_path),
        }
        result = CliRunner().invoke(
            app, arguments, input=stdin, env={**known, **environment}, prog_name="portcall"
        )
        if isinstance(result.exception, PortcallError):
            faults = result.exception.problem.get("errors", ())
            lines = [f"{fault['field']}: {fault['message']}" for fault in faults]
            said = "\n".join([result.exception.message, *lines])
            return Ran(result.exception.exit_code, result.stdout, result.stderr + said)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run_command
