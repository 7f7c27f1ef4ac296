"""What is known of targets: their health, what is under way to them, how fast they answer."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NAME = sa.String(50).with_variant(sa.String(50, collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "target_health",
        sa.Column("target", NAME, nullable=False),
        sa.Column("failing_since", TIME),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("strikes", sa.Integer(), nullable=False),
        sa.Column("last_success_at", TIME),
        sa.Column("last_failure_at", TIME),
        sa.Column("last_error", sa.Text()),
        sa.Column("paused_until", TIME),
        sa.Column("pause_reason", sa.Text()),
        sa.Column("pauses", sa.Integer(), nullable=False),
        sa.Column("disabled_at", TIME),
        sa.Column("disabled_reason", sa.Text()),
        sa.Column("rate_at", TIME),
        sa.Column("backlog", sa.Boolean(), nullable=False),
        sa.Column("probe", sa.String(32), nullable=False),
        sa.Column("probe_until", TIME),
        sa.PrimaryKeyConstraint("target", name="pk_target_health"),
        sa.ForeignKeyConstraint(
            ["target"], ["targets.name"], name="fk_target_health_target", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "target_leases",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("target", NAME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_target_leases"),
        sa.ForeignKeyConstraint(
            ["target"], ["target_health.target"], name="fk_target_leases_target", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_target_leases_target", "target_leases", ["target"])
    op.create_table(
        "target_figures",
        sa.Column("target", NAME, nullable=False),
        sa.Column("began_at", TIME, nullable=False),
        sa.Column("worker", sa.String(32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("delivered", sa.Integer(), nullable=False),
        sa.Column("last_delivered_at", TIME),
        sa.Column("latencies", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("target", "began_at", "worker", name="pk_target_figures"),
        sa.ForeignKeyConstraint(
            ["target"], ["targets.name"], name="fk_target_figures_target", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_target_figures_began_at", "target_figures", ["began_at"])
