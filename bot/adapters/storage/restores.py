"""``Restorer`` for a SQLite file and for a PostgreSQL database."""

# ruff: noqa: S608 - every part of a statement is a constant or comes from the catalogue

import os
import shutil
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.adapters.storage import backup_files as files
from bot.adapters.storage import ddl, tables, tables_stream
from bot.adapters.storage.backups import run_interruptibly
from bot.adapters.storage.database import Database
from bot.adapters.storage.migrations import SchemaState, check, code_version, migrate, upgrade
from bot.adapters.storage.partitions import is_partition, make_months_of, partitions_of
from bot.adapters.storage.post_restore import make_safe
from bot.adapters.storage.sql_terms import NOW_US
from bot.adapters.storage.urls import parse_address, sqlite_address
from bot.domain.errors import BackupInvalid, RestoreRefused, StorageUnavailable
from bot.kit.threads import in_thread
from bot.ports.backups import Manifest, OnAdvance, Restorer

_ROWS_AT_ONCE = 5_000
_LEADER = (
    "SELECT holder, scope, (expires_us - @now) / 1000000 AS seconds FROM leader_lease"
    " WHERE holder IS NOT NULL AND expires_us > @now"
)


def restorer_for(url: str) -> Restorer:
    """The restorer of an address; nothing is opened or created yet.

    Raises:
        ConfigurationFault: the address cannot be used.
    """
    address = parse_address(url)
    if address.dialect == "sqlite":
        return SqliteRestorer(address.path)
    return PostgresRestorer(url)


