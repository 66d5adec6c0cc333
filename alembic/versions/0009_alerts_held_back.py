"""Alerts can be held back, pass one another by rank, and be told once; preferences of alerts."""

import sqlalchemy as sa

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

phase = "expand"
# Older code leaves the columns to their defaults and what is held back to newer code.
min_code_version = 1

_ONCE = "ix_outbox_scope_channel_recipient_once_key"
_HAS_KEY = sa.text("once_key IS NOT NULL")


def upgrade() -> None:
    op.add_column("outbox", sa.Column("rank", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("outbox", sa.Column("alert", sa.Text()))
    op.add_column("outbox", sa.Column("once_key", sa.Text()))
    op.create_index(
        _ONCE,
        "outbox",
        ["scope", "channel", "recipient", "once_key"],
        unique=True,
        sqlite_where=_HAS_KEY,
        postgresql_where=_HAS_KEY,
    )
    op.create_table(
        "alert_preferences",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("value_json", sa.Text(), nullable=False),
        sa.Column("changed_us", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_alert_preferences"),
    )


def downgrade() -> None:
    op.drop_table("alert_preferences")
    op.drop_index(_ONCE, "outbox")
    op.drop_column("outbox", "once_key")
    op.drop_column("outbox", "alert")
    op.drop_column("outbox", "rank")
