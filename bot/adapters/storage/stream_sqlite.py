"""``StreamStore`` on SQLite: ``executemany`` over a connection of its own.

Its calls block, so it lives on the loop of a thread of its own. A commit survives the
end of the process, not that of the machine: the last seconds of market data are not
worth a sync of the disk that an order would have to wait for.
"""

# ruff: noqa: S608 - every part of a statement is a constant or a name of the schema

import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from bot.adapters.storage.faults import translated
from bot.adapters.storage.stream_numbers import MarketNumbers
from bot.adapters.storage.stream_rows import (
    CHANGES,
    TICKS,
    Row,
    RowShape,
    change_values,
    gap_of,
    gap_row,
    lifecycle_row,
    start_row,
    storable,
    tick_values,
    trade_rows,
)
from bot.domain.errors import StorageUnavailable
from bot.ports.stream import StreamBatch, StreamGap

_BUSY_MS = 5_000
_PRAGMAS = (
    f"busy_timeout = {_BUSY_MS}",
    "journal_mode = WAL",
    "synchronous = NORMAL",
    "foreign_keys = ON",
)
_ASKED_AT_ONCE = 500
_ROWS_IN_ONE = 50
"""Times the columns this stays below the parameters that any SQLite takes (999)."""

_NUMBER = "INSERT INTO market_numbers (ticker) VALUES (?)"
_START = "INSERT INTO book_snapshots VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_LIFECYCLE = "INSERT INTO lifecycle_events VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_TRADE = (
    "INSERT INTO market_trades (trade_id, ticker, price_e4, quantity_e2, taker_side, is_block,"
    " executed_us, received_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_GAP = (
    "INSERT INTO stream_gaps (stream, market_no, reason, from_us, to_us, lost, ended, detail)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (stream, market_no, reason, from_us)"
    " DO UPDATE SET to_us = excluded.to_us, lost = excluded.lost, ended = excluded.ended,"
    " detail = excluded.detail"
)
_OPEN_GAPS = (
    "SELECT n.ticker, g.stream, g.market_no, g.reason, g.from_us, g.to_us, g.lost, g.ended,"
    " g.detail FROM stream_gaps g LEFT JOIN market_numbers n ON n.market_no = g.market_no"
    " WHERE g.stream = ? AND g.from_us >= ? AND g.to_us IS NULL ORDER BY g.from_us, g.gap_id"
)
_MARK = "SELECT value FROM ingest_state WHERE key = ?"
_PUT_MARK = (
    "INSERT INTO ingest_state (key, value, updated_at_us) VALUES (?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value,"
    " updated_at_us = excluded.updated_at_us"
)


@cache
def _insert(shape: RowShape, count: int) -> str:
    """A statement for so many rows at once: most of what one costs is the statement."""
    row = f"({', '.join('?' for _ in shape.columns)})"
    names, values = ", ".join(shape.columns), ", ".join([row] * count)
    return f"INSERT INTO {shape.table} ({names}) VALUES {values} ON CONFLICT DO NOTHING"


def _insert_rows(connection: sqlite3.Connection, shape: RowShape, values: list[Any]) -> int:
    """Insert rows given as one value after the other; how many of them are new."""
    new, width = 0, len(shape.columns)
    step = _ROWS_IN_ONE * width
    grouped = len(values) - len(values) % step
    for count, first, last in ((_ROWS_IN_ONE, 0, grouped), (1, grouped, len(values))):
        size = count * width
        if first < last:
            parts = (values[start : start + size] for start in range(first, last, size))
            new += connection.executemany(_insert(shape, count), parts).rowcount
    return new


