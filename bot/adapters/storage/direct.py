"""Writes the driver is given as they are: what an order waits for pays for no more than the write.

A transaction of ready statements, in one turn of a thread of its own on SQLite and in one
round trip on PostgreSQL. Statements are compiled once for each shape of a row.
"""

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import Dialect as SqlDialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.dml import UpdateBase

from bot.adapters.storage.urls import Dialect

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
    """One connection and one thread; the caller sees to it that one write runs at a time.

    The thread is our own, because a pool's hand-over costs as much as the write without its sync.
    """

    def __init__(self, path: Path, pragmas: Sequence[str]) -> None:
        self._path = path
        self._pragmas = pragmas
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._connection: sqlite3.Connection | None = None

    async def write(self, writes: Sequence[Write]) -> None:
        """All of them in one transaction.

        Raises:
            sqlite3.Error: the driver's word; nothing is written, but for a commit that was lost.
        """
        try:
            await self._submit(lambda: self._write(writes))
        except asyncio.CancelledError:
            # Whoever writes next must not meet a transaction that is still under way.
            await self._submit(_nothing)
            raise

    async def close(self) -> None:
        """Close the connection and end the thread."""
        if self._thread is not None:
            await self._submit(self._close)
            self._jobs.put(None)
            self._thread = None

    def _submit(self, work: Callable[[], None]) -> "asyncio.Future[None]":
        if self._thread is None:
            self._thread = Thread(target=self._run, name="sqlite-direct", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._jobs.put(_Job(work, loop, done))
        return done

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            fault: Exception | None = None
            try:
                job.work()
            except Exception as error:  # noqa: BLE001 - it is raised where the work is awaited
                fault = error
            # A loop that has been closed has nobody left who waits.
            with contextlib.suppress(RuntimeError):
                job.loop.call_soon_threadsafe(job.settle, fault)

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


@dataclass(frozen=True, slots=True)
class _Job:
    """Work for the thread, and who waits for it."""

    work: Callable[[], None]
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[None]"

    def settle(self, fault: Exception | None) -> None:
        """On the loop: tell whoever still waits."""
        if self.done.done():
            return
        if fault is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(fault)


def _nothing() -> None:
    """A job that is done once everything before it is."""


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
