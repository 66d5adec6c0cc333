"""``StreamStore`` on PostgreSQL: binary COPY over a connection of its own.

A batch is packed ahead, while the server takes in the one before it. COPY refuses a batch of
which one row is there already; so the keys are looked up first where that may be, and
what two writers store at the same moment goes through a staging table.
"""

# ruff: noqa: S608 - every part of a statement is a constant or a name of the schema

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, TypeVar

import asyncpg  # type: ignore[import-untyped]

from bot.adapters.storage import stream_rows as rows
from bot.adapters.storage.faults import FAULTS, translated
from bot.adapters.storage.stream_numbers import MarketNumbers
from bot.adapters.storage.stream_rows import (
    CHANGES,
    COPY_HEAD,
    COPY_TAIL,
    TICKS,
    Row,
    RowShape,
)
from bot.adapters.storage.urls import Address
from bot.domain.quotes import PublicTrade
from bot.kit.threads import give_way
from bot.ports.stream import StreamBatch, StreamGap

T = TypeVar("T")

_CONNECT_S = 5.0
_COMMAND_S = 10.0
# A look-up of keys is a thousand looks into an index, whatever the statistics say today.
_SESSION = (
    "SET statement_timeout = 9000; SET lock_timeout = 5000;"
    " SET idle_in_transaction_session_timeout = 5000;"
    " SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;"
    " SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off;"
    " SET jit = off"
)
# Others want the interpreter too: the trading loop waits for the end of one block, no longer.
_BLOCK_ROWS, _HURRIED_ROWS = 16, 128

_NUMBERS_OF = "SELECT ticker, market_no FROM market_numbers WHERE ticker = ANY($1::text[])"
_NUMBER = (
    "INSERT INTO market_numbers (ticker) SELECT unnest($1::text[]) ON CONFLICT (ticker) DO NOTHING"
)
_START = (
    "INSERT INTO book_snapshots (market_no, snapshot_us, origin, bids_json, asks_json)"
    " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (market_no, snapshot_us) DO NOTHING"
)
_LIFECYCLE = (
    "INSERT INTO lifecycle_events (market_no, received_us, kind, close_us, result, value_e4)"
    " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (market_no, received_us, kind) DO NOTHING"
)
_TRADES = (
    "INSERT INTO market_trades (trade_id, ticker, price_e4, quantity_e2, taker_side, is_block,"
    " executed_us, received_us) SELECT * FROM unnest($1::text[], $2::text[], $3::integer[],"
    " $4::bigint[], $5::text[], $6::boolean[], $7::bigint[], $8::bigint[])"
    " ON CONFLICT (trade_id) DO NOTHING"
)
_GAP = (
    "INSERT INTO stream_gaps (stream, market_no, reason, from_us, to_us, lost, ended, detail)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (stream, market_no, reason, from_us)"
    " DO UPDATE SET to_us = excluded.to_us, lost = excluded.lost, ended = excluded.ended,"
    " detail = excluded.detail"
)
_OPEN_GAPS = (
    "SELECT n.ticker, g.stream, g.market_no, g.reason, g.from_us, g.to_us, g.lost, g.ended,"
    " g.detail FROM stream_gaps g LEFT JOIN market_numbers n ON n.market_no = g.market_no"
    " WHERE g.stream = $1 AND g.from_us >= $2 AND g.to_us IS NULL ORDER BY g.from_us, g.gap_id"
)
_MARKS = "SELECT key, value FROM ingest_state WHERE key = ANY($1::text[])"
_PUT_MARKS = (
    "INSERT INTO ingest_state (key, value, updated_at_us)"
    " SELECT k, v, $3 FROM unnest($1::text[], $2::text[]) AS given(k, v)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value,"
    " updated_at_us = excluded.updated_at_us"
)


@dataclass(frozen=True, slots=True)
class _Ready:
    """What one store has made of a batch."""

    owner: object
    ticks: "_Rows"
    changes: "_Rows"
    trades: list[PublicTrade]
    """In the order of their key: two writers of the same trades wait instead of deadlocking."""
    few: tuple[tuple[str, list[Row]], ...]
    """Statements, and the rows for each."""


