"""Backup files as SQLite sees them: copying, filling, reading back. Everything here blocks.

A copy is taken through SQLite inside one read transaction; copying the file of
a live database with its log beside it loses or breaks it about every second time.
"""

# ruff: noqa: S608 - every part of a statement is a constant or comes from the catalogue

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from bot.domain.errors import BackupInvalid, StorageUnavailable
from bot.ports.backups import BackupContents, Manifest

OnPages: TypeAlias = Callable[[int, int], None]

BULK_TABLES = frozenset(
    {
        "market_snapshots",
        "snapshot_payloads",
        "snapshot_templates",
        "quarantine",
        "market_ticks",
        "book_snapshots",
        "book_deltas",
        "market_candles",
        "market_trades",
        # Its cursors say which candles and trades are there: without those they would lie.
        "ingest_state",
    }
)
"""What a core backup leaves out."""

LEFT_OUT: Mapping[BackupContents, frozenset[str]] = {
    BackupContents.FULL: frozenset(),
    BackupContents.USUAL: frozenset({"market_ticks", "book_snapshots", "book_deltas"}),
    BackupContents.CORE: BULK_TABLES,
}

_INFO = "backup_info"
_PAGES_AT_ONCE = 256
_BUSY_S = 10.0
_STEPS_BETWEEN_LOOKS = 100_000
"""Of SQLite's virtual machine: a few milliseconds."""


class Interrupted(Exception):
    """The caller no longer wants the copy."""


@contextmanager
def opened(path: Path, *, mode: str = "rw") -> Iterator[sqlite3.Connection]:
    """A connection that begins and ends transactions only when told to."""
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=_BUSY_S, check_same_thread=False
    )
    with closing(connection):
        yield connection


def copy_whole(source: Path, target: Path, stop: threading.Event, on_pages: OnPages) -> None:
    """Copy one moment of ``source``, which others may go on writing."""

    def advance(_status: int, remaining: int, total: int) -> None:
        on_pages(total - remaining, total)
        if stop.is_set():
            raise Interrupted

    with _faults(), opened(source) as reading, opened(target, mode="rwc") as writing:
        # Holding the moment keeps the copy from starting anew at every write of others.
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reading.backup(writing, pages=_PAGES_AT_ONCE, progress=advance, sleep=0.01)
        reading.execute("ROLLBACK")
        # One file, with nothing beside it.
        writing.execute("PRAGMA journal_mode = DELETE")


def copy_without(
    source: Path, target: Path, stop: threading.Event, on_pages: OnPages, *, without: frozenset[str]
) -> None:
    """Copy everything but the rows of some tables; the tables themselves stay."""
    with _faults(), opened(target, mode="rwc") as writing:
        # A large table is one statement: whoever ends must not wait for it.
        writing.set_progress_handler(stop.is_set, _STEPS_BETWEEN_LOOKS)
        writing.execute("ATTACH DATABASE ? AS live", (f"{source.resolve().as_uri()}?mode=rw",))
        writing.execute("BEGIN")
        objects = writing.execute(
            "SELECT type, name, sql FROM live.sqlite_master WHERE sql IS NOT NULL"
        ).fetchall()
        tables = [name for kind, name, _ in objects if kind == "table" and _is_ours(name)]
        for kind, name, sql in objects:
            if kind == "table" and _is_ours(name):
                writing.execute(sql)
        for number, name in enumerate(tables):
            on_pages(number, len(tables))
            if stop.is_set():
                raise Interrupted
            if name not in without:
                names = ", ".join(f'"{each}"' for each in columns_of(writing, name))
                writing.execute(
                    f'INSERT INTO main."{name}" ({names}) SELECT {names} FROM live."{name}"'
                )
        _copy_sequences(writing)
        for kind, _, sql in objects:
            if kind != "table":
                writing.execute(sql)
        writing.execute("COMMIT")


def columns_of(connection: sqlite3.Connection, table: str) -> list[str]:
    """The columns that can be written: not the computed ones."""
    rows = connection.execute(f'PRAGMA main.table_xinfo("{table}")').fetchall()
    return [row[1] for row in rows if row[6] == 0]


def tables_of(connection: sqlite3.Connection) -> list[str]:
    """The tables that carry data of ours, by name."""
    rows = connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")
    return sorted(name for (name,) in rows if _is_ours(name) and name != _INFO)


def counts_of(connection: sqlite3.Connection) -> dict[str, int]:
    """Rows of each table."""
    return {
        name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
        for name in tables_of(connection)
    }


@contextmanager
def without_triggers(connection: sqlite3.Connection) -> Iterator[None]:
    """Take the triggers away inside the open transaction and put them back."""
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall()
    for name, _ in triggers:
        connection.execute(f'DROP TRIGGER "{name}"')
    yield
    for _, sql in triggers:
        connection.execute(sql)


