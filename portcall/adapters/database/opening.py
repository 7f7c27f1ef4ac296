"""Opens the policy database: store, inbox and states, checked before they are lent."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from pydantic import SecretStr

from portcall.adapters.database.connections import Connections
from portcall.adapters.database.inbox import SqlInbox
from portcall.adapters.database.migrate import check_schema
from portcall.adapters.database.secret_key import SecretBox
from portcall.adapters.database.source_activity import SqlSourceActivity
from portcall.adapters.database.store import SqlPolicyStore
from portcall.adapters.database.target_states import SqlTargetStates

INBOX_LIMIT = 100_000
INBOX_TIMEOUT = timedelta(milliseconds=500)
"""Senders give up, or a registry's queue stands still, soon after."""


@dataclass(frozen=True)
class Database:
    """The policy database, open."""

    store: SqlPolicyStore
    inbox: SqlInbox
    states: SqlTargetStates
    activity: SqlSourceActivity


@contextlib.asynccontextmanager
async def open_database(
    url: str,
    secret_key: SecretStr,
    *,
    inbox_limit: int = INBOX_LIMIT,
    inbox_timeout: timedelta = INBOX_TIMEOUT,
) -> AsyncIterator[Database]:
    """Open a migrated database; raise ConfigurationError or StoreUnavailableError."""
    connections, keeping = Connections(url), Connections(url, inbox_timeout)
    try:
        store = SqlPolicyStore(connections, SecretBox(secret_key))
        inbox = SqlInbox(connections, keeping, inbox_limit)
        await check_schema(connections)
        await store.check_secrets()
        states = SqlTargetStates(connections)
        async with inbox.writer(), states.writer():
            activity = SqlSourceActivity(connections)
            yield Database(store=store, inbox=inbox, states=states, activity=activity)
    finally:
        await connections.engine.dispose()
        await keeping.engine.dispose()
