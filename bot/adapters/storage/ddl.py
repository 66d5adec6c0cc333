"""What tables alone cannot say: fences, the rules of ``is_active``, and views for people."""

NOW_US = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
    "postgresql": "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
}


def create_statements(dialect: str) -> list[str]:
    """In the order they must run."""
    return []


def drop_statements(dialect: str) -> list[str]:
    """Undo :func:`create_statements`."""
    return []
