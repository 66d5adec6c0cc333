"""Storing ticks beside the databases' own quickest ways, batch by batch in one run.

The bot's side takes records from its queue, sorts and deduplicates them, makes rows and
stores them; the bare side is given ready rows. Both commit each batch, into the same
table, on the same disk. The batches take turns, so that a busy moment meets all of them.
"""

import asyncio
import json
import os
import sqlite3
import statistics
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns
from typing import Any, TypeAlias

import asyncpg  # type: ignore[import-untyped]

from benchmarks.ingest_lag import loop_lag
from benchmarks.ingest_ticks import frame_of, one_of_each, some_ticks
from bot.adapters.storage.database import Database
from bot.adapters.storage.migrations import migrate
from bot.adapters.storage.stream_postgres import PostgresStreamStore
from bot.adapters.storage.stream_rows import TICKS, Row, tick_values
from bot.adapters.storage.stream_sqlite import SqliteStreamStore
from bot.domain.quotes import TickerUpdate
from bot.kit.times import to_datetime
from bot.marketdata.stream_batches import BatchMaker
from bot.marketdata.stream_queue import StreamQueue
from bot.ports.stream import StreamStore
from tests.support.postgres import running_server

Times: TypeAlias = dict[str, list[int]]
Group: TypeAlias = list[list[TickerUpdate]]
Way: TypeAlias = Callable[[Group], Awaitable[int]]
"""Stores batches one after the other; how long that took, in nanoseconds."""

_BATCH, _SMALL = 1_000, 200
"""What the bot writes by default, and a fifth of it."""
_BYTES_TICKS = 100_000
_WARM = 3
_GROUP = 5
"""Batches in a row, so that the bot may make one while the one before it is stored."""


def run(seconds: float, *, postgres: bool, sqlite: bool) -> int:
    """Measure, print, and last one line of JSON."""
    asked = postgres or sqlite
    line: dict[str, object] = {"benchmark": "ingest", "batch": _BATCH}
    if sqlite or not asked:
        line |= asyncio.run(_sqlite(seconds))
    if postgres or not asked:
        with running_server(durable=True) as server:
            line |= asyncio.run(_postgres(server.url("postgres"), seconds))
            line |= loop_lag(server.url("postgres"), seconds)
    print(f"load {' '.join(f'{one:.1f}' for one in os.getloadavg())} on {os.cpu_count()} cpus")
    print(json.dumps(line))
    return 0


# --- PostgreSQL -----------------------------------------------------------------------------


async def _postgres(url: str, seconds: float) -> dict[str, object]:
    database = await Database.open(url)
    await migrate(database)
    driver: Any = await asyncpg.connect(url)
    store = PostgresStreamStore(database.address)
    numbers = await _numbers(driver, store)

    async def bare(batches: Group) -> int:
        made = [_rows(ticks, numbers) for ticks in batches]
        began_ns = perf_counter_ns()
        for rows in made:
            await driver.copy_records_to_table("market_ticks", records=rows, columns=TICKS.columns)
        return perf_counter_ns() - began_ns

    ways = {
        "bare COPY": bare,
        "the bot": _ours(store, may_repeat=False),
        "the bot, after a restart": _ours(store, may_repeat=True),
    }
    small = await _taking_turns(ways, seconds / 3, _SMALL)
    times = await _taking_turns(ways, seconds * 2 / 3, _BATCH)
    _print("PostgreSQL", times, _BATCH)
    _print("PostgreSQL", small, _SMALL)
    found = await _bytes(driver, store)
    await store.close()
    await driver.close()
    await database.close()
    return {
        "postgres_ratio": _ratio(times, "the bot"),
        "postgres_idempotent_ratio": _ratio(times, "the bot, after a restart"),
        "postgres_rows_per_s": _rate(times["the bot"], _BATCH),
        f"postgres_ratio_{_SMALL}": _ratio(small, "the bot"),
        f"postgres_idempotent_ratio_{_SMALL}": _ratio(small, "the bot, after a restart"),
        **found,
    }


async def _numbers(driver: Any, store: StreamStore) -> dict[str, int]:
    """Let every market have its number, as after the first seconds of a day."""
    first = one_of_each()
    await store.append(BatchMaker("bench").make(first), may_repeat=False)
    return dict(await driver.fetch("SELECT ticker, market_no FROM market_numbers"))