def fill(
    connection: sqlite3.Connection, table: str, columns: Sequence[str], rows: Sequence[Any]
) -> None:
    """Insert rows as they came from the other database."""
    names = ", ".join(f'"{each}"' for each in columns)
    marks = ", ".join("?" for _ in columns)
    connection.executemany(
        f'INSERT INTO "{table}" ({names}) VALUES ({marks})',
        rows,
    )


def set_sequence(connection: sqlite3.Connection, table: str, last: int) -> None:
    """Continue an AUTOINCREMENT table's numbers above ``last``."""
    connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
    connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))


def sequences_of(connection: sqlite3.Connection) -> dict[str, int]:
    """The last number given in each AUTOINCREMENT table, which may have been deleted since."""
    if not _has(connection, "sqlite_sequence"):
        return {}
    return dict(connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Put the manifest into the file."""
    facts = {
        "contents": manifest.contents.value,
        "dialect": manifest.dialect,
        "schema_version": manifest.schema_version,
        "created_us": manifest.created_us,
        "counts": dict(manifest.counts),
        "left_out": list(manifest.left_out),
    }
    with _faults(), opened(path) as connection:
        connection.execute(f"CREATE TABLE {_INFO} (manifest TEXT NOT NULL)")
        connection.execute(f"INSERT INTO {_INFO} VALUES (?)", (json.dumps(facts),))


def remove_manifest(path: Path) -> None:
    """Make a backup a database again."""
    with opened(path) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {_INFO}")


def describe(path: Path, contents: BackupContents, created_us: int, dialect: str) -> Manifest:
    """Count what a finished copy holds."""
    with _faults(), opened(path) as connection:
        return Manifest(
            contents=contents,
            dialect=dialect,
            schema_version=version_of(connection),
            created_us=created_us,
            counts=counts_of(connection),
        )


def read_back(path: Path) -> Manifest:
    """Read every page and row of a backup.

    Raises:
        BackupInvalid: it is damaged, no backup, or not what its manifest says.
    """
    try:
        with opened(path, mode="ro") as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            if found != ["ok"]:
                raise BackupInvalid(f"{path.name} is damaged: {found[0]}")
            return _checked(connection, path.name)
    except sqlite3.Error as fault:
        raise BackupInvalid(f"{path.name} is no readable SQLite database: {fault}") from fault


def version_of(connection: sqlite3.Connection) -> int:
    """The newest schema version, 0 without any."""
    if not _has(connection, "schema_version"):
        return 0
    version: int | None = connection.execute("SELECT max(version) FROM schema_version").fetchone()[
        0
    ]
    return version or 0


def _checked(connection: sqlite3.Connection, name: str) -> Manifest:
    version = version_of(connection)
    if version == 0:
        raise BackupInvalid(f"{name} is a SQLite file, but not of this bot")
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        raise BackupInvalid(f"{name}: a row of {broken[0]} refers to nothing")
    counts = counts_of(connection)
    stored = _stored_manifest(connection, name)
    if stored is None:
        return Manifest(
            contents=BackupContents.FULL,
            dialect="sqlite",
            schema_version=version,
            created_us=0,
            counts=counts,
        )
    if dict(stored.counts) != counts:
        wrong = min(set(stored.counts.items()) ^ set(counts.items()))[0]
        raise BackupInvalid(f"{name}: the rows of {wrong} are not as many as when it was made")
    return stored


def _stored_manifest(connection: sqlite3.Connection, name: str) -> Manifest | None:
    if not _has(connection, _INFO):
        return None
    try:
        text = connection.execute(f"SELECT manifest FROM {_INFO}").fetchone()[0]
        facts: Mapping[str, Any] = json.loads(text)
        return Manifest(
            contents=BackupContents(facts["contents"]),
            dialect=facts["dialect"],
            schema_version=facts["schema_version"],
            created_us=facts["created_us"],
            counts=facts["counts"],
            left_out=tuple(facts["left_out"]),
        )
    except (TypeError, KeyError, ValueError) as fault:
        raise BackupInvalid(f"{name}: its manifest cannot be read") from fault


def _copy_sequences(connection: sqlite3.Connection) -> None:
    if not connection.execute(
        "SELECT 1 FROM live.sqlite_master WHERE name = 'sqlite_sequence'"
    ).fetchone():
        return
    for table, last in connection.execute("SELECT name, seq FROM live.sqlite_sequence").fetchall():
        set_sequence(connection, table, last)


def _has(connection: sqlite3.Connection, table: str) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    return found is not None


def _is_ours(name: str) -> bool:
    return not name.startswith("sqlite_")


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as fault:
        raise StorageUnavailable(f"backup: {fault}") from fault
