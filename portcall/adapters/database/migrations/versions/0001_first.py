"""The first tables: sources, targets, policies, the inbox and the counter of changes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NAME = sa.String(50).with_variant(sa.String(50, collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    for specs in ("sources", "targets", "policies"):
        op.create_table(
            specs,
            sa.Column("name", NAME, nullable=False),
            sa.Column("spec", sa.JSON(), nullable=False),
            sa.Column("secrets", sa.LargeBinary()),
            sa.Column("version", sa.Integer(), nullable=False),
            sa.Column("created_at", TIME, nullable=False),
            sa.Column("updated_at", TIME, nullable=False),
            sa.PrimaryKeyConstraint("name", name=f"pk_{specs}"),
        )
    op.create_table(
        "policy_targets",
        sa.Column("policy", NAME, nullable=False),
        sa.Column("target", NAME, nullable=False),
        sa.PrimaryKeyConstraint("policy", "target", name="pk_policy_targets"),
        sa.ForeignKeyConstraint(
            ["policy"], ["policies.name"], name="fk_policy_targets_policy", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["target"], ["targets.name"], name="fk_policy_targets_target"),
    )
    op.create_index("ix_policy_targets_target", "policy_targets", ["target"])
    changes = op.create_table(
        "changes",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_changes"),
    )
    op.bulk_insert(changes, [{"id": 1, "counter": 0}])
    op.create_table(
        "inbox",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("source", NAME, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("last_seen_at", TIME, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("hint", sa.Text()),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(32)),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
        sa.UniqueConstraint("fingerprint", name="uq_inbox_fingerprint"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_inbox_state_id", "inbox", ["state", "id"])
