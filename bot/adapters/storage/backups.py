"""``BackupStore`` on SQLite and PostgreSQL."""

# ruff: noqa: S608 - every part of a statement is a constant or comes from the catalogue

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.adapters.storage import backup_files as files
from bot.adapters.storage.database import Database
from bot.adapters.storage.migrations import code_version, upgrade
from bot.adapters.storage.partitions import is_partition
from bot.domain.errors import ConfigurationFault, StorageUnavailable
from bot.kit.threads import in_thread
from bot.ports.backups import BackupContents, Manifest, OnAdvance

_ROWS_AT_ONCE = 2_000
_DUMP_TOOL = "pg_dump"
# A process without any environment still needs to find its libraries' programs.
_PATH = "/usr/local/bin:/usr/bin:/bin"


class SqlBackupStore:
    """Copies one open database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(
        self, path: Path, contents: BackupContents, created_us: int, on_advance: OnAdvance
    ) -> Manifest:
        """See ``BackupStore.write``."""
        left_out: tuple[str, ...] = ()
        if self._database.dialect == "sqlite":
            await self._copy(path, contents, on_advance)
        else:
            left_out = await self._export(path, contents, on_advance)
        dialect = self._database.dialect
        described = await in_thread(lambda: files.describe(path, contents, created_us, dialect))
        manifest = replace(described, left_out=left_out)
        await in_thread(lambda: files.write_manifest(path, manifest))
        return manifest

    async def verify(self, path: Path) -> Manifest:
        """See ``BackupStore.verify``."""
        return await in_thread(lambda: files.read_back(path))

    async def dump(self, path: Path) -> None:
        """See ``BackupStore.dump``. The password goes by the environment, never by an argument."""
        url = self._database.address.url
        tool = shutil.which(_DUMP_TOOL)
        if self._database.dialect != "postgresql" or tool is None:
            raise ConfigurationFault(
                ["backup --format pg_dump: needs PostgreSQL and pg_dump on the PATH"]
            )
        options = ["--format=custom", "--no-password", f"--file={path}", f"--dbname={url.database}"]
        options += [f"--host={url.host}"] if url.host else []
        options += [f"--port={url.port}"] if url.port else []
        options += [f"--username={url.username}"] if url.username else []
        process = await asyncio.create_subprocess_exec(
            tool,
            *options,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={"PGPASSWORD": url.password or "", "PATH": _PATH},
        )
        try:
            _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise StorageUnavailable(f"pg_dump: {said.decode(errors='replace').strip()[-500:]}")

    async def _copy(self, path: Path, contents: BackupContents, on_advance: OnAdvance) -> None:
        without = files.LEFT_OUT[contents]
        copy = partial(files.copy_without, without=without) if without else files.copy_whole
        source = self._database.address.path
        words = "copying tables" if without else "copying pages"
        await run_interruptibly(
            lambda stop, tell: copy(source, path, stop, tell),
            lambda done, total: on_advance(done, total, words),
        )

    async def _export(
        self, path: Path, contents: BackupContents, on_advance: OnAdvance
    ) -> tuple[str, ...]:
        """Read one snapshot of PostgreSQL into a new SQLite file of the same schema."""
        async with self._database.read() as reading:
            await reading.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            await reading.exec_driver_sql("SET LOCAL statement_timeout = 0")
            newest = await reading.scalar(text("SELECT max(version) FROM schema_version"))
            await _empty_schema(path, min(newest or 0, code_version()))
            known = await reading.run_sync(_writable_columns)
            with files.opened(path) as writing:
                return await _Export(reading, writing, known, contents, on_advance).run()


@dataclass(frozen=True, slots=True)
class _Export:
    """One export: from a snapshot of PostgreSQL into an empty schema in SQLite."""

    reading: AsyncConnection
    writing: sqlite3.Connection
    known: dict[str, list[str]]
    """The writable columns of each table of PostgreSQL."""
    contents: BackupContents
    on_advance: OnAdvance

    async def run(self) -> tuple[str, ...]:
        """Fill every table; returns what the file's schema has no place for."""
        tables = files.tables_of(self.writing)
        left_out = [name for name in self.known if name not in tables]
        # Only speed: an unfinished file is thrown away.
        self.writing.execute("PRAGMA synchronous = OFF")
        self.writing.execute("BEGIN")
        with files.without_triggers(self.writing):
            for number, table in enumerate(tables):
                self.on_advance(number, len(tables), table)
                left_out += await self._table(table)
        self.writing.execute("COMMIT")
        self.writing.execute("PRAGMA journal_mode = DELETE")
        return tuple(sorted(left_out))

    async def _table(self, table: str) -> list[str]:
        here = files.columns_of(self.writing, table)
        there = self.known.get(table, [])
        shared = [name for name in here if name in there]
        self.writing.execute(f'DELETE FROM "{table}"')
        if shared and not self._is_skipped(table):
            await self._rows(table, shared)
        await self._sequence(table)
        return [f"{table}.{name}" for name in there if name not in here]

    def _is_skipped(self, table: str) -> bool:
        return table in files.LEFT_OUT[self.contents]

    async def _rows(self, table: str, columns: list[str]) -> None:
        names = ", ".join(f'"{name}"' for name in columns)
        query = text(f'SELECT {names} FROM "{table}"')
        async with self.reading.stream(query) as result:
            async for rows in result.partitions(_ROWS_AT_ONCE):
                await in_thread(partial(files.fill, self.writing, table, columns, rows))

    async def _sequence(self, table: str) -> None:
        """Numbers already given must not come back, even if their rows are gone."""
        if "AUTOINCREMENT" not in _definition(self.writing, table):
            return
        sequence = await self.reading.scalar(
            text("SELECT pg_get_serial_sequence(:table, 'id')"), {"table": table}
        )
        if sequence is not None:
            last = await self.reading.scalar(
                text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}")
            )
            files.set_sequence(self.writing, table, last or 0)


async def run_interruptibly(
    work: Callable[[threading.Event, files.OnPages], None], on_pages: files.OnPages
) -> None:
    """Run blocking ``work`` in a thread; a cancellation tells it to end and waits for it."""
    stop = threading.Event()
    loop = asyncio.get_running_loop()

    def tell(done: int, total: int) -> None:
        loop.call_soon_threadsafe(on_pages, done, total)

    await in_thread(lambda: work(stop, tell), stop=stop)


async def _empty_schema(path: Path, version: int) -> None:
    database = await Database.open(f"sqlite:///{path}", sqlite_synchronous="NORMAL")
    try:
        async with database.begin() as connection:
            await connection.run_sync(upgrade, f"{version:04d}")
    finally:
        await database.close()


def _writable_columns(connection: Any) -> dict[str, list[str]]:
    inspector = inspect(connection)
    return {
        table: [
            column["name"] for column in inspector.get_columns(table) if "computed" not in column
        ]
        for table in inspector.get_table_names()
        if not is_partition(table)
    }


def _definition(connection: sqlite3.Connection, table: str) -> str:
    row = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    return str(row[0])