async def _bytes(driver: Any, store: StreamStore) -> dict[str, object]:
    """Both forms of the same ticks, with the index that tells rows apart."""
    await driver.execute(
        "CREATE TABLE ticks_json (ticker text, exchange_at timestamptz, seq integer,"
        " frame jsonb, PRIMARY KEY (ticker, exchange_at, seq))"
    )
    before, rows_before = await _size(driver)
    for ticks in some_ticks(_BYTES_TICKS // _BATCH, _BATCH):
        await store.append(BatchMaker("bench").make(ticks), may_repeat=False)
        frames = [
            (one.ticker, to_datetime(one.exchange_us), number, json.dumps(frame_of(one)))
            for number, one in enumerate(ticks)
        ]
        await driver.copy_records_to_table("ticks_json", records=frames)
    after, rows_after = await _size(driver)
    per_tick = (after - before) / (rows_after - rows_before)
    size = await driver.fetchval("SELECT pg_total_relation_size('ticks_json')")
    per_frame = size / _BYTES_TICKS
    print(f"bytes for each tick: {per_tick:.1f}; as JSONB {per_frame:.1f}")
    return {
        "bytes_per_tick": round(per_tick, 1),
        "bytes_per_jsonb": round(per_frame, 1),
        "bytes_ratio": round(per_tick / per_frame, 3),
    }


async def _size(driver: Any) -> tuple[int, int]:
    size = await driver.fetchval(
        "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits"
        " WHERE inhparent = 'market_ticks'::regclass"
    )
    return int(size), await driver.fetchval("SELECT count(*) FROM market_ticks")


# --- SQLite ---------------------------------------------------------------------------------


async def _sqlite(seconds: float) -> dict[str, object]:
    with _sqlite_file() as path:
        database = await Database.open(f"sqlite:///{path}")
        await migrate(database)
        store = SqliteStreamStore(path)
        connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("busy_timeout = 5000", "journal_mode = WAL", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {pragma}")
        await store.append(BatchMaker("bench").make(one_of_each()), may_repeat=False)
        numbers = dict(connection.execute("SELECT ticker, market_no FROM market_numbers"))
        marks = ", ".join("?" for _ in TICKS.columns)
        insert = f"INSERT INTO market_ticks VALUES ({marks})"  # noqa: S608 - marks alone

        async def bare(batches: Group) -> int:
            made = [_rows(ticks, numbers) for ticks in batches]
            began_ns = perf_counter_ns()
            for rows in made:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(insert, rows)
                connection.execute("COMMIT")
            return perf_counter_ns() - began_ns

        ways = {"bare executemany": bare, "the bot": _ours(store, may_repeat=True)}
        times = await _taking_turns(ways, seconds, _BATCH)
        _print("SQLite", times, _BATCH)
        await store.close()
        connection.close()
        await database.close()
    return {
        "sqlite_ratio": _ratio(times, "the bot"),
        "sqlite_rows_per_s": _rate(times["the bot"], _BATCH),
    }


@contextmanager
def _sqlite_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        yield Path(place) / "ingest.sqlite"


# --- both -----------------------------------------------------------------------------------


def _ours(store: StreamStore, *, may_repeat: bool) -> Way:
    """From the queue to the commits, as :class:`StreamStoring` does it."""
    queue = StreamQueue("bench 0/1", 1_000_000, 1_000_000)
    maker = BatchMaker("bench 0/1")

    async def ours(batches: Group) -> int:
        for ticks in batches:
            for tick in ticks:
                queue.put(tick, tick.received_us)
        began_ns = perf_counter_ns()
        new, size = 0, len(batches[0])
        async with asyncio.TaskGroup() as group:
            storing: asyncio.Task[int] | None = None
            for _ in batches:
                batch = maker.make(queue.take(size))
                await store.prepare(batch, in_hurry=True)
                new += 0 if storing is None else await storing
                storing = group.create_task(store.append(batch, may_repeat=may_repeat))
                await asyncio.sleep(0)
        assert storing is not None
        new += storing.result()
        took_ns = perf_counter_ns() - began_ns
        if new != sum(map(len, batches)):
            raise AssertionError(f"{new} ticks were stored")
        return took_ns

    return ours


async def _taking_turns(ways: dict[str, Way], seconds: float, size: int) -> Times:
    times: Times = {name: [] for name in ways}
    batches = some_ticks(10**9, size)
    ends_ns = perf_counter_ns() + int(seconds * 1e9)
    order = list(ways)
    while perf_counter_ns() < ends_ns or len(times[order[0]]) <= _WARM:
        order = [*order[1:], order[0]]
        for name in order:
            group = [next(batches) for _ in range(_GROUP)]
            times[name].append(await ways[name](group))
    return {name: taken[_WARM:] for name, taken in times.items()}


def _rows(ticks: list[TickerUpdate], numbers: dict[str, int]) -> list[Row]:
    values, width = tick_values(ticks, numbers), len(TICKS.columns)
    return [tuple(values[start : start + width]) for start in range(0, len(values), width)]


def _ratio(times: Times, name: str) -> float:
    bare = next(taken for way, taken in times.items() if way.startswith("bare"))
    return round(statistics.median(bare) / statistics.median(times[name]), 3)


def _rate(taken: list[int], size: int) -> int:
    return round(_GROUP * size * 1e9 / statistics.median(taken))


def _print(database: str, times: Times, size: int) -> None:
    for name, taken in times.items():
        rate = f"{_rate(taken, size):,} ticks/s"
        print(f"{database}, batches of {size}: {name}: {rate}, {_ratio(times, name):.2f}")
