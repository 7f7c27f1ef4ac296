"""The tables of the policy database. `migrations` makes them; a test compares the two."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

# In PostgreSQL names sort by bytes too, whatever the database's locale: pages depend on it.
NAME = String(50).with_variant(String(50, collation="C"), "postgresql")
# SQLite counts only an INTEGER PRIMARY KEY up by itself.
NUMBER = BigInteger().with_variant(Integer(), "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time, also in SQLite, which knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the time in UTC, all that SQLite could keep of it."""
        del dialect
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the time as aware UTC."""
        del dialect
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)


def _specs(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("name", NAME, primary_key=True),
        Column("spec", JSON, nullable=False),
        Column("secrets", LargeBinary),
        Column("version", Integer, nullable=False),
        Column("created_at", UtcDateTime, nullable=False),
        Column("updated_at", UtcDateTime, nullable=False),
    )


sources = _specs("sources")
targets = _specs("targets")
policies = _specs("policies")

policy_targets = Table(
    "policy_targets",
    metadata,
    Column("policy", NAME, ForeignKey(policies.c.name, ondelete="CASCADE"), primary_key=True),
    Column("target", NAME, ForeignKey(targets.c.name), primary_key=True, index=True),
)

target_health = Table(
    "target_health",
    metadata,
    Column("target", NAME, ForeignKey(targets.c.name, ondelete="CASCADE"), primary_key=True),
    Column("failing_since", UtcDateTime),
    Column("failures", Integer, nullable=False),
    Column("strikes", Integer, nullable=False),
    Column("last_success_at", UtcDateTime),
    Column("last_failure_at", UtcDateTime),
    Column("last_error", Text),
    Column("paused_until", UtcDateTime),
    Column("pause_reason", Text),
    Column("pauses", Integer, nullable=False),
    Column("disabled_at", UtcDateTime),
    Column("disabled_reason", Text),
    Column("rate_at", UtcDateTime),
    Column("backlog", Boolean, nullable=False),
    Column("probe", String(32), nullable=False),
    Column("probe_until", UtcDateTime),
)
"""A row for each target that ever failed or has limits; the last four are the gate's."""

target_leases = Table(
    "target_leases",
    metadata,
    Column("id", String(32), primary_key=True),
    Column(
        "target",
        NAME,
        # Not `targets`: whoever takes a lease has locked that row here already.
        ForeignKey(target_health.c.target, ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("expires_at", UtcDateTime, nullable=False),
)

target_figures = Table(
    "target_figures",
    metadata,
    Column("target", NAME, ForeignKey(targets.c.name, ondelete="CASCADE"), primary_key=True),
    Column("began_at", UtcDateTime, primary_key=True, index=True),
    Column("worker", String(32), primary_key=True),
    Column("attempts", Integer, nullable=False),
    Column("delivered", Integer, nullable=False),
    Column("last_delivered_at", UtcDateTime),
    Column("latencies", JSON, nullable=False),
)
"""Each worker writes rows of its own, five minutes each."""

source_activity = Table(
    "source_activity",
    metadata,
    Column("source", NAME, ForeignKey(sources.c.name, ondelete="CASCADE"), primary_key=True),
    Column("last_heard_at", UtcDateTime, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("counter", BigInteger, nullable=False),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("source", NAME, nullable=False),
    Column("state", String(10), nullable=False),
    Column("reason", Text, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("count", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("hint", Text),
    Column("body", LargeBinary, nullable=False),
    Column("events", Text, nullable=False),
    Column("fingerprint", String(32), unique=True),
    Index(None, "state", "id"),
    sqlite_autoincrement=True,
)
"""`fingerprint` is set in parked entries alone; `events` is a JSON list of RegistryEvents."""
