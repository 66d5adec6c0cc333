"""What happened to each entry that a person was asked about."""

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# expand: code of the revision before still works on the result. contract: it does not.
phase = "expand"
# The oldest schema version whose code works on the result.
min_code_version = 1

_SQL = Path(__file__).resolve().parents[1] / "sql"


def upgrade() -> None:
    _run(0)


def downgrade() -> None:
    _run(1)


def _run(part: int) -> None:
    connection = op.get_bind()
    text = (_SQL / f"{revision}_{connection.dialect.name}.sql").read_text(encoding="utf-8")
    for statement in text.split("\n-- down\n")[part].split("\n-- next\n"):
        connection.exec_driver_sql(statement)
