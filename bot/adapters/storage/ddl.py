"""What tables alone cannot say, in the order it must be said: partitions, triggers, views."""

from bot.adapters.storage import ddl_leadership
from bot.adapters.storage.partitions import default_partitions
from bot.adapters.storage.sql_terms import NOW_US
from bot.adapters.storage.triggers import FENCED, create_triggers, drop_triggers
from bot.adapters.storage.views import create_views, drop_views

# A row that an order waits for is written as it is, not compressed and moved away first.
_WHOLE_ROWS = "ALTER TABLE order_intents SET (toast_tuple_target = 8000)"

__all__ = ["FENCED", "NOW_US", "create_statements", "drop_statements"]


def create_statements(dialect: str) -> list[str]:
    """Statements to run once the tables exist."""
    parts = [*default_partitions(), _WHOLE_ROWS] if dialect == "postgresql" else []
    wanted = (*parts, *create_triggers(dialect), *ddl_leadership.create_statements(dialect))
    return [each.strip() for each in (*wanted, *create_views(dialect))]


def drop_statements(dialect: str) -> list[str]:
    """Undo :func:`create_statements`. Partitions hold rows: they stay, and go with their tables."""
    wanted = ddl_leadership.drop_statements(dialect)
    return [*drop_views(), *wanted, *drop_triggers(dialect)]
