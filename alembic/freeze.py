"""Writes the first revision's SQL from the tables, the triggers and the views.

    python alembic/freeze.py

Only until the first release: from then on a change of the schema is a revision
of its own, and these files stay as they are.
"""

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(_HERE.parent))

from sqlalchemy import Dialect  # noqa: E402 - after the path to the package
from sqlalchemy.dialects import postgresql, sqlite  # noqa: E402
from sqlalchemy.schema import CreateIndex, CreateTable  # noqa: E402

from bot.adapters.storage import ddl  # noqa: E402
from bot.adapters.storage.tables import metadata  # noqa: E402

_DIALECTS: dict[str, Dialect] = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect()}
_NEXT = "\n-- next\n"


def main() -> None:
    """Write one file for each dialect: what to make, and after ``-- down`` what to remove."""
    for name, dialect in _DIALECTS.items():
        up = [*_table_statements(dialect), *ddl.create_statements(name)]
        tables = [f"DROP TABLE {table.name}" for table in reversed(metadata.sorted_tables)]
        down = [*ddl.drop_statements(name), *tables]
        text = _NEXT.join(up) + "\n-- down\n" + _NEXT.join(down) + "\n"
        (_HERE / "sql" / f"0001_{name}.sql").write_text(text, encoding="utf-8")


def _table_statements(dialect: Dialect) -> list[str]:
    statements = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements += [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]
    return ["\n".join(line.rstrip() for line in each.strip().splitlines()) for each in statements]


if __name__ == "__main__":
    main()
