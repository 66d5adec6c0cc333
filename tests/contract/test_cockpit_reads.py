"""What the chat looks up is the same on both databases, and of its own scope."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sqlalchemy import insert

from bot.adapters.storage import tables, tables_market
from bot.adapters.storage.cockpit import SqlCockpitReads
from bot.adapters.storage.database import Database
from bot.adapters.storage.logs import SqlLogs
from bot.adapters.storage.trading import SqlTradingStore
from bot.domain.ids import Scope
from bot.domain.orders import BookSide
from bot.domain.records import BracketRecord, BracketState, ExitReason
from tests.contract.test_trading_store import NOW, SCOPE, UNHALTED, bracket, fill, snapshot
from tests.support.rows import grant_lease

pytestmark = pytest.mark.looptime(False)

HOUR = 3_600_000_000


@dataclass
class Bench:
    database: Database
    store: SqlTradingStore
    reads: SqlCockpitReads

    async def commit(self, *records: object) -> None:
        await self.store.commit(7, records, (), NOW)  # type: ignore[arg-type]


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[Bench]:
    database = await Database.open(database_url)
    store = SqlTradingStore(database, SCOPE)
    await grant_lease(database, epoch=7)
    await store.save_halt(UNHALTED)
    yield Bench(database, store, SqlCockpitReads(database, Scope(SCOPE)))
    await database.close()


def closed(name: str, at_us: int, **changes: object) -> BracketRecord:
    fields: dict[str, object] = {
        "state": BracketState.CLOSED,
        "exited": 1_050,
        "exit_value": 1_000_000,
        "exit_reason": ExitReason.TAKE_PROFIT,
        "closed_us": at_us,
    }
    return bracket(name, **(fields | changes))


async def test_trades_are_the_closed_positions_newest_first(bench: Bench) -> None:
    await bench.commit(
        closed("b1", NOW),
        closed("b2", NOW + HOUR, side=BookSide.BID, state=BracketState.SETTLED),
        closed("b3", NOW + 2 * HOUR, entered=0, exited=0, entry_cost=0, exit_value=0),
        bracket("b4"),
    )
    assert [one.bracket_id for one in await bench.reads.trades()] == ["b2", "b1"]
    assert [one.bracket_id for one in await bench.reads.trades(limit=1)] == ["b2"]
    assert [one.bracket_id for one in await bench.reads.trades(since_us=NOW + 1)] == ["b2"]
    assert await bench.reads.trades(ticker="OTHER") == []
    newest = (await bench.reads.trades())[0]
    assert newest.cost == 945_000
    assert newest.view.profit == 1_000_000 - 945_000 - 1_234
    assert (newest.view.is_yes, newest.view.reason) == (True, "take_profit")
    # 10.5 contracts for $0.945 and back for $1: mean prices, to the nearest $0.0001.
    assert (newest.view.entry_price, newest.view.exit_price) == (900, 952)
    other = SqlCockpitReads(bench.database, Scope("live:main:0"))
    assert await other.trades() == []


async def test_a_trade_has_the_series_that_the_exchange_gave_its_market(bench: Bench) -> None:
    await bench.commit(closed("b1", NOW))
    [unknown] = await bench.reads.trades()
    assert unknown.view.series == "KXFED", "its event stands in until the market was listed"
    values = {
        "ticker": "KXFED-27",
        "event_ticker": "KXFED",
        "series_ticker": "RATES",
        "title": "t",
        "market_type": "binary",
        "status": "active",
        "exchange_index": 0,
        "open_us": 1,
        "close_us": 2,
        "first_close_us": 2,
        "can_close_early": False,
        "settlement_timer_s": 0,
        "price_ranges_json": "[]",
        "details_json": "{}",
        "result": "",
        "volume_e2": 0,
        "open_interest_e2": 0,
        "first_seen_us": 1,
        "last_seen_us": 1,
    }
    async with bench.database.begin() as connection:
        await connection.execute(insert(tables_market.markets).values(values))
    [known] = await bench.reads.trades()
    assert known.view.series == "RATES"


async def test_fills_are_those_of_one_market_since_a_moment(bench: Bench) -> None:
    await bench.commit(
        fill("f1"),
        fill("f2", executed_us=NOW + 5, side=BookSide.BID, is_taker=True),
        fill("f3", ticker="OTHER"),
        fill("f4", executed_us=NOW - HOUR),
    )
    newest, oldest = await bench.reads.fills("KXFED-27", NOW, 10)
    assert (newest.executed_us, newest.is_bid, newest.is_taker) == (NOW + 5, True, True)
    assert (oldest.executed_us, oldest.is_bid, oldest.fee) == (NOW, False, 1_234)
    assert len(await bench.reads.fills("KXFED-27", 0, 2)) == 2


async def test_a_curve_is_thinned_out_evenly_and_keeps_its_newest_point(bench: Bench) -> None:
    rows = [snapshot(NOW + place, 1_000_000 + place) for place in range(2_100)]
    for start in range(0, len(rows), 500):
        await bench.commit(*rows[start : start + 500])
    points = await bench.reads.curve(0)
    assert len(points) == 1_050
    assert (points[-1].at_us, points[-1].equity) == (NOW + 2_099, 1_002_099)
    assert [one.at_us for one in points] == sorted(one.at_us for one in points)
    assert len(await bench.reads.curve(NOW + 2_098)) == 2
    assert points[0].unrealized == 2


async def test_prices_come_from_candles_and_snapshots_in_order(bench: Bench) -> None:
    candle = {
        f"{side}_{kind}_e4": value
        for side, value in (("bid", 0), ("ask", 9_700))
        for kind in ("open", "high", "low", "close")
    }
    rows = [
        candle
        | {"ticker": "T", "period_minutes": minutes, "end_us": end_us}
        | {"volume_e2": 0, "open_interest_e2": 0}
        for minutes, end_us in ((1, 60_000_000), (1_440, 61_000_000))
    ]
    seen = {
        "market_id": "T",
        "snapshot_hour_utc": "1970-01-01T00:00:00Z",
        "created_at_utc": "1970-01-01T00:00:30Z",
        "payload_json": "{}",
        "event_ticker": "E",
        "macro_event_type": "other",
        "yes_bid_e4": 9_500,
        "volume_24h_e2": 0,
        "open_interest_e2": 0,
        "close_us": 1,
    }
    async with bench.database.begin() as connection:
        await connection.execute(insert(tables_market.market_candles), rows)
        await connection.execute(insert(tables.market_snapshots).values(seen))
    found = await bench.reads.prices("T", 0, 10 * HOUR)
    assert [(one.at_us, one.bid, one.ask) for one in found] == [
        (30_000_000, 9_500, None),
        (60_000_000, None, 9_700),
    ]
    assert await bench.reads.prices("T", 31_000_000, 59_000_000) == []
    assert await bench.reads.prices("OTHER", 0, 10 * HOUR) == []


async def test_cycles_and_log_lines_are_the_newest(bench: Bench) -> None:
    cycle = {
        "mode": "collect",
        "outcome": "complete",
        "scanned": 3,
        "inserted": 2,
        "errors": 0,
        "started_us": 1,
        "progress_json": "{}",
    }
    async with bench.database.begin() as connection:
        for hour in ("2026-11-21T05:00:00Z", "2026-11-21T06:00:00Z"):
            row = cycle | {"cycle_id": hour, "snapshot_hour_utc": hour}
            await connection.execute(insert(tables.collect_cycles).values(row))
    assert [one.hour for one in await bench.reads.cycles(1)] == ["2026-11-21T06:00:00Z"]
    line = {"service": "bot", "logger": "bot.app", "data_json": '{"series": "KXFED", "tries": 5}'}
    await SqlLogs(bench.database).append(
        [
            line | {"at_us": 1, "level": "ERROR", "message": "old"},
            line | {"at_us": 2, "level": "WARNING", "message": "odd"},
            line | {"at_us": 3, "level": "CRITICAL", "message": "bad", "data_json": ""},
        ]
    )
    assert [one.message for one in await bench.reads.logs(10, "WARNING")] == ["bad", "odd", "old"]
    assert [one.message for one in await bench.reads.logs(10, "ERROR")] == ["bad", "old"]
    [newest] = await bench.reads.logs(1, "CRITICAL")
    assert (newest.message, newest.facts) == ("bad", ())
    oldest = (await bench.reads.logs(10, "ERROR"))[-1]
    assert oldest.facts == (("series", "KXFED"), ("tries", "5"))
