"""Every table, view and trigger of the first release."""

from alembic import op
from bot.adapters.storage import ddl
from bot.adapters.storage.tables import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

phase = "expand"
min_code_version = 1


def upgrade() -> None:
    bind = op.get_bind()
    metadata.create_all(bind)
    for statement in ddl.create_statements(bind.dialect.name):
        bind.exec_driver_sql(statement)


def downgrade() -> None:
    bind = op.get_bind()
    for statement in ddl.drop_statements(bind.dialect.name):
        bind.exec_driver_sql(statement)
    metadata.drop_all(bind)
