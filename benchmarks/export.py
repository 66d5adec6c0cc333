"""A day of ticks in Parquet: written by the export, read back to Arrow beside pyarrow alone.

Five million ticks of 400 markets, spread over a day as a random walk would, go through the
export's own writer. Then the same file is read by the bot's reader and by
``pyarrow.parquet``, turn and turn about, so that both meet the same machine. These rows
come from memory; how fast SQLite gives its own is measured on a smaller day.
"""

import asyncio
import json
import os
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable
from datetime import date
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import insert

from bot.adapters.parquet.files import ExportFolder, Note, export_files, read_export
from bot.adapters.storage.database import Database
from bot.adapters.storage.export_plan import ExportTable, Span, export_tables
from bot.adapters.storage.export_rows import open_reader
from bot.adapters.storage.migrations import migrate
from bot.adapters.storage.urls import parse_address
from bot.kit.times import DAY_US

_TICKS = 5_000_000
_STORED = 300_000
_MARKETS = 400
_DAY = date(2026, 9, 21)
_START_US = 20_717 * DAY_US
_BATCH = 65_536
_TARGET = 0.7
_ROUNDS_MIN = 5


def run(seconds: float) -> int:
    """Measure, print a table, and last one line of JSON."""
    (table,) = export_tables(["market_ticks"])
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        ticks = _day_of_ticks(table.schema, _TICKS)
        write_s, size = asyncio.run(_write(root / "exports", table, ticks))
        ours, bare = _read(root / "exports", seconds)
        stored = asyncio.run(_from_database(root, table, ticks.slice(0, _STORED)))
    _print(write_s, size, ours, bare, stored)
    return 0


def _day_of_ticks(schema: pa.Schema, count: int) -> pa.Table:
    """Random walks of prices, growing volumes, bursts of activity."""
    random = np.random.default_rng(7)
    at = np.sort(random.integers(0, DAY_US // 1_000, count)) * 1_000 + _START_US
    market = random.integers(1, _MARKETS + 1, count)
    walk = np.cumsum(random.choice([-100, 0, 0, 0, 100], count))
    bid = np.clip(5_000 + walk % 4_000 - 2_000, 100, 9_800)
    columns = {
        "exchange_us": at,
        "received_us": at + random.integers(2_000, 60_000, count),
        "volume_e2": np.cumsum(random.integers(0, 500, count)),
        "open_interest_e2": 1_000_000 + np.cumsum(random.integers(-50, 60, count)),
        "bid_size_e2": random.integers(1, 5_000, count) * 100,
        "ask_size_e2": random.integers(1, 5_000, count) * 100,
        "market_no": market,
        "digest": random.integers(-(2**31), 2**31 - 1, count),
        "price_e4": bid + 100 * random.integers(0, 3, count),
        "bid_e4": bid,
        "ask_e4": bid + 100,
    }
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


async def _write(root: Path, table: ExportTable, ticks: pa.Table) -> tuple[float, int]:
    """Seconds, and bytes of the file."""

    async def batches() -> AsyncIterator[pa.RecordBatch]:
        for batch in ticks.to_batches(max_chunksize=_BATCH):
            yield batch

    folder = ExportFolder(root, None)
    note = Note(
        rows=ticks.num_rows, changed_us=None, is_finished=True, columns=tuple(ticks.column_names)
    )
    began = perf_counter()
    with folder.held():
        written = await folder.write(folder.place(table.name, _DAY), table.schema, batches(), note)
    return perf_counter() - began, written.size


def _read(root: Path, seconds: float) -> tuple[list[float], list[float]]:
    """Seconds of each round: ours, and pyarrow alone."""
    files = export_files(root, "market_ticks")
    ways: dict[str, Callable[[], pa.Table]] = {
        "ours": lambda: read_export(files),
        # As one reads a file whose place is known, with the same mapping of it into memory.
        "bare": lambda: pq.ParquetFile(files[0], memory_map=True).read(),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    ends = perf_counter() + seconds
    while perf_counter() < ends or len(took["bare"]) < _ROUNDS_MIN:
        # Who goes first finds another state of memory than who goes second.
        order = list(ways) if len(took["bare"]) % 2 else list(reversed(ways))
        for name in order:
            began = perf_counter()
            rows = ways[name]().num_rows
            took[name].append(perf_counter() - began)
            if rows != _TICKS:
                raise AssertionError(f"{rows} rows, not {_TICKS}")
    return took["ours"], took["bare"]


async def _from_database(root: Path, table: ExportTable, ticks: pa.Table) -> float:
    """Rows a second from SQLite to a finished file."""
    url = f"sqlite:///{root / 'ticks.sqlite'}"
    database = await Database.open(url, sqlite_synchronous="NORMAL")
    try:
        await migrate(database)
        async with database.begin() as connection:
            await connection.execute(insert(table.table), ticks.to_pylist())
    finally:
        await database.close()
    folder = ExportFolder(root / "stored", None)
    began = perf_counter()
    with folder.held():
        async with open_reader(parse_address(url)) as reader:
            for part in await reader.parts(table, Span(), None):
                note = Note(rows=part.rows, changed_us=None, is_finished=True, columns=())
                place = folder.place(table.name, part.day)
                await folder.write(place, table.schema, reader.batches(table, part, None), note)
    return ticks.num_rows / (perf_counter() - began)


def _print(write_s: float, size: int, ours: list[float], bare: list[float], stored: float) -> None:
    mine, theirs = statistics.median(ours), statistics.median(bare)
    print(f"{_TICKS} ticks of {_MARKETS} markets, {len(ours)} rounds")
    print(f"written        {_TICKS / write_s:12,.0f} rows/s   {size / _TICKS:6.1f} bytes a tick")
    print(f"from SQLite    {stored:12,.0f} rows/s   ({_STORED} ticks)")
    print(f"read           {_TICKS / mine:12,.0f} rows/s   median {mine * 1e3:7.1f} ms")
    print(f"pyarrow alone  {_TICKS / theirs:12,.0f} rows/s   median {theirs * 1e3:7.1f} ms")
    print(f"load {' '.join(f'{one:.1f}' for one in os.getloadavg())} on {os.cpu_count()} cpus")
    line = {
        "benchmark": "export",
        "read_ratio": round(theirs / mine, 3),
        "read_rows_per_s": round(_TICKS / mine),
        "write_rows_per_s": round(_TICKS / write_s),
        "write_rows_per_s_from_sqlite": round(stored),
        "bytes_per_tick": round(size / _TICKS, 2),
        "targets": {"read_ratio": _TARGET},
    }
    print(json.dumps(line))
