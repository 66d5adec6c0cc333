"""The stream in the database, by real processes: collected alone or beside trading, and killed."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.adapters.storage.database import Database
from bot.adapters.storage.stream_reads import SqlStreamReads
from bot.domain.orders import BookSide
from bot.kit.clock import SystemClock
from bot.kit.times import SECOND_US
from bot.marketdata.rebuild import rebuilt
from bot.simulator.faults import FaultRule
from bot.simulator.server import SimulatedExchange
from bot.simulator.subscriptions import FrameFault
from tests.e2e.support.bot import Home, home_of
from tests.e2e.support.market import TICKER, Market

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

COLLECTING = {"KALSHI_WS_ENABLE": "1", "WS_DB_FLUSH_SECONDS": "0.1", "WS_SUB_REFRESH_SECONDS": "1"}
TRADES = "SELECT trade_id FROM market_trades"
GAPS = "SELECT reason, ended, ticker, from_us, to_us FROM stream_gap_history ORDER BY from_us"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def home(
    request: pytest.FixtureRequest, exchange: SimulatedExchange, market: Market, tmp_path: Path
) -> AsyncIterator[Home]:
    url = request.getfixturevalue(f"{request.param}_url")
    async with home_of(tmp_path, url, exchange) as made:
        made.settings |= COLLECTING
        yield made


async def stored_book(home: Home):
    database = await Database.open(home.database)
    try:
        return await rebuilt(SqlStreamReads(database), TICKER, SystemClock().now_us())
    finally:
        await database.close()


async def until_stored(home: Home, bid: int, ask: int) -> None:
    """Until the book that is rebuilt from the tables is the one of the exchange."""
    for _ in range(300):
        book = await stored_book(home)
        if book is not None and (book.best_bid, book.best_ask) == (bid, ask):
            sizes = {side: book.levels(side)[0].quantity for side in BookSide}
            assert sizes == dict.fromkeys(BookSide, 2_000_000)
            return
        await home.until_rows("SELECT 1", lambda _: True)
    raise AssertionError(home.story())


async def test_a_killed_collector_doubles_nothing_and_says_what_it_missed(
    home: Home, market: Market
) -> None:
    first = home.bot()
    await first.reach("leading")
    await home.until_rows("SELECT count(*) FROM market_ticks", lambda rows: rows[0][0] > 0)
    for step in range(5):
        market.quote(9_000 + 100 * step, 9_500 + 100 * step)
    await until_stored(home, 9_400, 9_900)
    market.trade(9_900)
    [known] = await home.until_rows(TRADES, len)
    first.process.send_signal(signal.SIGKILL)
    await first.ended()
    killed_us = SystemClock().now_us()
    market.quote(9_100, 9_200)
    market.trade(9_200)  # nobody listens
    market.quote(9_100, 9_200)
    second = home.bot()
    await second.reach("leading")
    await until_stored(home, 9_100, 9_200)
    market.quote(9_300, 9_400)
    await until_stored(home, 9_300, 9_400)
    market.trade(9_400)
    trades = await home.until_rows(TRADES, lambda rows: len(rows) == 2)
    assert known in trades
    gaps = await home.rows(GAPS)
    [(_, ended, ticker, from_us, to_us)] = [row for row in gaps if row[0] == "restart"]
    assert (ended, ticker) == ("resumed", None)
    assert from_us <= killed_us < to_us < SystemClock().now_us()
    twice = "SELECT 1 FROM market_ticks GROUP BY market_no, exchange_us, digest HAVING count(*) > 1"
    assert await home.rows(twice) == []
    await judge_smoke_check(home)


async def judge_smoke_check(home: Home) -> None:
    """What an operator looks at after a start: ticks, and how fresh they are."""
    marks = dict(await home.rows("SELECT key, value FROM ingest_state"))
    assert {"last_tick_ts", "last_ws_tick_ts", "ws_heartbeat"} <= marks.keys()
    [(ticker, _)] = await home.rows("SELECT ticker, count(*) FROM ticks GROUP BY ticker")
    assert ticker == TICKER


async def test_an_orderly_end_stores_what_was_heard(home: Home, market: Market) -> None:
    bot = home.bot(WS_DB_FLUSH_SECONDS="30", WS_DB_BATCH_SIZE="5000")
    await bot.reach("leading")
    # Nothing is written for half a minute: only the end can have stored it.
    await bot.until_said("metric=ws.connected")
    for step in range(40):
        market.quote(9_000 + 100 * (step % 4), 9_500)
        await home.until_rows("SELECT 1", lambda _: True)
    ended = await bot.told(signal.SIGTERM)
    assert ended.code == 0
    [(count,)] = await home.rows("SELECT count(*) FROM book_deltas")
    assert count > 10
    assert await home.rows("SELECT value FROM ingest_state WHERE key = 'last_ws_tick_ts'")


async def test_a_bot_that_trades_stores_what_it_trades_on(
    exchange: SimulatedExchange, market: Market, sqlite_url: str, tmp_path: Path
) -> None:
    async with home_of(tmp_path, sqlite_url, exchange) as home:
        home.take_time()
        home.settings |= {
            "BOT_MODE": "trade",
            "BOT_TRADING__ALWAYS_WATCH": '["KXFED"]',
            "BOT_TRADING__REFRESH_S": "1",
            "WS_DB_FLUSH_SECONDS": "0.1",
        }
        bot = home.bot()
        await bot.reach("leading")
        market.quote(9_200, 9_300)
        await until_stored(home, 9_200, 9_300)
        await home.until_rows("SELECT count(*) FROM market_ticks", lambda rows: rows[0][0] > 0)
        [(name,)] = await home.until_rows(
            "SELECT key FROM ingest_state WHERE key LIKE 'ws_stored_us:%'", len
        )
        assert name == "ws_stored_us:paper:main:0 0/1"


async def test_a_lost_connection_is_a_gap(home: Home, market: Market) -> None:
    bot = home.bot()
    await bot.reach("leading")
    await until_stored(home, 9_400, 9_500)
    faults = home.exchange.exchange.faults
    faults.arm(FaultRule(kind=FrameFault.DISCONNECT, channel="orderbook_delta"))
    market.quote(9_100, 9_200)
    await until_stored(home, 9_100, 9_200)
    [(reason, ended, _, from_us, to_us)] = [row for row in await home.rows(GAPS) if row[2] is None]
    assert (reason, ended) == ("disconnected", "resumed")
    assert 0 < to_us - from_us < 60 * SECOND_US
