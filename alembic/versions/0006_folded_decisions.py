"""An entry's intent can carry its decision, until signal and bracket have rows of their own.

The index of the exchange's order numbers leaves out what has none: an order waits for its
row, and has no number yet.
"""

import sqlalchemy as sa

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

phase = "expand"
# Older code leaves the column empty and writes the three rows at once.
min_code_version = 1

_INDEX = "ix_order_intents_order_id"
_HAS_NUMBER = sa.text("order_id IS NOT NULL")


def upgrade() -> None:
    op.add_column("order_intents", sa.Column("decision_json", sa.Text()))
    op.drop_index(_INDEX, "order_intents")
    op.create_index(
        _INDEX,
        "order_intents",
        ["order_id"],
        sqlite_where=_HAS_NUMBER,
        postgresql_where=_HAS_NUMBER,
    )


def downgrade() -> None:
    op.drop_index(_INDEX, "order_intents")
    op.create_index(_INDEX, "order_intents", ["order_id"])
    op.drop_column("order_intents", "decision_json")
