"""When each source was last heard."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NAME = sa.String(50).with_variant(sa.String(50, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "source_activity",
        sa.Column("source", NAME, nullable=False),
        sa.Column("last_heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_source_activity"),
        sa.ForeignKeyConstraint(
            ["source"], ["sources.name"], name="fk_source_activity_source", ondelete="CASCADE"
        ),
    )