class PostgresStreamStore:
    """See :class:`bot.ports.stream.StreamStore`."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._held: Any = None
        self._numbers = MarketNumbers()

    async def prepare(self, batch: StreamBatch, *, in_hurry: bool) -> None:
        """See the port. A batch with a market that has no number yet has to wait for it."""
        with suppress(KeyError, OverflowError, struct.error):
            batch.prepared = await self._ready(batch, _HURRIED_ROWS if in_hurry else _BLOCK_ROWS)

    async def append(self, batch: StreamBatch, *, may_repeat: bool) -> int:
        """See the port."""
        async with _Session(self) as driver:
            ready = batch.prepared
            if not isinstance(ready, _Ready) or ready.owner is not self:
                ready = await self._number(driver, batch)
            if may_repeat:
                return await self._append(driver, batch, ready, _copy_new)
            try:
                return await self._append(driver, batch, ready, _copy)
            except asyncpg.UniqueViolationError:
                return await self._append(driver, batch, ready, _copy_new)

    async def marks(self, names: Sequence[str]) -> Mapping[str, str]:
        """See the port."""
        async with _Session(self) as driver:
            return dict(await driver.fetch(_MARKS, list(names)))

    async def put_marks(self, marks: Mapping[str, str], at_us: int) -> None:
        """See the port."""
        async with _Session(self) as driver:
            await driver.execute(_PUT_MARKS, list(marks), list(marks.values()), at_us)

    async def open_gaps(self, stream: str, since_us: int) -> Sequence[StreamGap]:
        """See the port."""
        async with _Session(self) as driver:
            found = await driver.fetch(_OPEN_GAPS, stream, since_us)
            return [rows.gap_of(row[0], row[1:]) for row in map(tuple, found)]

    async def close(self) -> None:
        """See the port."""
        held, self._held = self._held, None
        if held is not None:
            await held.close(timeout=_CONNECT_S)

    async def driver(self) -> Any:
        """The connection, made if there is none."""
        if self._held is None or self._held.is_closed():
            self._held = await asyncpg.connect(
                **self._address.asyncpg_words,
                timeout=_CONNECT_S,
                command_timeout=_COMMAND_S,
                server_settings={"application_name": "kalshi-bot stream", "timezone": "UTC"},
            )
            await self._held.execute(_SESSION)
        return self._held

    def drop(self) -> None:
        """The connection is in doubt."""
        held, self._held = self._held, None
        if held is not None:
            held.terminate()

    async def _ready(self, batch: StreamBatch, block: int = _BLOCK_ROWS) -> _Ready:
        """Raises ``KeyError`` where a market has no number, and where one does not fit."""
        numbers = self._numbers
        return _Ready(
            owner=self,
            trades=sorted(batch.trades, key=lambda one: one.trade_id),
            few=(
                (_START, [rows.start_row(one, numbers[one.ticker]) for one in batch.starts]),
                (
                    _LIFECYCLE,
                    [rows.lifecycle_row(one, numbers[one.ticker]) for one in batch.lifecycle],
                ),
                (_GAP, [rows.gap_row(one, numbers.of_gap(one)) for one in batch.gaps]),
            ),
            ticks=await _packed(
                TICKS, batch.ticks, block, lambda one: rows.packed_ticks(one, numbers)
            ),
            changes=await _packed(
                CHANGES, batch.changes, block, lambda one: rows.packed_changes(one, numbers)
            ),
        )

    async def _append(self, driver: Any, batch: StreamBatch, ready: _Ready, copy: "_Copy") -> int:
        if len(batch.ticks) == len(batch):
            return await copy(driver, ready.ticks)  # one statement needs no transaction
        async with driver.transaction():
            new = await copy(driver, ready.ticks)
            await copy(driver, ready.changes)
            for statement, some in ready.few:
                if some:
                    await driver.executemany(statement, some)
            if ready.trades:
                arrays = zip(*rows.trade_rows(ready.trades), strict=True)
                await driver.execute(_TRADES, *map(list, arrays))
        return new

    async def _number(self, driver: Any, batch: StreamBatch) -> _Ready:
        """Know the number of every market of a batch. Numbers are never given back."""
        unknown = self._numbers.unknown(batch)
        if unknown:
            self._numbers.learn(await driver.fetch(_NUMBERS_OF, unknown))
            unknown = self._numbers.unknown(batch)
        if unknown:
            await driver.execute(_NUMBER, unknown)
            self._numbers.learn(await driver.fetch(_NUMBERS_OF, unknown))
        try:
            return await self._ready(batch)
        except (OverflowError, struct.error):
            return await self._ready(rows.storable(batch))


class _Session:
    """The store's connection; faults in the bot's words, and no doubtful connection kept."""

    def __init__(self, store: PostgresStreamStore) -> None:
        self._store = store

    async def __aenter__(self) -> Any:
        try:
            return await self._store.driver()
        except FAULTS as fault:
            raise self._said(fault) from fault

    async def __aexit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        if fault is None:
            return
        if not isinstance(fault, asyncpg.PostgresError):
            self._store.drop()  # one that answered is sound
        if isinstance(fault, FAULTS):
            said = self._said(fault)
            if said is not fault:
                raise said from fault

    def _said(self, fault: Exception) -> Exception:
        return translated(fault) or fault


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of one table as tuples of binary COPY."""

    shape: RowShape
    packed: list[bytes]

    async def copied(self) -> AsyncIterator[bytes]:
        """What COPY reads."""
        yield b"".join((COPY_HEAD, *self.packed, COPY_TAIL))


