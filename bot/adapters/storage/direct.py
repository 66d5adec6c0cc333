"""Writes the driver is given as they are: what an order waits for pays for no more than the write.

A transaction of ready statements, in one turn of a thread of its own on SQLite and in one
round trip on PostgreSQL. Statements are compiled once for each shape of a row.
"""

import asyncio
import re
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import Dialect as SqlDialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.dml import UpdateBase

from bot.adapters.storage.urls import Dialect
from bot.kit.threads import in_thread

_DIALECTS: Mapping[Dialect, SqlDialect] = {
    "sqlite": sqlite.dialect(),
    "postgresql": PGDialect_asyncpg(),  # type: ignore[no-untyped-call]
}
_PARAMETER = re.compile(r"\$(\d+)")
_STATEMENTS_KEPT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One write of one row, as the driver takes it."""

    table: str
    text: str
    names: tuple[str, ...]
    """The columns whose values it takes, in the order of its parameters."""


@dataclass(frozen=True, slots=True)
class Write:
    """A statement with its row."""

    statement: Statement
    row: Mapping[str, object]

    def values(self) -> tuple[object, ...]:
        """The parameters."""
        return tuple([self.row[name] for name in self.statement.names])


def statement_of(
    table: str, change: UpdateBase, columns: Sequence[str], dialect: Dialect
) -> Statement:
    """Compile a change of one row; ``columns`` are the parameters it takes."""
    compiled = change.compile(dialect=_DIALECTS[dialect], column_keys=list(columns))
    names = getattr(compiled, "positiontup", None)
    assert names is not None, "both drivers take their parameters by position"
    return Statement(table=table, text=str(compiled), names=tuple(names))


class SqliteDirect:
    """One connection and one thread; the caller sees to it that one write runs at a time."""

    def __init__(self, path: Path, pragmas: Sequence[str]) -> None:
        self._path = path
        self._pragmas = pragmas
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite-direct")
        self._connection: sqlite3.Connection | None = None

    async def write(self, writes: Sequence[Write]) -> None:
        """All of them in one transaction.

        Raises:
            sqlite3.Error: the driver's word; nothing is written, but for a commit that was lost.
        """
        await in_thread(lambda: self._write(writes), pool=self._thread)

    async def close(self) -> None:
        """Close the connection and end the thread."""
        await in_thread(self._close, pool=self._thread)
        self._thread.shutdown(wait=False)

    def _write(self, writes: Sequence[Write]) -> None:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            for write in writes:
                connection.execute(write.statement.text, write.values())
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS_KEPT,
        )
        for pragma in self._pragmas:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class PostgresDirect:
    """One connection of its own out of the pool, kept; a doubtful one is dropped."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._held: AsyncConnection | None = None
        self._turn = asyncio.Lock()
        self._texts: dict[tuple[str, ...], str] = {}

    async def write(self, writes: Sequence[Write]) -> None:
        """All of them in one statement, so in one round trip. Their tables must differ.

        Raises:
            asyncpg.PostgresError: the server's word; nothing is written.
            asyncpg.InterfaceError, OSError, TimeoutError: the connection's; it may be.
        """
        values = [value for write in writes for value in write.values()]
        async with self._turn:
            driver = await self._driver()
            try:
                await driver.execute(self._text(writes), *values)
            except asyncpg.PostgresError:
                raise  # it answered: the connection is sound
            except BaseException:
                await self._drop()
                raise

    async def close(self) -> None:
        """Give the connection back."""
        held, self._held = self._held, None
        if held is not None:
            await held.close()

    async def _driver(self) -> Any:
        if self._held is not None:
            driver = (await self._held.get_raw_connection()).driver_connection
            if driver is not None and not driver.is_closed():
                return driver
            await self._drop()
        self._held = await self._engine.connect()
        return (await self._held.get_raw_connection()).driver_connection

    async def _drop(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            await held.invalidate()
            await held.close()

    def _text(self, writes: Sequence[Write]) -> str:
        shape = tuple([write.statement.text for write in writes])
        if shape not in self._texts:
            self._texts[shape] = _together([write.statement for write in writes])
        return self._texts[shape]


def are_apart(writes: Sequence[Write]) -> bool:
    """Whether no two concern the same table, so that one statement may hold them all."""
    return len({write.statement.table for write in writes}) == len(writes)


def _together(statements: Sequence[Statement]) -> str:
    """One statement of several: all but the last as ``WITH`` queries, parameters numbered on."""
    texts: list[str] = []
    taken = 0
    for statement in statements:
        texts.append(_shifted(statement.text, taken))
        taken += len(statement.names)
    *before, last = texts
    parts = ", ".join(f"w{number} AS ({text})" for number, text in enumerate(before))
    return f"WITH {parts} {last}" if parts else last


def _shifted(text: str, taken: int) -> str:
    return _PARAMETER.sub(lambda found: f"${int(found[1]) + taken}", text)
