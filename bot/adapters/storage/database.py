"""One database, two engines: transactions with the durability and deadlines the bot relies on.

SQLite has one writer at a time, so writes queue on a lock here and begin with
``BEGIN IMMEDIATE``: a transaction that reads first and writes later would fail
at once under another writer, whatever the busy timeout. Reads are read-only
snapshots on both engines. Nothing here retries; a write whose commit was lost
may have happened.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.adapters.storage.direct import PostgresDirect, SqliteDirect, Write
from bot.adapters.storage.faults import FAULTS, is_misconfigured, translated
from bot.adapters.storage.sessions import refuse_shared_sessions
from bot.adapters.storage.turns import SqliteTurns
from bot.adapters.storage.urls import Address, Dialect, parse_address
from bot.domain.errors import BotError, ConfigurationFault, StorageUnavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")
Synchronous = Literal["FULL", "NORMAL"]

_SQLITE_BUSY_MS = 5_000
_SQLITE_READERS = 4
_SQLITE_WRITER_CACHE_KIB = 16_384
_POSTGRES_POOL = 8
_POOL_WAIT_S = 10.0
_CONNECT_S = 5.0
_COMMAND_S = 10.0
_STARTUP = {"application_name": "kalshi-bot", "timezone": "UTC"}
# Set once connected: a session pooler refuses a start with settings it does not know.
_SESSION = (
    "SET statement_timeout = 9000; SET lock_timeout = 5000;"
    # A frozen process must not hold the fence's row locks for as long as it is frozen.
    " SET idle_in_transaction_session_timeout = 5000;"
    " SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
)


class Database:
    """Open with :meth:`open`, use :meth:`begin` and :meth:`read`, end with :meth:`close`."""

    def __init__(
        self,
        address: Address,
        writer: AsyncEngine,
        reader: AsyncEngine,
        direct: SqliteDirect | PostgresDirect,
        turns: SqliteTurns | None = None,
    ) -> None:
        self._address = address
        self._writer = writer
        self._reader = reader
        self._single = writer.execution_options(isolation_level="AUTOCOMMIT")
        self._turn = asyncio.Lock()
        self._owner: asyncio.Task[Any] | None = None
        self._direct: SqliteDirect | PostgresDirect = direct
        self._turns = turns

    @classmethod
    async def open(cls, url: str, *, sqlite_synchronous: Synchronous = "FULL") -> Self:
        """Connect once, so that a wrong address or an absent server is known now.

        Raises:
            ConfigurationFault: the address cannot be used.
            StorageUnavailable: nobody answers there.
        """
        address = parse_address(url)
        if address.dialect == "sqlite":
            _prepare_place(address.path)
            pragmas = _sqlite_pragmas(sqlite_synchronous)
            database = cls(
                address,
                _sqlite_engine(address, sqlite_synchronous, is_writer=True),
                _sqlite_engine(address, sqlite_synchronous, is_writer=False),
                SqliteDirect(address.path, pragmas),
                SqliteTurns(address.path, pragmas, sqlite_synchronous),
            )
        else:
            writer = _postgres_engine(address)
            reader = writer.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            database = cls(address, writer, reader, PostgresDirect(writer))
        async with AsyncExitStack() as undo:
            undo.push_async_callback(database.close)
            try:
                await database._look()
            except StorageUnavailable as fault:
                raise _unusable(address, fault) from fault
            undo.pop_all()
        return database

    async def _look(self) -> None:
        """Connect, and see that a connection is what the bot needs."""
        with _in_our_words():
            if self.dialect == "postgresql":
                await refuse_shared_sessions(self._writer)
            async with self.begin() as connection:
                await connection.exec_driver_sql("SELECT 1")

    @property
    def dialect(self) -> Dialect:
        """Which SQL this database speaks."""
        return self._address.dialect

    @property
    def address(self) -> Address:
        """Where it is; its text hides the password."""
        return self._address

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """One write transaction: committed at the end, rolled back on any exception.

        Refusals inside the block appear as themselves once they leave it. On
        SQLite a second write transaction inside the first is a bug and says so.

        Raises:
            StorageUnavailable: the database is away, or a commit's answer was lost.
            NotLeader: the fence refused the epoch.
            TradingHalted: the fence refused an entry.
        """
        with _in_our_words():
            if self.dialect == "postgresql":
                async with self._writer.begin() as connection:
                    yield connection
                return
            async with self._one_writer(), self._writer.begin() as connection:
                yield connection

    async def transact(self, work: Callable[[Connection], T], *, is_synced: bool = True) -> T:
        """One write transaction of work that awaits nothing in between: orders wait less for it.

        On SQLite a power cut, not a killed process, may undo one that is not ``is_synced``,
        and everything not synced behind it, but nothing before it. Raises as :meth:`begin` does.
        """
        with _in_our_words():
            if self._turns is None:
                async with self._writer.begin() as connection:
                    return await connection.run_sync(work)
            async with self._one_writer():
                return await self._turns.run(work, is_synced=is_synced)

    @asynccontextmanager
    async def single(self) -> AsyncIterator[AsyncConnection]:
        """For one write statement that is a transaction by itself.

        On PostgreSQL that is a single round trip. Raises as :meth:`begin` does.
        """
        if self.dialect == "sqlite":
            async with self.begin() as connection:
                yield connection
            return
        with _in_our_words():
            async with self._single.connect() as connection:
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One read-only transaction that sees a single moment.

        Raises:
            StorageUnavailable: the database is away.
        """
        with _in_our_words():
            async with self._reader.connect() as connection, connection.begin():
                yield connection

    @asynccontextmanager
    async def peek(self) -> AsyncIterator[AsyncConnection]:
        """For one read statement, which needs no transaction around it.

        On PostgreSQL that is a single round trip. Raises as :meth:`read` does.
        """
        if self.dialect == "sqlite":
            async with self.read() as connection:
                yield connection
            return
        with _in_our_words():
            async with self._single.connect() as connection:
                yield connection

    async def write(self, writes: Sequence[Write]) -> None:
        """One write transaction of ready statements, as fast as the driver allows.

        On PostgreSQL no two may concern the same table.

        Raises:
            StorageUnavailable, NotLeader, TradingHalted: as ``begin`` says.
        """
        # Written out, without the context managers of the other ways: an order waits here.
        try:
            if isinstance(self._direct, PostgresDirect):
                await self._direct.write(writes)
                return
            self._refuse_nested()
            async with self._turn:
                await self._direct.write(writes)
        except FAULTS as fault:
            said = translated(fault)
            if said is None:
                raise
            raise said from fault

    @property
    def is_prepared(self) -> bool:
        """Whether a :meth:`write` would find its connection there."""
        return self._direct.is_connected

    async def prepare_writes(self) -> None:
        """Be ready for the first :meth:`write`, so that no order has to wait for that.

        What cannot be done is logged: it costs time and no more.
        """
        try:
            async with self._turn:
                await self._direct.prepare()
        except FAULTS as fault:
            logger.warning("the first orders will be slower", extra={"reason": str(fault)})

    @asynccontextmanager
    async def listening(self, channel: str, heard: Callable[[str], None]) -> AsyncIterator[None]:
        """Call ``heard`` with each payload notified on ``channel`` inside the block.

        Uses a connection of its own. On SQLite nothing is ever heard, and on
        PostgreSQL a broken connection goes unnoticed: a hint, never a guarantee.
        """
        if self.dialect == "sqlite":
            yield
            return

        def callback(_connection: object, _pid: int, _channel: str, payload: str) -> None:
            heard(payload)

        with _in_our_words():
            async with self._writer.connect() as connection:
                raw = await connection.get_raw_connection()
                driver: Any = raw.driver_connection
                await driver.add_listener(channel, callback)
                try:
                    yield
                finally:
                    if not driver.is_closed():
                        await driver.remove_listener(channel, callback)

    async def close(self) -> None:
        """Close every connection. The object cannot be used afterwards."""
        await self._direct.close()
        if self._turns is not None:
            await self._turns.close()
        await self._reader.dispose()
        await self._writer.dispose()

    def _refuse_nested(self) -> None:
        if self._owner is not None and self._owner is asyncio.current_task():
            raise RuntimeError("a write transaction is already open in this task")

    @asynccontextmanager
    async def _one_writer(self) -> AsyncIterator[None]:
        self._refuse_nested()
        async with self._turn:
            self._owner = asyncio.current_task()
            try:
                yield
            finally:
                self._owner = None


