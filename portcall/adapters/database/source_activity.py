"""When each source was last heard, in SQL: a row of its own, which no reader of specs waits for."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from portcall.adapters.database.connections import Connections
from portcall.adapters.database.tables import UtcDateTime, source_activity, sources


class SqlSourceActivity:
    """A `SourceActivity` in one table."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def note(self, heard: Mapping[str, datetime]) -> None:
        """Keep the later of these times and those that are known; one of no source is dropped."""
        # In one order, so that several processes do not wait for one another in a circle.
        rows = [{"heard_source": name, "heard_at": heard[name]} for name in sorted(heard)]
        if rows:
            async with self._connections.writing() as connection:
                await connection.execute(self._upsert(), rows)

    async def last_heard(self) -> Mapping[str, datetime]:
        """Give the times, by the sources' names."""
        wanted = select(source_activity.c.source, source_activity.c.last_heard_at)
        async with self._connections.reading() as connection:
            return {row.source: row.last_heard_at for row in await connection.execute(wanted)}

    def _upsert(self) -> postgresql.Insert | sqlite.Insert:
        insert = postgresql.insert if self._connections.file is None else sqlite.insert
        at = bindparam("heard_at", type_=UtcDateTime())
        known = select(sources.c.name, at).where(sources.c.name == bindparam("heard_source"))
        new = insert(source_activity).from_select(["source", "last_heard_at"], known)
        return new.on_conflict_do_update(
            index_elements=["source"],
            set_={"last_heard_at": new.excluded.last_heard_at},
            where=source_activity.c.last_heard_at < new.excluded.last_heard_at,
        )
