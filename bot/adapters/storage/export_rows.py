"""Reads tables for an export: as many rows at a time as memory allows, in one moment's state.

It has connections of its own, without the deadlines of the bot's: a day of ticks
takes longer to read than any statement of the bot may. On PostgreSQL rows come
through a server-side cursor; on SQLite they are read by a thread, read-only.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pyarrow as pa  # type: ignore[import-untyped]  # it has no stubs
from sqlalchemy import Select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

from bot.adapters.storage.export_plan import ExportTable, Part, Span
from bot.adapters.storage.urls import Address
from bot.domain.errors import StorageUnavailable
from bot.kit.threads import in_thread

_FIRST = 1_024
_ROWS_MAX = 65_536
_BYTES = 16 * 1024 * 1024
"""Of one batch; the rows of the next follow from the last."""

_NAMED = {"application_name": "kalshi-bot export"}
_CONNECT_S = 10.0

_Rows = Sequence[Sequence[Any]]


class ExportReader:
    """Open with :func:`open_reader`."""

    def __init__(self, source: "_Sqlite | _Postgres") -> None:
        self._source = source

    async def parts(self, table: ExportTable, span: Span, series: str | None) -> list[Part]:
        """What there is of a table, by day."""
        found = [
            table.part_of(row)
            async for rows in self._source.rows(table.parts(span, series), lambda: _ROWS_MAX)
            for row in rows
        ]
        return [part for part in found if part.rows]

    async def batches(
        self, table: ExportTable, part: Part, series: str | None
    ) -> AsyncIterator[pa.RecordBatch]:
        """The rows of a part.

        Raises:
            StorageUnavailable: the database is away, or holds what its schema does not allow.
        """
        schema, pace = table.schema, _Pace()
        async for rows in self._source.rows(table.rows(part, series), pace):
            batch = _arrow(rows, schema, table.name)
            pace.learn(batch)
            yield batch


class _Pace:
    """How many rows are taken next: as many as fill a batch, if they are like the last ones."""

    def __init__(self) -> None:
        self._rows = _FIRST

    def __call__(self) -> int:
        return self._rows

    def learn(self, batch: pa.RecordBatch) -> None:
        each = max(1, batch.nbytes // batch.num_rows)
        self._rows = min(_ROWS_MAX, max(1, _BYTES // each))


@asynccontextmanager
async def open_reader(address: Address) -> AsyncIterator[ExportReader]:
    """A reader with a connection of its own.

    Raises:
        StorageUnavailable: nobody answers there.
    """
    if address.dialect == "sqlite":
        with _told():
            connection = sqlite3.connect(
                f"{address.path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False
            )
        try:
            yield ExportReader(_Sqlite(connection))
        finally:
            connection.close()
        return
    with _told():
        link = await asyncpg.connect(
            **address.asyncpg_words, server_settings=_NAMED, timeout=_CONNECT_S
        )
    try:
        with _told():
            await link.execute("SET statement_timeout = 0; SET timezone = 'UTC'")
        yield ExportReader(_Postgres(link))
    finally:
        await link.close()


class _Sqlite:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._dialect: Dialect = sqlite.dialect(paramstyle="qmark")

    async def rows(self, query: Select[Any], wanted: Callable[[], int]) -> AsyncIterator[_Rows]:
        text, values = _compiled(query, self._dialect)
        with _told():
            cursor = await in_thread(lambda: self._connection.execute(text, values))
            while rows := await in_thread(lambda: cursor.fetchmany(wanted())):
                yield rows


class _Postgres:
    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._dialect: Dialect = postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]

    async def rows(self, query: Select[Any], wanted: Callable[[], int]) -> AsyncIterator[_Rows]:
        text, values = _compiled(query, self._dialect)
        with _told():
            async with self._connection.transaction(isolation="repeatable_read", readonly=True):
                cursor = await self._connection.cursor(text, *values)
                while rows := await cursor.fetch(wanted()):
                    yield rows


def _compiled(query: Select[Any], dialect: Dialect) -> tuple[str, list[Any]]:
    compiled = query.compile(dialect=dialect)
    assert compiled.positiontup is not None
    return str(compiled), [compiled.params[name] for name in compiled.positiontup]


def _arrow(rows: _Rows, schema: pa.Schema, table: str) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    try:
        arrays = [
            _array(list(column), field) for column, field in zip(columns, schema, strict=True)
        ]
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as fault:
        raise StorageUnavailable(
            f"{table} holds what its schema does not allow: {fault}"
        ) from fault
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(values: list[Any], field: pa.Field) -> pa.Array:
    if pa.types.is_boolean(field.type):
        # SQLite has no truth values of its own.
        return pa.array([None if one is None else bool(one) for one in values], type=field.type)
    return pa.array(values, type=field.type)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as fault:
        raise StorageUnavailable(f"the database cannot be read: {fault}") from fault