def _unusable(address: Address, fault: StorageUnavailable) -> BotError:
    where = address.url.set(query={}).render_as_string(hide_password=True)
    if is_misconfigured(fault.__cause__):
        told = f"database.url: cannot use {where}: {fault}; correct DATABASE_URL"
        return ConfigurationFault([told])
    return StorageUnavailable(
        f"cannot use the database {where}: {fault}; check DATABASE_URL and that the database is up"
    )


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except FAULTS as fault:
        said = translated(fault)
        if said is None:
            raise
        raise said from fault


def _prepare_place(path: Path) -> None:
    """Make the directory of a SQLite file, and see that the file can be used.

    Raises:
        ConfigurationFault: the place is wrong, which waiting would not mend.
    """
    wrong = f"database.url: cannot use the SQLite file {path}: "
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        told = f"{wrong}{fault.strerror or fault}; correct DATABASE_URL"
        raise ConfigurationFault([told]) from fault
    if path.is_dir():
        raise ConfigurationFault([f"{wrong}it is a directory; add the file's name to DATABASE_URL"])
    # The log and its index are made beside the file.
    if not all(os.access(each, os.W_OK) for each in (path, path.parent) if each.exists()):
        raise ConfigurationFault([f"{wrong}it or its directory is not writable by this user"])