class SqliteRestorer:
    """Builds the new file beside the old one and changes them over in one step."""

    def __init__(self, target: Path) -> None:
        self._target = target

    async def verify(self, path: Path) -> Manifest:
        """See ``Restorer.verify``."""
        return await _verified(path)

    async def leader(self) -> str | None:
        """See ``Restorer.leader``. A file too damaged to ask names nobody."""
        return await in_thread(self._leader)

    async def replace(self, path: Path, stamp: str, on_advance: OnAdvance) -> str | None:
        """See ``Restorer.replace``."""
        self._target.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._target.with_name(f".{self._target.name}.restoring")
        _remove(fresh)
        try:
            await self._build(path, fresh, on_advance)
            return await in_thread(lambda: self._change_over(fresh, stamp))
        finally:
            _remove(fresh)

    async def _build(self, path: Path, fresh: Path, on_advance: OnAdvance) -> None:
        await run_interruptibly(
            lambda stop, tell: files.copy_whole(path, fresh, stop, tell),
            lambda done, total: on_advance(done, total, "copying pages"),
        )
        await in_thread(lambda: files.remove_manifest(fresh))
        database = await Database.open(str(sqlite_address(fresh)))
        try:
            await migrate(database)
            async with database.begin() as connection:
                await make_safe(connection, path.name)
        finally:
            await database.close()
        await in_thread(lambda: _fold_log(fresh))
        await in_thread(lambda: files.read_back(fresh))

    def _leader(self) -> str | None:
        if not self._target.is_file():
            return None
        try:
            with files.opened(self._target) as connection:
                row = connection.execute(_LEADER.replace("@now", NOW_US["sqlite"])).fetchone()
        except sqlite3.Error:
            return None
        return None if row is None else _leads(*row)

    def _change_over(self, fresh: Path, stamp: str) -> str | None:
        kept = self._set_aside(stamp)
        handle = os.open(fresh, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        fresh.replace(self._target)
        return None if kept is None else str(kept)

    def _set_aside(self, stamp: str) -> Path | None:
        """Keep the old file under another name, and leave no log that the new one would replay."""
        old = self._target
        kept = old.with_name(f"{old.stem}.replaced_{stamp}{old.suffix}")
        if old.is_file():
            _fold_log(old)
            # The old name stays in place until the new file takes it: there is always one.
            try:
                os.link(old, kept)
            except OSError:
                shutil.copy2(old, kept)
        for end in ("-wal", "-shm"):
            stale = old.with_name(old.name + end)
            if stale.exists():
                stale.replace(kept.with_name(kept.name + end))
        return kept if old.is_file() else None


class PostgresRestorer:
    """Moves the old tables into a schema of their own and fills new ones, in one transaction."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def verify(self, path: Path) -> Manifest:
        """See ``Restorer.verify``."""
        return await _verified(path)

    async def leader(self) -> str | None:
        """See ``Restorer.leader``."""
        database = await Database.open(self._url)
        try:
            async with database.read() as connection:
                if not await connection.run_sync(_has_schema):
                    return None
                query = text(_LEADER.replace("@now", NOW_US["postgresql"]))
                row = (await connection.execute(query)).first()
                return None if row is None else _leads(*row)
        finally:
            await database.close()

    async def replace(self, path: Path, stamp: str, on_advance: OnAdvance) -> str | None:
        """See ``Restorer.replace``."""
        manifest = await self.verify(path)
        database = await Database.open(self._url)
        try:
            kept = await self._prepare(database, stamp)
            async with database.begin() as connection:
                await connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                await connection.exec_driver_sql(
                    "SET LOCAL idle_in_transaction_session_timeout = 0"
                )
                if kept is not None:
                    await connection.run_sync(_move_away, kept)
                await connection.run_sync(upgrade, f"{manifest.schema_version:04d}")
                with files.opened(path, mode="ro") as source:
                    await _Import(connection, source, manifest, on_advance).run()
                await connection.run_sync(upgrade, "head")
                await make_safe(connection, path.name)
        finally:
            await database.close()
        return None if kept is None else f"schema {kept}"

    async def _prepare(self, database: Database, stamp: str) -> str | None:
        """The name of the schema the old tables go to, ``None`` in an empty database."""
        async with database.read() as connection:
            if not await connection.run_sync(_has_schema):
                return None
        if await check(database) is SchemaState.BEHIND:
            await migrate(database)
        if await check(database) is not SchemaState.CURRENT:
            raise RestoreRefused(
                "the database has a newer schema than this build; restore into an empty database"
            )
        return f"replaced_{stamp}"


class _Import:
    """One import: from a backup file into PostgreSQL's empty tables."""

    def __init__(
        self,
        connection: AsyncConnection,
        source: sqlite3.Connection,
        manifest: Manifest,
        on_advance: OnAdvance,
    ) -> None:
        self._connection = connection
        self._source = source
        self._manifest = manifest
        self._on_advance = on_advance

    async def run(self) -> None:
        """Fill every table with the fences down, then count."""
        names = [name for name in self._manifest.counts if name != "alembic_version"]
        done, total = 0, sum(self._manifest.counts.values())
        columns = await self._connection.run_sync(_columns)
        # The new tables are seen by nobody else until the commit.
        for name in names:
            self._on_advance(done, total, name)
            await self._say(f'ALTER TABLE "{name}" DISABLE TRIGGER USER')
            await self._say(f'DELETE FROM "{name}"')
            await self._make_months(name)
            await self._fill(name, columns[name])
            await self._count(name)
            await self._say(f'ALTER TABLE "{name}" ENABLE TRIGGER USER')
            done += self._manifest.counts[name]
        await self._sequences(columns)

    async def _make_months(self, table: str) -> None:
        """A past month has no partition in new tables."""
        column = tables_stream.PARTITIONED.get(table)
        if column is None:
            return
        span = self._source.execute(f'SELECT min({column}), max({column}) FROM "{table}"')
        first_us, last_us = span.fetchone()
        if first_us is not None:
            await self._connection.run_sync(make_months_of, table, first_us, last_us)

    async def _fill(self, table: str, there: dict[str, bool]) -> None:
        here = files.columns_of(self._source, table)
        columns = [name for name in here if name in there]
        flags = [place for place, name in enumerate(columns) if there[name]]
        names = ", ".join(f'"{name}"' for name in columns)
        cursor = self._source.execute(f'SELECT {names} FROM "{table}"')
        raw: Any = (await self._connection.get_raw_connection()).driver_connection
        while rows := await in_thread(partial(cursor.fetchmany, _ROWS_AT_ONCE)):
            await raw.copy_records_to_table(
                table, records=[_typed(row, flags) for row in rows], columns=columns, timeout=600
            )

    async def _count(self, table: str) -> None:
        found = await self._connection.scalar(text(f'SELECT count(*) FROM "{table}"'))
        if found != self._manifest.counts[table]:
            raise BackupInvalid(f"{table}: {found} rows arrived of {self._manifest.counts[table]}")

    async def _sequences(self, columns: dict[str, dict[str, bool]]) -> None:
        """Numbers go on above every one that was ever given."""
        given = files.sequences_of(self._source)
        for table, names in columns.items():
            for column in names:
                sequence = await self._connection.scalar(
                    text("SELECT pg_get_serial_sequence(:table, :column)"),
                    {"table": table, "column": column},
                )
                if sequence is not None:
                    await self._say(
                        f"SELECT setval('{sequence}', greatest({given.get(table, 0)},"
                        f' (SELECT max("{column}") FROM "{table}"), 1))'
                    )

    async def _say(self, statement: str) -> None:
        await self._connection.exec_driver_sql(statement)


async def _verified(path: Path) -> Manifest:
    manifest = await in_thread(lambda: files.read_back(path))
    if manifest.schema_version > code_version():
        raise BackupInvalid(
            f"{path.name} was made by a newer build (schema {manifest.schema_version},"
            f" this build has {code_version()})"
        )
    return manifest


def _has_schema(connection: Any) -> bool:
    found: bool = inspect(connection).has_table("schema_version")
    return found


def _columns(connection: Any) -> dict[str, dict[str, bool]]:
    """The writable columns of each table, and whether they are booleans."""
    inspector = inspect(connection)
    return {
        table: {
            column["name"]: isinstance(column["type"], Boolean)
            for column in inspector.get_columns(table)
            if "computed" not in column
        }
        for table in inspector.get_table_names()
        if not is_partition(table)
    }


def _move_away(connection: Any, schema: str) -> None:
    """Views, triggers and functions are made anew; tables keep their rows under another schema."""
    for statement in ddl.drop_statements("postgresql"):
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(f'CREATE SCHEMA "{schema}"')
    names = ["alembic_version", *tables.metadata.tables]
    # A partition does not go with its table.
    names += [
        part for table in tables_stream.PARTITIONED for part in partitions_of(connection, table)
    ]
    for name in names:
        connection.exec_driver_sql(f'ALTER TABLE "{name}" SET SCHEMA "{schema}"')


def _typed(row: tuple[Any, ...], flags: list[int]) -> tuple[Any, ...]:
    """SQLite keeps truth as a number."""
    if not flags:
        return row
    values = list(row)
    for place in flags:
        values[place] = None if values[place] is None else bool(values[place])
    return tuple(values)


def _leads(holder: str, scope: str, seconds: int) -> str:
    return f"{holder} leads {scope} (its lease ends in {seconds} s)"


def _fold_log(path: Path) -> None:
    """Bring the write-ahead log into the file. A damaged old database is kept as it is."""
    try:
        with files.opened(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.DatabaseError as fault:
        if isinstance(fault, sqlite3.OperationalError) and "locked" in str(fault):
            raise StorageUnavailable(f"{path.name} is in use") from fault


def _remove(path: Path) -> None:
    for end in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + end).unlink(missing_ok=True)
