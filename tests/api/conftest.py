"""The application with its ports in memory, asked in process."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_network

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from api.app import create_app
from api.services import Services
from portcall.addresses import Allowed
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
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@cache
def the_app() -> FastAPI:
    """The one application; making it takes longer than most tests."""
    return create_app(Backend().services())


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
    tokens: FakeTokens = field(default_factory=FakeTokens)
    admin_token: str | None = TOKEN

    def services(self) -> Services:
        return Services(
            store=self.store,
            inbox=self.inbox,
            engine=self.engine,
            deliveries=self.deliveries,
            events=self.events,
            tokens=self.tokens,
            activity=FakeSourceActivity(self.store),
            states=self.states,
            pings=self.pings,
            failed=self.failed,
            redeliveries=self.redeliveries,
            kinds=load_kinds(),
            formats=load_formats(),
            admin_token=None if self.admin_token is None else SecretStr(self.admin_token),
            allowed=Allowed((ip_network("10.1.0.0/16"),)),
        )

    def client(self) -> httpx.AsyncClient:
        app = the_app()
        app.state.services = self.services()
        transport = httpx.ASGITransport(app)
        return httpx.AsyncClient(
            transport=transport, base_url="http://portcall.test", headers=HEADERS
        )


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
async def api(backend: Backend) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the admin token."""
    async with backend.client() as client:
        yield client
