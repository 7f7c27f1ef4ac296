"""Sources, targets and policies in SQL: the spec as JSON, its secrets encrypted beside it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pydantic import ValidationError
from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from portcall.adapters.database.connections import Connections
from portcall.adapters.database.secret_key import SecretBox
from portcall.adapters.database.tables import policies, policy_targets, target_health, targets
from portcall.adapters.database.target_ledger import UNBLEMISHED
from portcall.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    PreconditionError,
    UnreadableError,
)
from portcall.policies import Policy, Target
from portcall.ports import SpecT, Stored
from portcall.secrets import join, split
from portcall.spec import faults

FoundT = TypeVar("FoundT")


class SqlCollection(Generic[SpecT]):
    """A `Collection` in one table."""

    def __init__(
        self, connections: Connections, table: Table, model: type[SpecT], box: SecretBox
    ) -> None:
        self._connections = connections
        self._table = table
        self._model: type[SpecT] = model
        self._box = box
        self._noun = model.__name__.lower()

    async def get(self, name: str) -> Stored[SpecT]:
        """Give one; raise NotFoundError."""
        async with self._connections.reading() as connection:
            return self._existing(await self._find(connection, name), name)

    async def list(self, *, after: str = "", limit: int | None = None) -> Sequence[Stored[SpecT]]:
        """Give those whose names come after `after`, by name."""
        column = self._table.c.name
        wanted = select(self._table).where(column > after).order_by(column).limit(limit)
        async with self._connections.reading() as connection:
            return [self._stored(row) for row in await connection.execute(wanted)]

    async def create(self, spec: SpecT) -> Stored[SpecT]:
        """Add one; raise ConflictError where the name is in use."""
        async with self._connections.changing() as connection:
            if await self._find(connection, spec.name):
                raise ConflictError(f"There is a {self._noun} named {spec.name} already.")
            return await self._write(connection, spec, None)

    async def put(self, spec: SpecT, *, if_version: int | None = None) -> Stored[SpecT]:
        """Create or replace; the version stays where nothing changed."""
        async with self._connections.changing() as connection:
            old = await self._find(connection, spec.name)
            self._check_version(old, if_version)
            if old and split(old.spec) == split(spec):
                return old
            return await self._write(connection, spec, old)

    async def delete(self, name: str, *, if_version: int | None = None) -> None:
        """Remove one; raise NotFoundError, PreconditionError or ConflictError (still used)."""
        async with self._connections.changing() as connection:
            old = self._existing(await self._row(connection, name), name)
            self._check_version(old, if_version)
            await self._before_delete(connection, name)
            await connection.execute(delete(self._table).where(self._table.c.name == name))

    async def check_secrets(self) -> None:
        """Open all secrets, whatever becomes of the specs."""
        async with self._connections.reading() as connection:
            for secrets in await connection.scalars(select(self._table.c.secrets)):
                self._box.open(secrets)

    async def renew_secrets(self) -> int:
        """Encrypt all secrets with the newest key; give how many specs have some."""
        table = self._table
        sealed = select(table.c.name, table.c.secrets).where(table.c.secrets.is_not(None))
        async with self._connections.changing() as connection:
            found = (await connection.execute(sealed)).all()
            for name, secrets in found:
                await connection.execute(
                    update(table)
                    .where(table.c.name == name)
                    .values(secrets=self._box.renew(secrets))
                )
        return len(found)

    async def _before_delete(self, connection: AsyncConnection, name: str) -> None:
        """Raise ConflictError where something still needs it."""

    async def _after_write(self, connection: AsyncConnection, spec: SpecT) -> None:
        """Write what else belongs to it."""

    async def _find(self, connection: AsyncConnection, name: str) -> Stored[SpecT] | None:
        row = await self._row(connection, name)
        return self._stored(row) if row else None

    async def _row(self, connection: AsyncConnection, name: str) -> Any:
        wanted = select(self._table).where(self._table.c.name == name)
        return (await connection.execute(wanted)).one_or_none()

    async def _write(
        self, connection: AsyncConnection, spec: SpecT, old: Stored[SpecT] | None
    ) -> Stored[SpecT]:
        public, secrets = split(spec)
        now = datetime.now(UTC)
        values = {
            "spec": public,
            "secrets": self._box.seal(secrets),
            "version": old.version + 1 if old else 1,
            "updated_at": now,
        }
        if old:
            change = update(self._table).where(self._table.c.name == spec.name)
            await connection.execute(change.values(values))
        else:
            new = {"name": spec.name, "created_at": now}
            await connection.execute(insert(self._table).values(values | new))
        await self._after_write(connection, spec)
        return self._existing(await self._find(connection, spec.name), spec.name)

    def _stored(self, row: Any) -> Stored[SpecT]:
        try:
            spec = join(self._model, row.spec, self._box.open(row.secrets))
        except ValidationError as error:
            raise UnreadableError(
                f"The {self._noun} {row.name} was stored by another version of Portcall, and this"
                f" one does not understand it; it can be deleted. {faults(error)}"
            ) from None
        return Stored(
            spec=spec,
            version=row.version,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )

    def _existing(self, found: FoundT | None, name: str) -> FoundT:
        if found is None:
            raise NotFoundError(f"There is no {self._noun} named {name}.")
        return found

    def _check_version(self, stored: Any, if_version: int | None) -> None:
        if if_version is not None and (stored is None or stored.version != if_version):
            raise PreconditionError(f"The {self._noun} was changed in the meantime.")


class TargetCollection(SqlCollection[Target]):
    """Targets, which policies may still need."""

    def __init__(self, connections: Connections, box: SecretBox) -> None:
        super().__init__(connections, targets, Target, box)

    async def _after_write(self, connection: AsyncConnection, spec: Target) -> None:
        # What the attempts have shown is held against the target as it was.
        known = target_health.c.target == spec.name
        await connection.execute(update(target_health).where(known).values(UNBLEMISHED))

    async def _before_delete(self, connection: AsyncConnection, name: str) -> None:
        column = policy_targets.c.policy
        users = select(column).where(policy_targets.c.target == name).order_by(column)
        names = list(await connection.scalars(users))
        if names:
            message = f"The target {name} is used by: {', '.join(names)}."
            raise ConflictError(message, policies=names)


class PolicyCollection(SqlCollection[Policy]):
    """Policies, whose targets must exist."""

    def __init__(self, connections: Connections, box: SecretBox) -> None:
        super().__init__(connections, policies, Policy, box)

    async def _after_write(self, connection: AsyncConnection, spec: Policy) -> None:
        known = select(targets.c.name).where(targets.c.name.in_(spec.targets))
        unknown = set(spec.targets) - set(await connection.scalars(known))
        if unknown:
            message = f"There is no target named {', '.join(sorted(unknown))}."
            raise InvalidInputError(message, [{"field": "targets", "message": message}])
        old = delete(policy_targets).where(policy_targets.c.policy == spec.name)
        await connection.execute(old)
        rows = [{"policy": spec.name, "target": target} for target in spec.targets]
        await connection.execute(insert(policy_targets), rows)
