"""Keep who was let in by a one-time code, and the codes that wait to be used."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

phase = "expand"
# Older code does not notice: it knows the people of its settings.
min_code_version = 1


def upgrade() -> None:
    op.execute(
        "CREATE TABLE operators ("
        "scope TEXT NOT NULL, user_id BIGINT NOT NULL, name TEXT NOT NULL,"
        " level INTEGER NOT NULL, added_by TEXT NOT NULL, added_us BIGINT NOT NULL,"
        " CONSTRAINT pk_operators PRIMARY KEY (scope, user_id))"
    )
    op.execute(
        "CREATE TABLE pairing_codes ("
        "scope TEXT NOT NULL, digest TEXT NOT NULL, level INTEGER NOT NULL,"
        " made_by TEXT NOT NULL, made_us BIGINT NOT NULL, expires_us BIGINT NOT NULL,"
        " CONSTRAINT pk_pairing_codes PRIMARY KEY (scope, digest))"
    )


def downgrade() -> None:
    op.execute("DROP TABLE pairing_codes")
    op.execute("DROP TABLE operators")
