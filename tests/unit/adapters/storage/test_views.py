"""The documented queries give readable times and dollars on both databases."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert

from bot.adapters.storage import tables
from bot.adapters.storage.database import Database
from bot.adapters.storage.sql_terms import time_text
from bot.adapters.storage.views import VIEW_NAMES, new_york_day
from tests.support.rows import FENCED_ROWS, add, grant_lease

_CLOSED: dict[str, Any] = {
    "state": "closed",
    "exited_e2": 1_000,
    "exit_value_e6": 7_500_000,
    "exit_reason": "take_profit",
    # 2026-07-14 03:30 UTC is still the 13th in New York.
    "closed_us": 1_783_999_800_000_000,
}


async def test_trades_show_dollars_of_the_held_side(database: Database) -> None:
    await grant_lease(database)
    await add(database, "brackets", **_CLOSED)
    await add(
        database,
        "brackets",
        bracket_id="b2",
        signal_id="s2",
        side="ask",
        stop_price_e4=7_000,
        target_price_e4=0,
        entered_us=1_784_000_002_500_000,
    )
    await add(database, "brackets", bracket_id="b3", signal_id="s3", entered_e2=0)
    newest, oldest = await _all(database, "SELECT * FROM trades ORDER BY entry_time DESC LIMIT 20")
    assert (newest["trade_id"], newest["outcome"], newest["status"]) == ("b2", "no", "open")
    assert float(newest["stop_loss_price"]) == 0.3
    assert newest["take_profit_price"] is None
    assert newest["realized_pnl"] is None
    assert _time(newest["entry_time"]) == datetime(2026, 7, 14, 3, 33, 22, 500_000, UTC)
    assert (oldest["outcome"], oldest["status"]) == ("yes", "closed")
    assert float(oldest["quantity"]) == 10
    assert float(oldest["entry_price"]) == 0.6
    assert float(oldest["exit_price"]) == 0.75
    assert float(oldest["realized_pnl"]) == 1.33
    assert float(oldest["realized_pnl_pct"]) == pytest.approx(1.33 / 6, abs=1e-6)


async def test_daily_performance_counts_by_new_yorks_day(database: Database) -> None:
    await grant_lease(database)
    await add(database, "equity_baselines")
    await add(database, "brackets", **_CLOSED)
    loss = _CLOSED | {"exit_value_e6": 5_000_000, "closed_us": 1_784_030_000_000_000}
    for number in (2, 3):
        await add(database, "brackets", bracket_id=f"b{number}", signal_id=f"s{number}", **loss)
    days = await _all(database, "SELECT * FROM daily_performance ORDER BY trade_date DESC LIMIT 7")
    assert [day["trade_date"] for day in days] == ["2026-07-14", "2026-07-13"]
    assert [(d["total_trades"], d["winning_trades"], d["losing_trades"]) for d in days] == [
        (2, 0, 2),
        (1, 1, 0),
    ]
    assert [float(day["total_pnl"]) for day in days] == [-2.34, 1.33]
    assert float(days[1]["starting_equity"]) == 100
    assert float(days[1]["win_rate"]) == 1


async def test_the_sqlite_rule_for_new_york_agrees_with_the_zone_files(sqlite_url: str) -> None:
    """Every hour near each change, and a stride through the rest, over twelve years."""
    first = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
    moments = [first + 3_601 * hour for hour in range(0, 12 * 8_766, 5)]
    for year in range(2024, 2036):
        for month in (3, 11):
            start = int(datetime(year, month, 1, tzinfo=UTC).timestamp())
            moments += [start + 1_800 * half for half in range(48 * 16)]
    database = await Database.open(sqlite_url)
    values = ", ".join(f"({moment})" for moment in moments)
    day = new_york_day("sqlite", "(s * 1000000)")
    rows = await _all(database, f"WITH t(s) AS (VALUES {values}) SELECT s, {day} AS day FROM t")
    await database.close()
    zone = ZoneInfo("America/New_York")
    for row in rows:
        assert row["day"] == f"{datetime.fromtimestamp(row['s'], zone):%Y-%m-%d}", row["s"]


async def test_active_positions_name_the_one_bracket_that_guards_them(database: Database) -> None:
    await grant_lease(database)
    await add(database, "positions")
    await add(database, "positions", ticker="KXCPI-27", quantity_e2=-250, cost_e6=1_000_000)
    await add(database, "positions", ticker="KXGONE", quantity_e2=0)
    await add(database, "brackets")
    rows = await _all(database, "SELECT * FROM active_positions")
    found = {row["market_id"]: row for row in rows}
    assert set(found) == {"KXFED-27", "KXCPI-27"}
    guarded, bare = found["KXFED-27"], found["KXCPI-27"]
    assert (guarded["strategy_id"], guarded["brackets"]) == ("fade", 1)
    assert float(guarded["stop_loss_price"]) == 0.5
    assert (bare["outcome"], bare["brackets"], bare["stop_loss_price"]) == ("no", 0, None)
    assert (float(bare["quantity"]), float(bare["entry_price"])) == (2.5, 0.4)


async def test_executions_join_their_order(database: Database) -> None:
    await grant_lease(database)
    await add(database, "order_intents")
    await add(database, "fills")
    await add(database, "fills", fill_id="f2", order_id="foreign", executed_us=1)
    newest, foreign = await _all(database, "SELECT * FROM executions")
    assert (newest["client_order_id"], newest["purpose"]) == ("c1", "take_profit")
    assert (float(newest["yes_price"]), float(newest["fee"])) == (0.6, 0.17)
    assert foreign["client_order_id"] is None


async def test_recent_errors_are_errors_newest_first(database: Database) -> None:
    rows = [
        {"at_us": 1_784_000_000_000_000 + at, "level": level, "message": message}
        for at, level, message in (
            (1_000_000, "ERROR", "api error"),
            (2_000_000, "INFO", "order sent"),
            (3_000_000, "CRITICAL", "position mismatch"),
        )
    ]
    common = {"service": "bot", "logger": "bot.engine", "data_json": "{}"}
    async with database.begin() as connection:
        await connection.execute(insert(tables.logs), [row | common for row in rows])
    found = await _all(database, "SELECT * FROM recent_errors LIMIT 50")
    assert [row["message"] for row in found] == ["position mismatch", "api error"]
    assert _time(found[0]["created_at"]) == datetime(2026, 7, 14, 3, 33, 23, tzinfo=UTC)


async def test_missing_hours_are_those_inside_the_span_with_their_reason(
    database: Database,
) -> None:
    hours = ["2026-03-07T23:00:00Z", "2026-03-08T02:00:00Z", "2026-03-08T04:00:00Z"]
    async with database.begin() as connection:
        await connection.execute(
            insert(tables.market_snapshots), [_snapshot(each) for each in hours]
        )
        await connection.execute(
            insert(tables.collect_cycles).values(
                cycle_id="c",
                mode="collect",
                snapshot_hour_utc="2026-03-08T03:00:00Z",
                outcome="failed",
                scanned=0,
                inserted=0,
                errors=1,
                started_us=1,
                progress_json="[]",
            )
        )
    rows = await _all(database, "SELECT * FROM missing_hours")
    assert [(row["snapshot_hour_utc"], row["reason"]) for row in rows] == [
        ("2026-03-08T00:00:00Z", "the bot was not running"),
        ("2026-03-08T01:00:00Z", "the bot was not running"),
        ("2026-03-08T03:00:00Z", "the cycle failed"),
    ]


async def test_account_snapshots_and_instances_carry_the_documented_columns(
    database: Database,
) -> None:
    await grant_lease(database)
    await add(database, "account_snapshots")
    [row] = await _all(
        database, "SELECT * FROM account_snapshots ORDER BY created_at DESC LIMIT 20"
    )
    assert _time(row["created_at"]) == datetime.fromtimestamp(1_784_000_000, UTC)
    assert (float(row["total_balance"]), float(row["daily_pnl"])) == (100.25, -1.5)
    await _all(
        database,
        "SELECT instance_id, is_active, start_time, last_heartbeat FROM bot_instances"
        " WHERE is_active = TRUE",
    )


async def test_every_view_answers_on_an_empty_database(database: Database) -> None:
    for name in VIEW_NAMES:
        assert await _all(database, f"SELECT * FROM {name}") == [], name


@pytest.mark.parametrize("micros", [0, 1, 1_784_000_000_123_456, 4_102_444_799_999_999])
async def test_times_are_exact_to_the_millisecond(database: Database, micros: int) -> None:
    expression = time_text(database.dialect, f"CAST({micros} AS BIGINT)")
    [row] = await _all(database, f"SELECT {expression} AS moment")
    difference = _time(row["moment"]) - datetime.fromtimestamp(micros // 1_000_000, UTC)
    assert abs(difference.total_seconds() - micros % 1_000_000 / 1e6) <= 0.001


def _snapshot(hour: str) -> dict[str, Any]:
    return {
        "market_id": "KXFED-27",
        "snapshot_hour_utc": hour,
        "payload_json": "{}",
        "created_at_utc": hour,
        "event_ticker": "KXFED",
        "macro_event_type": "FED",
        "volume_24h_e2": 0,
        "open_interest_e2": 0,
        "close_us": 1,
    }


def _time(value: str | datetime) -> datetime:
    """PostgreSQL gives a timestamp, SQLite its text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)


async def _all(database: Database, query: str) -> list[Any]:
    async with database.read() as connection:
        return list((await connection.exec_driver_sql(query)).mappings())


def test_the_sample_rows_are_current() -> None:
    for name, row in FENCED_ROWS.items():
        assert set(row) <= set(tables.metadata.tables[name].c.keys()), name
