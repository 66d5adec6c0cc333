"""The export: the same rows on both databases, resumable, and readable as the page says."""

import re
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, insert, update

from bot.adapters.parquet.files import ExportFolder, export_files, read_export
from bot.adapters.storage import tables
from bot.adapters.storage.database import Database
from bot.adapters.storage.export_plan import INTERNAL, Span, export_tables
from bot.adapters.storage.export_rows import open_reader
from bot.adapters.storage.partitions import make_months
from bot.adapters.storage.schema import metadata
from bot.adapters.storage.urls import sqlite_address
from bot.app.export import ExportReport, ExportWish, export
from bot.app.sections import DatabaseSection
from bot.app.settings import BotSettings
from bot.domain.errors import ConfigurationFault
from bot.kit.times import DAY_US, HOUR_US
from tests.support import rows

DAY_1 = datetime(2026, 9, 21, tzinfo=UTC)
START_US = int(DAY_1.timestamp()) * 1_000_000
CPI, FED = "KXCPI-26DEC-T0.3", "KXFED-26DEC-T3.75"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "research.md"


def no_bar(done: int, total: int | None, text: str) -> None:
    """Nobody looks."""


def settings_of(url: str) -> BotSettings:
    return BotSettings(database=DatabaseSection(url=SecretStr(url)))


def tick(number: int, market_no: int, at_us: int) -> dict[str, Any]:
    return {
        "exchange_us": at_us, "received_us": at_us + 900, "volume_e2": 100 * number,
        "open_interest_e2": 50, "bid_size_e2": 700, "ask_size_e2": 800, "market_no": market_no,
        "digest": number, "price_e4": 4_000 + number, "bid_e4": 3_900, "ask_e4": 4_100,
    }  # fmt: skip


def trade(number: int, ticker: str, at_us: int) -> dict[str, Any]:
    return {
        "trade_id": f"t-{number}", "ticker": ticker, "price_e4": 4_000 + 10 * number,
        "quantity_e2": 250, "taker_side": "bid", "is_block": number == 3, "executed_us": at_us,
        "received_us": at_us + 5,
    }  # fmt: skip


def fill(number: int, at_us: int) -> dict[str, Any]:
    return {
        "scope": "paper:main:0", "fill_id": f"f-{number}", "epoch": rows.EPOCH, "order_id": "o",
        "ticker": CPI, "side": "bid", "price_e4": 9_500, "quantity_e2": 1_000, "fee_e6": 35_000,
        "is_taker": False, "executed_us": at_us, "received_us": at_us,
    }  # fmt: skip


def candle(ticker: str, end_us: int, bid: int) -> dict[str, Any]:
    sides = {
        f"{side}_{what}_e4": value
        for side, value in (("bid", bid), ("ask", bid + 100))
        for what in ("open", "high", "low", "close")
    }
    return {
        "ticker": ticker, "period_minutes": 60, "end_us": end_us, **sides, "volume_e2": 10,
        "open_interest_e2": 20,
    }  # fmt: skip