def _sqlite_pragmas(synchronous: Synchronous) -> tuple[str, ...]:
    return (
        f"busy_timeout = {_SQLITE_BUSY_MS}",
        "journal_mode = WAL",
        f"synchronous = {synchronous}",
        "foreign_keys = ON",
    )


def _sqlite_engine(address: Address, synchronous: Synchronous, *, is_writer: bool) -> AsyncEngine:
    engine = create_async_engine(
        address.url,
        pool_size=1 if is_writer else _SQLITE_READERS,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_S,
        connect_args={"timeout": _SQLITE_BUSY_MS / 1_000},
    )
    begin = "BEGIN IMMEDIATE" if is_writer else "BEGIN"

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # The driver's own BEGIN would be a deferred one; we say when and how.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _sqlite_pragmas(synchronous):
            cursor.execute(f"PRAGMA {pragma}")
        if is_writer:
            # A page of snapshots touches eight indexes all over; 2 MB would read them anew.
            cursor.execute(f"PRAGMA cache_size = -{_SQLITE_WRITER_CACHE_KIB}")
        else:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "invalidate")
    def roll_back(connection: Any, _record: object, _fault: object) -> None:
        # Who was cancelled in the middle of a statement leaves its cursor open. Closed like that,
        # the file stays locked until the cursor is collected, however long that takes.
        connection.run_async(lambda driver: asyncio.shield(driver.rollback()))

    @event.listens_for(engine.sync_engine, "begin")
    def begin_transaction(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _postgres_engine(address: Address) -> AsyncEngine:
    engine = create_async_engine(
        address.url,
        pool_size=_POSTGRES_POOL,
        max_overflow=_POSTGRES_POOL,
        pool_timeout=_POOL_WAIT_S,
        pool_recycle=1_800,
        connect_args={
            "timeout": _CONNECT_S,
            "command_timeout": _COMMAND_S,
            "server_settings": _STARTUP,
        },
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.run_async(lambda driver: driver.execute(_SESSION))

    @event.listens_for(engine.sync_engine, "invalidate")
    def end_at_once(connection: Any, _record: object, _fault: object) -> None:
        # The library would say good-bye first, and wait seconds where the network swallows
        # everything: too long for a task that is cancelled because the lead is lost.
        connection.driver_connection.terminate()

    return engine
