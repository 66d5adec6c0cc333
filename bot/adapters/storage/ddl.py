"""What tables alone cannot say, in the order it must be said: triggers, then views."""

from bot.adapters.storage import ddl_leadership
from bot.adapters.storage.sql_terms import NOW_US
from bot.adapters.storage.triggers import FENCED, create_triggers, drop_triggers
from bot.adapters.storage.views import create_views, drop_views

__all__ = ["FENCED", "NOW_US", "create_statements", "drop_statements"]


def create_statements(dialect: str) -> list[str]:
    """Statements to run once the tables exist."""
    wanted = ddl_leadership.create_statements(dialect)
    return [each.strip() for each in (*create_triggers(dialect), *wanted, *create_views(dialect))]


def drop_statements(dialect: str) -> list[str]:
    """Undo :func:`create_statements`."""
    wanted = ddl_leadership.drop_statements(dialect)
    return [*drop_views(), *wanted, *drop_triggers(dialect)]
