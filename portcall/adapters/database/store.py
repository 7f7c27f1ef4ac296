"""The policy database: three collections, and the snapshot of them that matching reads."""

from sqlalchemy import select

from portcall.adapters.database.connections import Connections
from portcall.adapters.database.secret_key import SecretBox
from portcall.adapters.database.snapshots import SnapshotCache
from portcall.adapters.database.specs import PolicyCollection, SqlCollection, TargetCollection
from portcall.adapters.database.tables import sources
from portcall.policies import Source
from portcall.ports import PolicySnapshot


class SqlPolicyStore:
    """A `PolicyStore` in SQL."""

    def __init__(self, connections: Connections, box: SecretBox) -> None:
        self._connections = connections
        self.sources = SqlCollection(connections, sources, Source, box)
        self.targets = TargetCollection(connections, box)
        self.policies = PolicyCollection(connections, box)
        self._snapshots = SnapshotCache(connections)

    async def snapshot(self) -> PolicySnapshot:
        """Give what matching needs; a change made elsewhere shows within a second."""
        return await self._snapshots.get()

    async def ping(self) -> None:
        """Raise StoreUnavailableError where the database does not answer."""
        async with self._connections.reading() as connection:
            await connection.execute(select(1))

    async def check_secrets(self) -> None:
        """Raise ConfigurationError where the secret key does not open what is stored."""
        await self.sources.check_secrets()
        await self.targets.check_secrets()

    async def renew_secrets(self) -> int:
        """Encrypt all secrets with the newest key, so that older ones can be dropped.

        Give how many sources and targets have some.
        """
        return await self.sources.renew_secrets() + await self.targets.renew_secrets()