async def _packed(
    shape: RowShape, records: Sequence[T], block: int, pack: Callable[[Sequence[T]], list[bytes]]
) -> _Rows:
    """Made block by block; between two, other threads have their turn."""
    packed: list[bytes] = []
    for start in range(0, len(records), block):
        packed += pack(records[start : start + block])
        give_way()
        if block == _HURRIED_ROWS:
            await asyncio.sleep(0)  # another batch is on its way, and may have to go on
    return _Rows(shape, packed)


_Copy: TypeAlias = Callable[[Any, _Rows], Awaitable[int]]


async def _copy(driver: Any, source: _Rows) -> int:
    """Raises ``UniqueViolationError`` where a row is there already; nothing is stored then."""
    if not source.packed:
        return 0
    shape = source.shape
    tag = await driver.copy_to_table(
        shape.table, source=source.copied(), columns=shape.columns, format="binary"
    )
    return _count(tag)


async def _copy_new(driver: Any, source: _Rows) -> int:
    """Only the rows that are not there."""
    if not source.packed:
        return 0
    shape = source.shape
    given = dict(zip(map(shape.key_of, source.packed), source.packed, strict=True))
    stamps = [key[0] for key in given]
    there = await driver.fetch(
        _look_up(shape), *map(list, zip(*given, strict=True)), min(stamps), max(stamps)
    )
    for key in there:
        del given[tuple(key)]
    fresh = _Rows(shape, list(given.values()))
    try:
        if not driver.is_in_transaction():
            return await _copy(driver, fresh)
        async with driver.transaction():  # a savepoint: what is refused must not end it all
            return await _copy(driver, fresh)
    except asyncpg.UniqueViolationError:
        # Another writer stored some of them in this very moment.
        return await _copy_staged(driver, fresh)


async def _copy_staged(driver: Any, source: _Rows) -> int:
    """Whatever others do meanwhile."""
    shape = source.shape
    names = ", ".join(shape.columns)
    async with driver.transaction():
        await driver.execute(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS stage_{shape.table}"
            f" (LIKE {shape.table}) ON COMMIT DELETE ROWS"
        )
        await driver.copy_to_table(
            f"stage_{shape.table}", source=source.copied(), columns=shape.columns, format="binary"
        )
        tag = await driver.execute(
            f"INSERT INTO {shape.table} ({names}) SELECT {names} FROM stage_{shape.table}"
            " ON CONFLICT DO NOTHING"
        )
    return _count(tag)


@cache
def _look_up(shape: RowShape) -> str:
    """Which of the given keys are there. The span spares partitions that hold none of them.

    Key by key, as ``LIMIT`` forbids to turn the join round: a plan kept from when the table was
    empty compared every stored row with every key.
    """
    first, second, third = shape.key
    same = " AND ".join(f"t.{name} = k.{name}" for name in shape.key)
    return (
        f"SELECT k.{first}, k.{second}, k.{third}"
        f" FROM unnest($1::bigint[], $2::integer[], $3::integer[]) AS k({first}, {second}, {third})"
        f" CROSS JOIN LATERAL (SELECT FROM {shape.table} t WHERE {same}"
        f" AND t.{first} BETWEEN $4 AND $5 LIMIT 1) AS stored"
    )


def _count(tag: str) -> int:
    """What a command says it did, as in ``COPY 200`` and ``INSERT 0 3``."""
    return int(tag.rpartition(" ")[2])
