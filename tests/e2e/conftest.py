"""What the end-to-end tests share: one installation beside the session's Temporal."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from portcall.adapters.devserver import DevServer
from tests.fixtures.portcall import Portcall, a_namespace


@pytest.fixture(scope="module")
async def portcall(
    temporal: DevServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Portcall]:
    """An installation on SQLite that the tests of a module share; each cleans its policies."""
    async with AsyncExitStack() as stack:
        data_dir = tmp_path_factory.mktemp("portcall")
        running = Portcall(data_dir, temporal.address, namespace=a_namespace())
        stack.push_async_callback(running.stop)
        await running.start()
        yield running
