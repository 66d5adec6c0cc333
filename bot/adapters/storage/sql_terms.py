"""Small SQL terms in both dialects: the database's clock, readable times, dollars."""

from typing import Any

from sqlalchemy import BigInteger, Computed, Connection, DateTime, Insert, Numeric, Table, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement, FunctionElement, column
from sqlalchemy.types import TypeEngine

NOW_US = {
    # unixepoch('now', 'subsec') is NULL before SQLite 3.42.
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
    # now() would be the transaction's beginning, long past after a wait for a lock.
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)",
}

READABLE_TIME: TypeEngine[Any] = DateTime(timezone=True).with_variant(Text(), "sqlite")
DOLLARS: TypeEngine[Any] = Numeric(20, 6).with_variant(Numeric(20, 6, asdecimal=False), "sqlite")


def time_text(dialect: str, micros: str) -> str:
    """SQL of a readable UTC time made of a column of microseconds."""
    if dialect == "sqlite":
        return f"strftime('%Y-%m-%dT%H:%M:%fZ', {micros} / 1000000.0, 'unixepoch')"
    return f"to_timestamp({micros} / 1000000.0)"


def insert_ignoring(connection: AsyncConnection | Connection, table: Table) -> Insert:
    """An insert that leaves a row with the same key alone."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


class _ReadableTime(FunctionElement[Any]):
    """``time_text`` of one column, inside a table's definition."""

    inherit_cache = True
    type = BigInteger()


@compiles(_ReadableTime)
def _compile_time(element: _ReadableTime, compiler: Any, **words: Any) -> str:
    micros = ", ".join(compiler.process(each, **words) for each in element.clauses)
    return time_text(compiler.dialect.name, micros)


def readable_time(source: str) -> Computed:
    """A column that shows another's microseconds as a time. Computed, never written."""
    term: ColumnElement[Any] = column(source)
    return Computed(_ReadableTime(term), persisted=True)


def dollars(source: str) -> Computed:
    """A column that shows another's millionths as dollars. Computed, never written."""
    return Computed(f"{source} / 1000000.0", persisted=True)
