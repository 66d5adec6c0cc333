"""The past over HTTP from the simulated exchange: all of it, once, and equal to its own books."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from random import Random

import pytest

from bot.adapters.kalshi.gateway import KalshiExchange
from bot.adapters.kalshi.settings import RestSettings, hosts_of
from bot.adapters.storage.database import Database
from bot.adapters.storage.market_history import SqlMarketHistoryStore
from bot.collect.asking import Past
from bot.collect.backfill import KINDS, Backfill
from bot.collect.candle_backfill import Reading
from bot.collect.discovery import Discovery
from bot.collect.history_settings import HistorySettings
from bot.collect.settling import ClosedCleanup
from bot.domain.ids import MarketTicker, SeriesTicker
from bot.kit.times import DAY_US, HOUR_US, SECOND_US
from bot.simulator.faults import FaultRule
from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import RateLimits, SimulatorSettings
from bot.venue.markets import MarketResult
from tests.e2e.support.market import Market
from tests.fakes.clock import ManualClock
from tests.support.simulator import Client

pytestmark = pytest.mark.looptime(False)

STEP_US = 100 * SECOND_US


@dataclass
class Bench:
    """A simulated exchange that stands still, and a bot that reads its past."""

    sim: SimulatedExchange
    client: Client
    past: Past
    database: Database
    clock: ManualClock
    markets: list[Market]
    random: Random

    @property
    def exchange(self):
        return self.sim.exchange

    def live(self, duration_us: int) -> None:
        """Let the markets be quoted and traded for so long."""
        for _ in range(duration_us // STEP_US):
            for market in self.markets:
                bid = self.random.randrange(1_000, 9_000, 100)
                market.quote(bid, bid + 200)
                if self.random.random() < 0.5:
                    market.trade(bid + 200)
            self.pass_time(STEP_US)

    def pass_time(self, duration_us: int) -> None:
        """Let time pass without anybody trading or deciding anything."""
        self.exchange.clock.advance(duration_us)
        self.exchange.catch_up()
        self.clock.step(self.exchange.now_us() - self.clock.now_us())

    def settle(self, results: Iterator[MarketResult], tickers: Sequence[MarketTicker]) -> None:
        """Decide markets that have closed, and let the payments happen."""
        for ticker in tickers:
            operations, now_us = self.exchange.venue.operations, self.exchange.now_us()
            self.exchange.apply(operations.determine(ticker, next(results), now_us))
        self.pass_time(2 * HOUR_US)

    async def count(self, query: str) -> int:
        async with self.database.read() as connection:
            return (await connection.exec_driver_sql(query)).scalar_one()


@pytest.fixture
async def bench(database) -> AsyncIterator[Bench]:
    settings = SimulatorSettings(
        speed=0,
        limits=RateLimits(is_on=False),
        world="empty",
        historical_after_us=20 * DAY_US,
    )
    async with SimulatedExchange(settings) as sim, Client(sim) as client:
        clock = ManualClock(sim.exchange.now_us())
        address = f"http://127.0.0.1:{sim.port}"
        hosts = hosts_of("demo", address, address.replace("http", "ws"))
        rest = RestSettings(requests_per_second=1_000, tries=2)
        exchange = KalshiExchange(hosts, rest, signer=None, clock=clock, random=Random(1))
        async with exchange.open():
            past = Past(
                settings=HistorySettings(
                    series=(SeriesTicker("KXFED"),),
                    discovery_statuses=("open", "closed", "settled"),
                    margin_s=0,
                ),
                reads=exchange.history,
                store=SqlMarketHistoryStore(database),
                clock=clock,
            )
            markets = [Market(sim, MarketTicker(f"KXFED-26DEC-T{n}")) for n in range(4)]
            yield Bench(sim, client, past, database, clock, markets, Random(5))


async def test_everything_listed_is_stored_with_its_terms(bench: Bench) -> None:
    bench.live(HOUR_US)
    report = await Discovery(bench.past).run()
    assert report.is_complete, report
    assert (report.events, report.markets) == (1, 4)
    async with bench.database.read() as connection:
        query = "SELECT * FROM markets ORDER BY ticker LIMIT 1"
        row = (await connection.exec_driver_sql(query)).mappings().one()
    view = bench.exchange.market(bench.markets[0].ticker)
    assert (row["strike_type"], row["floor_strike"], row["cap_strike"]) == ("greater", "1.0", None)
    assert (row["close_us"], row["status"]) == (view.close_us, "active")
    assert (row["yes_bid_e4"], row["yes_ask_e4"]) == (view.yes_bid, view.yes_ask)
    assert (row["volume_e2"], row["open_interest_e2"]) == (view.volume, view.open_interest)
    assert json.loads(row["price_ranges_json"]) == [["0.0000", "1.0000", "0.0100"]]
    assert json.loads(row["details_json"])["rules_primary"] == "If it is, then Yes."
    assert await bench.count("SELECT count(*) FROM active_markets") == 4


async def test_candles_and_trades_equal_the_exchanges_own(bench: Bench) -> None:
    bench.live(HOUR_US)
    await Discovery(bench.past).run()
    until_us = bench.clock.now_us()
    reading = Reading(until_us=until_us, from_us=until_us - 5 * HOUR_US)
    markets = await bench.past.store.markets_of()
    report = await Backfill(bench.past).run(markets, reading, KINDS, minutes=(1, 60))
    assert report.is_complete, report
    trades = list(bench.exchange.trades(None))
    assert len(trades) > 30
    assert await bench.count("SELECT count(*) FROM market_trades") == len(trades)
    volume = sum(trade.quantity for trade in trades)
    assert await bench.count("SELECT sum(quantity_e2) FROM market_trades") == volume
    first_s = (until_us - 5 * HOUR_US) // SECOND_US
    for minutes in (1, 60):
        last_s = until_us // SECOND_US // (minutes * 60) * minutes * 60
        made = [
            candle
            for ticker in bench.exchange.catalog.markets
            for candle in bench.exchange.candles.read(ticker, first_s + 1, last_s, minutes)
        ]
        of_period = f"FROM market_candles WHERE period_minutes = {minutes}"
        assert await bench.count(f"SELECT count(*) {of_period}") == len(made) > 3
        assert await bench.count(f"SELECT sum(volume_e2) {of_period}") == sum(
            candle.volume for candle in made
        )


async def test_settled_markets_enter_the_ledger_live_and_archived(bench: Bench) -> None:
    bench.live(HOUR_US)
    await Discovery(bench.past).run()
    # Later ones are listed, and settle while nobody looks.
    late = [Market(bench.sim, MarketTicker(f"KXFED-27JAN-T{n}")) for n in range(3)]
    bench.pass_time(HOUR_US)
    await Discovery(bench.past).run()
    bench.pass_time(DAY_US)
    results = cycle([MarketResult.YES, MarketResult.NO])
    bench.settle(results, [market.ticker for market in bench.markets])
    cleanup = ClosedCleanup(bench.past)
    report = await cleanup.run()
    assert (report.settled, report.waiting, report.error) == (4, 3, None)
    bench.settle(results, [market.ticker for market in late])
    bench.pass_time(25 * DAY_US)
    report = await cleanup.run()
    assert (report.settled, report.waiting, report.gone, report.error) == (3, 0, 0, None)
    ledger = await bench.past.store.settlements()
    assert len(ledger) == 7
    for row in ledger:
        view = bench.exchange.market(row.ticker)
        assert (row.result, row.settlement_value) == (view.result, view.settlement_value)
        assert row.settled_us == view.settled_us
    first = next(row for row in ledger if row.ticker == bench.markets[0].ticker)
    [at_5, *_] = first.prices
    view = bench.exchange.candles.read(first.ticker, 0, first.close_us // SECOND_US - 300, 1)[-1]
    assert (at_5.yes_bid, at_5.yes_ask) == (view.bid.close, view.ask.close)
    assert at_5.observed_us == view.end_s * SECOND_US


async def test_the_archive_is_read_like_the_live_tier(bench: Bench) -> None:
    bench.live(HOUR_US)
    await Discovery(bench.past).run()
    bench.pass_time(30 * DAY_US)
    bench.settle(cycle([MarketResult.NO]), [market.ticker for market in bench.markets])
    bench.pass_time(30 * DAY_US)
    trades = list(bench.exchange.trades(None))
    markets = await bench.past.store.markets_of()
    reading = Reading(until_us=bench.clock.now_us(), from_us=None, label="open")
    report = await Backfill(bench.past).run(markets, reading, KINDS, minutes=(1_440,))
    assert report.is_complete, report
    assert await bench.count("SELECT count(*) FROM market_trades") == len(trades) > 0
    assert await bench.count("SELECT count(*) FROM market_candles") > 0
    again = await Backfill(bench.past).run(markets, reading, KINDS, minutes=(1_440,))
    assert (again.candles, again.trades) == (0, 0)


async def test_an_outage_in_between_costs_nothing(bench: Bench) -> None:
    bench.live(HOUR_US)
    await Discovery(bench.past).run()
    faults = bench.exchange.faults
    faults.arm(FaultRule(kind="503", path="/trade-api/v2/markets/trades", count=6, after=1))
    markets = await bench.past.store.markets_of()
    reading = Reading(until_us=bench.clock.now_us(), from_us=None, label="open")
    backfill = Backfill(bench.past)
    reports = [await backfill.run(markets, reading, KINDS, minutes=(60,)) for _ in range(3)]
    assert not reports[0].is_complete
    assert reports[-1].is_complete, reports[-1]
    trades = list(bench.exchange.trades(None))
    assert await bench.count("SELECT count(*) FROM market_trades") == len(trades)