class SqliteStreamStore:
    """See :class:`bot.ports.stream.StreamStore`."""

    def __init__(self, path: Path, free_min: int = 0) -> None:
        """With less than ``free_min`` bytes free on the disk it takes no rows."""
        self._path = path
        self._free_min = free_min
        self._held: sqlite3.Connection | None = None
        self._numbers = MarketNumbers()

    async def prepare(self, batch: StreamBatch, *, in_hurry: bool) -> None:
        """See the port. Everything here is done by one thread: nothing is gained ahead."""

    async def append(self, batch: StreamBatch, *, may_repeat: bool) -> int:
        """See the port. Conflicts are ignored always: it costs nothing here."""
        try:
            return self._append(batch)
        except OverflowError:
            return self._append(storable(batch))

    def _require_room(self) -> None:
        """A full disk would stop orders: they are stored in the same file."""
        if not self._free_min:
            return
        try:
            free = shutil.disk_usage(self._path.parent).free
        except OSError as fault:
            raise StorageUnavailable(f"{self._path.parent}: {fault}") from fault
        if free < self._free_min:
            raise StorageUnavailable(
                f"the disk of {self._path} has {free >> 20} MB free, stream.min_free_mb is"
                f" {self._free_min >> 20}; free some space, or set TICKS_RETENTION_DAYS"
            )

    def _append(self, batch: StreamBatch) -> int:
        self._require_room()
        with self._writing() as connection:
            try:
                return self._store(connection, batch, self._numbers)
            except KeyError:
                # Nothing has been written yet: a market of the batch has no number here.
                fresh = self._number(connection, batch)
                new = self._store(connection, batch, fresh)
        self._numbers = fresh
        return new

    async def marks(self, names: Sequence[str]) -> Mapping[str, str]:
        """See the port."""
        with self._using() as connection:
            found = ((name, connection.execute(_MARK, (name,)).fetchone()) for name in names)
            return {name: row[0] for name, row in found if row is not None}

    async def put_marks(self, marks: Mapping[str, str], at_us: int) -> None:
        """See the port."""
        with self._writing() as connection:
            connection.executemany(_PUT_MARK, [(*pair, at_us) for pair in marks.items()])

    async def open_gaps(self, stream: str, since_us: int) -> Sequence[StreamGap]:
        """See the port."""
        with self._using() as connection:
            found = connection.execute(_OPEN_GAPS, (stream, since_us)).fetchall()
        return [gap_of(row[0], row[1:]) for row in found]

    async def close(self) -> None:
        """See the port."""
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def _store(
        self, connection: sqlite3.Connection, batch: StreamBatch, numbers: MarketNumbers
    ) -> int:
        # All rows before the first write: a missing number must be known by then.
        ticks, changes = tick_values(batch.ticks, numbers), change_values(batch.changes, numbers)
        some: tuple[tuple[str, list[Row]], ...] = (
            (_START, [start_row(one, numbers[one.ticker]) for one in batch.starts]),
            (_LIFECYCLE, [lifecycle_row(one, numbers[one.ticker]) for one in batch.lifecycle]),
            (_GAP, [gap_row(one, numbers.of_gap(one)) for one in batch.gaps]),
            (_TRADE, trade_rows(batch.trades)),
        )
        new = _insert_rows(connection, TICKS, ticks)
        _insert_rows(connection, CHANGES, changes)
        for statement, values in some:
            if values:
                connection.executemany(statement, values)
        return new

    def _number(self, connection: sqlite3.Connection, batch: StreamBatch) -> MarketNumbers:
        """All known numbers and those of this batch, which count once it is committed."""
        unknown = self._numbers.unknown(batch)
        if not unknown:
            return self._numbers
        numbers = MarketNumbers(self._numbers)
        for start in range(0, len(unknown), _ASKED_AT_ONCE):
            numbers.learn(_asked(connection, unknown[start : start + _ASKED_AT_ONCE]))
        for ticker in unknown:
            if ticker not in numbers:
                number = connection.execute(_NUMBER, (ticker,)).lastrowid
                assert number is not None, "the key is the row's number"
                numbers[ticker] = number
        return numbers

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._using() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """The connection, made if there is none; faults in the bot's words."""
        try:
            if self._held is None:
                self._held = self._open()
            yield self._held
        except sqlite3.Error as fault:
            said = translated(fault)
            if said is None:
                raise
            self._forget()
            raise said from fault

    def _open(self) -> sqlite3.Connection:
        # A file that is gone was taken away: an empty one in its place would help nobody.
        connection = sqlite3.connect(
            f"{self._path.resolve().as_uri()}?mode=rw",
            uri=True,
            isolation_level=None,
            timeout=_BUSY_MS / 1_000,
            check_same_thread=False,
        )
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _forget(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            with suppress(sqlite3.Error):
                held.close()


def _asked(connection: sqlite3.Connection, tickers: list[str]) -> list[tuple[str, int]]:
    marks = ", ".join("?" for _ in tickers)
    statement = f"SELECT ticker, market_no FROM market_numbers WHERE ticker IN ({marks})"
    return connection.execute(statement, tickers).fetchall()
