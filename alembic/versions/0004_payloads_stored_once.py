"""Payloads of snapshots are stored once, in two parts; the view ``snapshots`` shows them whole.

Code of the revision before goes on writing ``payload_json`` and leaves ``payload_id``
empty; the view reads both kinds of rows.
"""

import sqlalchemy as sa

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# expand: code of the revision before still works on the result. contract: it does not.
phase = "expand"
# The oldest schema version whose code works on the result.
min_code_version = 1

_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")

_COLUMNS = """
CREATE VIEW snapshots AS
SELECT m.id, m.market_id, m.snapshot_hour_utc, m.created_at_utc, m.event_ticker, m.series_ticker,
  m.macro_event_type, m.probability_bucket, m.yes_bid_e4, m.yes_ask_e4, m.volume_24h_e2,
  m.open_interest_e2, m.close_us,
  CASE WHEN m.payload_id IS NULL THEN m.payload_json ELSE (
    SELECT """

_TABLES = """
  ) END AS payload_json
FROM market_snapshots m
LEFT JOIN snapshot_payloads p ON p.payload_id = m.payload_id
LEFT JOIN snapshot_templates t ON t.template_id = p.template_id"""

_JOINED = {
    "sqlite": """group_concat(part, '') FROM (
      SELECT a.value || coalesce(b.value, '') AS part
      FROM json_each('[' || replace(json_quote(t.body), char(127), '","') || ']') a
      LEFT JOIN json_each('[' || replace(json_quote(p.held), char(127), '","') || ']') b
        ON b.key = a.key ORDER BY a.key)""",
    "postgresql": """string_agg(a.part || coalesce(b.held, ''), '' ORDER BY a.place)
    FROM unnest(string_to_array(t.body, chr(127))) WITH ORDINALITY AS a(part, place)
    LEFT JOIN unnest(string_to_array(p.held, chr(127))) WITH ORDINALITY AS b(held, place)
      ON b.place = a.place""",
}

_WHOLE_AGAIN = """
UPDATE market_snapshots SET payload_json =
  (SELECT s.payload_json FROM snapshots s WHERE s.id = market_snapshots.id)
WHERE payload_id IS NOT NULL"""


def upgrade() -> None:
    op.create_table(
        "snapshot_templates",
        sa.Column("template_id", _ROW_ID, primary_key=True, autoincrement=True),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("template_id", name="pk_snapshot_templates"),
        sa.UniqueConstraint("digest", name="uq_snapshot_templates_digest"),
    )
    op.create_table(
        "snapshot_payloads",
        sa.Column("payload_id", _ROW_ID, primary_key=True, autoincrement=True),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("template_id", sa.BigInteger, nullable=False),
        sa.Column("held", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("payload_id", name="pk_snapshot_payloads"),
        sa.UniqueConstraint("digest", name="uq_snapshot_payloads_digest"),
    )
    op.create_index("ix_snapshot_payloads_template_id", "snapshot_payloads", ["template_id"])
    op.add_column("market_snapshots", sa.Column("payload_id", sa.BigInteger))
    op.create_index("ix_market_snapshots_payload_id", "market_snapshots", ["payload_id"])
    view = _COLUMNS + _JOINED[op.get_bind().dialect.name] + _TABLES
    op.get_bind().exec_driver_sql(view)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(_WHOLE_AGAIN)
    op.get_bind().exec_driver_sql("DROP VIEW snapshots")
    op.drop_index("ix_market_snapshots_payload_id", "market_snapshots")
    op.drop_column("market_snapshots", "payload_id")
    op.drop_table("snapshot_payloads")
    op.drop_table("snapshot_templates")