def fill_database(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        make_months(connection, START_US)
    every = metadata.tables

    def put(name: str, *rows: dict[str, Any]) -> None:
        connection.execute(insert(every[name]), list(rows))

    put("market_numbers", {"market_no": 1, "ticker": CPI}, {"market_no": 2, "ticker": FED})
    put(
        "market_ticks",
        *(tick(n, 1 + n % 2, START_US + n * HOUR_US) for n in range(36)),
    )
    put(
        "market_trades",
        *(trade(n, (CPI, FED)[n % 2], START_US + n * 6 * HOUR_US) for n in range(8)),
    )
    put(
        "book_snapshots",
        {"market_no": 1, "snapshot_us": START_US, "origin": "venue", "bids_json": "[]", "asks_json": "[]"},
    )  # fmt: skip
    put(
        "book_deltas",
        *(
            {
                "snapshot_us": START_US, "received_us": START_US + n, "exchange_us": None,
                "change_e2": -100, "market_no": 1, "change_no": n, "price_e4": 3_900, "is_bid": True,
            }
            for n in range(1, 4)
        ),
    )  # fmt: skip
    put("market_candles", *(candle(CPI, START_US + n * HOUR_US, 4_000 + n) for n in range(1, 30)))
    put(
        "market_snapshots",
        *(
            {
                "market_id": CPI, "snapshot_hour_utc": f"2026-09-2{1 + n // 24}T{n % 24:02d}:00:00Z",
                "payload_json": '{"title": "Rate, \\"quoted\\"\\nand ünïcode"}',
                "created_at_utc": "2026-09-21T00:00:01Z", "event_ticker": "KXCPI-26DEC",
                "series_ticker": "KXCPI", "macro_event_type": "cpi_mom", "yes_bid_e4": None,
                "yes_ask_e4": 4_000, "volume_24h_e2": 2**40, "open_interest_e2": 1, "close_us": 1,
            }
            for n in range(30)
        ),
    )  # fmt: skip
    put("fills", *(fill(n, START_US + n * DAY_US) for n in range(2)))
    put(
        "positions",
        {
            "scope": "paper:main:0", "ticker": CPI, "epoch": rows.EPOCH, "quantity_e2": 5,
            "cost_e6": 1, "realized_e6": 0, "fees_e6": 0, "updated_us": START_US,
        },
    )  # fmt: skip
    put(
        "quarantine",
        {"cycle_id": "c", "name": "", "reason": "", "raw": b"\x00\xff\n", "at_us": START_US},
    )


async def filled_up(database: Database) -> None:
    await rows.grant_lease(database)
    async with database.begin() as connection:
        await connection.run_sync(fill_database)


@pytest.fixture
async def filled(database: Database, database_url: str) -> tuple[str, Database]:
    await filled_up(database)
    return database_url, database


async def run(url: str, out: Path, **wish: Any) -> ExportReport:
    return await export(settings_of(url), ExportWish(out=out, **wish), no_bar)


def drafts(root: Path) -> list[Path]:
    return list(root.rglob("*.tmp"))


def states(report: ExportReport, table: str) -> list[tuple[str, int, str]]:
    return [
        (one.day.isoformat() if one.day else "", one.rows, one.state)
        for one in report.files
        if one.table == table
    ]


async def test_every_row_is_there_with_its_type_and_unit(
    filled: tuple[str, Database], tmp_path: Path
) -> None:
    url, database = filled
    report = await run(url, tmp_path)
    assert states(report, "market_ticks") == [
        ("2026-09-21", 24, "written"), ("2026-09-22", 12, "written"),
    ]  # fmt: skip
    assert states(report, "market_snapshots") == [
        ("2026-09-21", 24, "written"), ("2026-09-22", 6, "written"),
    ]  # fmt: skip
    assert states(report, "market_numbers") == [("", 2, "written")]
    for table in export_tables():
        if not (tmp_path / table.name).is_dir():
            continue
        read = read_export(export_files(tmp_path, table.name))
        async with database.read() as connection:
            stored = (await connection.execute(table.table.select())).mappings().all()
        names = [column.name for column in table.columns]
        key = [column.name for column in table.table.primary_key.columns]
        wanted = [{name: row[name] for name in names} for row in stored]
        assert sorted(read.to_pylist(), key=lambda row: [row[k] for k in key]) == sorted(
            wanted, key=lambda row: [row[k] for k in key]
        )
    ticks = pq.read_schema(tmp_path / "market_ticks" / "day=2026-09-21" / "part-0.parquet")
    assert ticks.field("exchange_us").type == pa.int64()
    assert ticks.field("bid_e4").type == pa.int16()
    assert ticks.field("bid_e4").metadata[b"unit"] == b"0.0001 dollars"
    assert ticks.field("exchange_us").metadata[b"unit"] == b"microseconds since 1970 UTC"


async def test_finished_files_are_not_rewritten_and_new_rows_are_found(
    filled: tuple[str, Database], tmp_path: Path
) -> None:
    url, database = filled
    await run(url, tmp_path)
    paths = export_files(tmp_path, "market_ticks")
    before = [path.stat().st_mtime_ns for path in paths]
    again = await run(url, tmp_path)
    assert {one.state for one in again.files} == {"kept"}
    assert [path.stat().st_mtime_ns for path in paths] == before
    late = tick(99, 1, START_US + DAY_US + 30)
    async with database.begin() as connection:
        await connection.execute(insert(metadata.tables["market_ticks"]), [late])
    third = await run(url, tmp_path)
    assert states(third, "market_ticks") == [
        ("2026-09-21", 24, "kept"), ("2026-09-22", 13, "written"),
    ]  # fmt: skip
    assert paths[0].stat().st_mtime_ns == before[0]
    assert {one.state for one in (await run(url, tmp_path, is_fresh=True)).files} == {"written"}


async def test_what_the_database_has_dropped_stays_in_the_export(
    filled: tuple[str, Database], tmp_path: Path
) -> None:
    url, database = filled
    await run(url, tmp_path)
    ticks = metadata.tables["market_ticks"]
    async with database.begin() as connection:
        await connection.execute(ticks.delete().where(ticks.c.exchange_us < START_US + DAY_US + 1))
    report = await run(url, tmp_path)
    assert states(report, "market_ticks") == [("2026-09-22", 12, "kept: the database has less")]
    assert any("--fresh" in line for line in report.lines)
    assert read_export(export_files(tmp_path, "market_ticks")).num_rows == 36


async def test_a_row_that_changed_makes_its_file_new(
    filled: tuple[str, Database], tmp_path: Path
) -> None:
    url, database = filled
    positions = tables.positions
    await run(url, tmp_path)
    assert states(await run(url, tmp_path), "positions") == [("", 1, "kept")]
    async with database.begin() as connection:
        await connection.execute(update(positions).values(quantity_e2=7, updated_us=START_US + 1))
    assert states(await run(url, tmp_path), "positions") == [("", 1, "written")]
    read = read_export(export_files(tmp_path, "positions"))
    assert read["quantity_e2"].to_pylist() == [7]


async def test_what_is_written_over_without_a_time_of_its_own_is_not_kept_as_it_was(
    filled: tuple[str, Database], tmp_path: Path
) -> None:
    url, database = filled
    every = metadata.tables
    spells, gaps, breakers = (
        every[name] for name in ("exchange_states", "stream_gaps", "breaker_state")
    )
    async with database.begin() as connection:
        spell = {"since_us": START_US, "until_us": START_US, "state": "open", "detail": ""}
        await connection.execute(insert(spells), spell)
        for place in range(2):
            gap = {
                "stream": "s", "market_no": 0, "reason": "disconnected", "from_us": START_US + place,
                "lost": 0, "ended": "", "detail": "",
            }  # fmt: skip
            await connection.execute(insert(gaps), gap)
        breaker = {
            "scope": "paper:main:0", "name": "drawdown", "tripped": False, "reason": "",
            "data_json": "{}", "changed_us": START_US, "epoch": rows.EPOCH,
        }  # fmt: skip
        await connection.execute(insert(breakers), breaker)
    await run(url, tmp_path)
    for name in ("exchange_states", "stream_gaps", "breaker_state"):
        assert {state for *_, state in states(await run(url, tmp_path), name)} == {"kept"}
    async with database.begin() as connection:
        await connection.execute(update(spells).values(until_us=START_US + 60))
        ended = update(gaps).where(gaps.c.from_us == START_US)
        await connection.execute(ended.values(to_us=START_US + 9))
        await connection.execute(update(breakers).values(tripped=True, changed_us=START_US + 1))
    report = await run(url, tmp_path)
    for name in ("exchange_states", "stream_gaps", "breaker_state"):
        assert {state for *_, state in states(report, name)} == {"written"}


async def test_the_place_of_a_database_may_be_named_in_any_way(
    sqlite_template: Path, tmp_path: Path
) -> None:
    place = tmp_path / "50%20 #1?.sqlite"
    shutil.copyfile(sqlite_template, place)
    async with open_reader(sqlite_address(place)) as reader:
        [table] = export_tables(("market_numbers",))
        assert await reader.parts(table, Span(), None) == []


async def test_days_tables_and_series_are_chosen(
    filled: tuple[str, Database], tmp_path: Path
) -> None:
    url, _ = filled
    second = (DAY_1 + timedelta(1)).date()
    report = await run(url, tmp_path / "a", first=second, last=second, tables=("market_ticks",))
    assert states(report, "market_ticks") == [("2026-09-22", 12, "written")]
    assert len(report.files) == 1
    report = await run(url, tmp_path / "b", series="KXCPI")
    assert sum(count for _, count, _ in states(report, "market_ticks")) == 18
    assert sum(count for _, count, _ in states(report, "market_trades")) == 4
    assert sum(count for _, count, _ in states(report, "book_deltas")) == 3
    assert "quarantine" not in {one.table for one in report.files}
    with pytest.raises(ConfigurationFault, match="holds an export of series KXCPI"):
        await run(url, tmp_path / "b")
    with pytest.raises(ConfigurationFault, match=r"no table 'tics'; there are: .*market_ticks"):
        await run(url, tmp_path / "a", tables=("tics",))
    with pytest.raises(ConfigurationFault, match="quarantine has no markets"):
        await run(url, tmp_path / "c", tables=("quarantine",), series="KXCPI")


async def test_an_interrupted_file_leaves_nothing_behind_and_two_do_not_mix(
    filled: tuple[str, Database], tmp_path: Path
) -> None:
    url, _ = filled

    class Interrupted(Exception):
        pass

    def interrupt(done: int, total: int | None, text: str) -> None:
        if text.startswith("market_ticks 2026-09-22"):
            raise Interrupted

    with pytest.raises(Interrupted):
        await export(settings_of(url), ExportWish(out=tmp_path), interrupt)
    assert drafts(tmp_path) == []
    report = await run(url, tmp_path)
    assert states(report, "market_ticks") == [
        ("2026-09-21", 24, "kept"), ("2026-09-22", 12, "written"),
    ]  # fmt: skip
    with (
        ExportFolder(tmp_path, None).held(),
        pytest.raises(ConfigurationFault, match="another export writes here"),
    ):
        await run(url, tmp_path)
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "x" / "y" / "mine.parquet").write_bytes(b"")
    with pytest.raises(ConfigurationFault, match="Parquet files of something else"):
        await run(url, tmp_path / "x")


