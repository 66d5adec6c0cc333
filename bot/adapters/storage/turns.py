"""Whole transactions on SQLite in one turn of a thread.

Through the asynchronous driver every statement is a turn of its own, and an order
that has to be stored waits for all of them: a chat's command held the writer for
2.4 ms, of which the file needed a fraction.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

T = TypeVar("T")


class SqliteTurns:
    """One connection and one thread; the caller sees to it that one transaction runs at a time."""

    def __init__(self, path: Path, pragmas: Sequence[str], synchronous: str) -> None:
        self._path = path
        self._pragmas = pragmas
        self._synchronous = synchronous
        self._thread: ThreadPoolExecutor | None = None
        self._engine: Engine | None = None

    async def run(self, work: Callable[[Connection], T], *, is_synced: bool) -> T:
        """One transaction; without ``is_synced`` a power cut may undo it, a killed process not.

        Raises:
            SQLAlchemyError: as the engine does; nothing is written, but for a commit that was lost.
        """
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-turns")
        loop = asyncio.get_running_loop()
        done = loop.run_in_executor(self._thread, self._transact, work, is_synced)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            # Whoever writes next must not meet a transaction that is still under way.
            await asyncio.wait([done])
            raise

    async def close(self) -> None:
        """Close the connection and end the thread."""
        if self._thread is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._dispose)
            self._thread.shutdown(wait=False)
            self._thread = None

    def _transact(self, work: Callable[[Connection], T], is_synced: bool) -> T:
        if self._engine is None:
            self._engine = self._open()
        with self._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            # Only between transactions.
            mode = self._synchronous if is_synced else "NORMAL"
            driver.execute(f"PRAGMA synchronous = {mode}")
            with connection.begin():
                return work(connection)

    def _open(self) -> Engine:
        engine = create_engine(
            f"sqlite:///{self._path}",
            poolclass=StaticPool,
            connect_args={"check_same_thread": False},
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: object) -> None:
            # The driver's own BEGIN would be a deferred one; we say when and how.
            connection.isolation_level = None
            for pragma in self._pragmas:
                connection.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "begin")
        def begin_transaction(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        return engine

    def _dispose(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
