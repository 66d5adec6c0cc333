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
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, TypeAlias

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import Dialect as SqlDialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.dml import UpdateBase

from bot.adapters.storage.log_room import ORDER_CHECKPOINT_PAGES, make_room
from bot.adapters.storage.urls import Dialect

_DIALECTS: Mapping[Dialect, SqlDialect] = {
    "sqlite": sqlite.dialect(),
    "postgresql": PGDialect_asyncpg(),  # type: ignore[no-untyped-call]
}
_PARAMETER = re.compile(r"\$(\d+)")
_STATEMENTS_KEPT = 256
_Job: TypeAlias = tuple[Callable[[], None], "asyncio.Future[None]"]
"""Work for the thread, and who waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One write of one row, as the driver takes it."""

    table: str
    text: str
    names: tuple[str, ...]
    """The columns whose values it takes, in the order of its parameters."""


class Write(NamedTuple):
    """A statement with its parameters."""

    statement: Statement
    values: tuple[object, ...]


def write_of(statement: Statement, row: Mapping[str, object]) -> Write:
    """The write of a row."""
    return Write(statement, tuple([row[name] for name in statement.names]))


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
            await self._submit(partial(self._write, writes))
        except asyncio.CancelledError:
            # Whoever writes next must not meet a transaction that is still under way.
            await self._submit(_nothing)
            raise

    @property
    def is_connected(self) -> bool:
        """Whether the connection is there."""
        return self._connection is not None

    async def prepare(self) -> None:
        """Be ready for the first write.

        Raises:
            sqlite3.Error: the driver's word; writing may work all the same.
        """
        await self._submit(self._prepare)

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
        done = asyncio.get_running_loop().create_future()
        self._jobs.put((work, done))
        return done

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, done = job
            fault: Exception | None = None
            try:
                work()
            except Exception as error:  # noqa: BLE001 - it is raised where the work is awaited
                fault = error
            # A loop that has been closed has nobody left who waits.
            with contextlib.suppress(RuntimeError):
                done.get_loop().call_soon_threadsafe(_settle, done, fault)

    def _write(self, writes: Sequence[Write]) -> None:
        connection = self._connected()
        try:
            if len(writes) == 1:  # a transaction by itself, with as much patience for the lock
                connection.execute(writes[0].statement.text, writes[0].values)
                return
            connection.execute("BEGIN IMMEDIATE")
            for statement, values in writes:
                connection.execute(statement.text, values)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _prepare(self) -> None:
        make_room(self._connected(), self._path)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS_KEPT,
        )
        for pragma in (*self._pragmas, f"wal_autocheckpoint = {ORDER_CHECKPOINT_PAGES}"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _settle(done: "asyncio.Future[None]", fault: Exception | None) -> None:
    """On the loop: tell whoever still waits."""
    if done.done():
        return
    if fault is None:
        done.set_result(None)
    else:
        done.set_exception(fault)


def _nothing() -> None:
    """A job that is done once everything before it is."""


class PostgresDirect:
    """One connection of its own out of the pool, kept; a doubtful one is dropped."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._held: AsyncConnection | None = None
        self._driver: Any = None
        """That of ``_held``: asking for it anew costs as much as a short statement."""
        self._turn = asyncio.Lock()
        self._texts: dict[tuple[str, ...], str] = {}

    async def write(self, writes: Sequence[Write]) -> None:
        """All of them in one statement, so in one round trip. Their tables must differ.

        Raises:
            asyncpg.PostgresError: the server's word; nothing is written.
            asyncpg.InterfaceError, OSError, TimeoutError: the connection's; it may be.
        """
        values = [value for write in writes for value in write.values]
        async with self._turn:
            driver = await self._connected()
            try:
                await driver.execute(self._text(writes), *values)
            except asyncpg.PostgresError:
                raise  # it answered: the connection is sound
            except GeneratorExit:
                driver.terminate()  # given up where nothing can be awaited; dropped by the next
                raise
            except BaseException:
                await self._drop()
                raise

    @property
    def is_connected(self) -> bool:
        """Whether the connection is there."""
        return self._driver is not None and not self._driver.is_closed()

    async def prepare(self) -> None:
        """Be ready for the first write. Raises as :meth:`write` does."""
        async with self._turn:
            await self._connected()

    async def close(self) -> None:
        """Give the connection back."""
        held, self._held, self._driver = self._held, None, None
        if held is not None:
            await held.close()

    async def _connected(self) -> Any:
        if self.is_connected:
            return self._driver
        if self._held is not None:
            await self._drop()
        self._held = await self._engine.connect()
        self._driver = (await self._held.get_raw_connection()).driver_connection
        return self._driver

    async def _drop(self) -> None:
        held, self._held, self._driver = self._held, None, None
        if held is not None:
            await held.invalidate()
            await held.close()

    def _text(self, writes: Sequence[Write]) -> str:
        if len(writes) == 1:
            return writes[0].statement.text
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