async def test_a_damaged_or_foreign_file_is_refused_by_the_reader_and_written_anew(
    filled: tuple[str, Database], tmp_path: Path
) -> None:
    url, _ = filled
    await run(url, tmp_path, tables=("market_ticks",))
    first, second = export_files(tmp_path, "market_ticks")
    first.write_bytes(first.read_bytes()[:-50])
    pq.write_table(pa.table({"a": [1]}), second)
    for path in (first, second):
        with pytest.raises(ConfigurationFault, match=path.parent.name):
            read_export([path])
    report = await run(url, tmp_path, tables=("market_ticks",))
    assert {one.state for one in report.files} == {"written"}
    with pytest.raises(ConfigurationFault, match="has no column nope"):
        read_export(export_files(tmp_path, "market_ticks"), ["nope"])
    with pytest.raises(ConfigurationFault, match="no export of fills"):
        export_files(tmp_path, "fills")
    assert read_export([first], ["bid_e4"]).column_names == ["bid_e4"]
    assert export_files(tmp_path, "market_ticks", first=DAY_1.date(), last=DAY_1.date()) == [first]


async def test_every_table_has_its_types_and_the_internal_ones_exist() -> None:
    assert set(metadata.tables) >= INTERNAL
    for table in export_tables(tuple(metadata.tables)):
        assert len(table.schema) == len(table.columns) > 0
    names = {table.name for table in export_tables()}
    assert {"fills", "signals", "market_ticks", "market_snapshots"} <= names
    assert not names & INTERNAL
    by_day = {table.name for table in export_tables() if table.day_column is not None}
    assert {"fills", "order_intents", "brackets", "market_trades", "market_candles"} <= by_day
    assert not {"markets", "events", "market_numbers", "positions"} & by_day


# --- the queries of the page ----------------------------------------------------------------


def documented(language: str) -> list[str]:
    """Blocks of the page that query the folder ``exports``."""
    text = PAGE.read_text(encoding="utf-8")
    return [
        one for one in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL) if "exports/" in one
    ]


@pytest.fixture
async def exported(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Path]:
    database = await Database.open(sqlite_url)
    await filled_up(database)
    await database.close()
    await run(sqlite_url, tmp_path / "exports")
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        yield tmp_path


async def test_the_documented_queries_run_in_duckdb(exported: Path) -> None:
    queries = documented("sql")
    assert len(queries) >= 4
    for query in queries:
        found = duckdb.sql(query).fetchall()
        assert found, query
    hourly = duckdb.sql(queries[0]).fetchall()
    assert {row[0] for row in hourly} == {CPI, FED}


async def test_the_documented_queries_run_in_polars(exported: Path) -> None:
    snippets = documented("python")
    assert len(snippets) >= 2
    for snippet in snippets:
        found: dict[str, Any] = {}
        exec(snippet, found)
        result = found["result"]
        if isinstance(result, pa.Table):
            assert result.num_rows
        else:
            assert isinstance(result, pl.DataFrame)
            assert result.height, snippet
