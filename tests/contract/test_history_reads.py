"""The fake past answers as the real client does, asked over HTTP for the very same things."""

from collections.abc import AsyncIterator
from random import Random

import pytest

from bot.adapters.kalshi.gateway import KalshiExchange
from bot.adapters.kalshi.settings import RestSettings, hosts_of
from bot.domain.errors import RequestRefused
from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US
from bot.ports.history_reads import CandleQuery, EventQuery, HistoryReads, RecordQuery, TradeQuery
from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import RateLimits, SimulatorSettings
from bot.venue.markets import MarketResult
from tests.e2e.support.market import Market
from tests.fakes.clock import ManualClock
from tests.fakes.history_reads import FakePast

pytestmark = pytest.mark.looptime(False)

FED = SeriesTicker("KXFED")
OLD, LIVE, OPEN = (MarketTicker(f"KXFED-26{month}-T1") for month in ("SEP", "OCT", "NOV"))
TICKERS = (OLD, LIVE, OPEN)


@pytest.fixture
async def pair() -> AsyncIterator[tuple[HistoryReads, FakePast, int]]:
    """The real client over a world with an archived, a settled and an open market; the fake."""
    settings = SimulatorSettings(
        speed=0, world="empty", limits=RateLimits(is_on=False), historical_after_us=20 * DAY_US
    )
    async with SimulatedExchange(settings) as sim:
        start_us = sim.exchange.now_us()
        for ticker, pause_us in ((OLD, 40 * DAY_US), (LIVE, 2 * DAY_US)):
            live(sim, Market(sim, ticker))
            advance(sim, 2 * HOUR_US)
            operations, now_us = sim.exchange.venue.operations, sim.exchange.now_us()
            sim.exchange.apply(operations.determine(ticker, MarketResult.YES, now_us))
            advance(sim, pause_us)
        live(sim, Market(sim, OPEN))
        address = f"http://127.0.0.1:{sim.port}"
        hosts = hosts_of("demo", address, address.replace("http", "ws"))
        clock = ManualClock(sim.exchange.now_us())
        rest = RestSettings(requests_per_second=1_000)
        exchange = KalshiExchange(hosts, rest, signer=None, clock=clock, random=Random(1))
        async with exchange.open():
            yield exchange.history, await copied(exchange.history, start_us, clock), start_us


def live(sim: SimulatedExchange, market: Market) -> None:
    for bid in (3_000, 3_500, 4_000):
        market.quote(bid, bid + 200)
        market.trade(bid + 200)
        market.quote(bid, bid + 300)
        advance(sim, 7 * MINUTE_US)


def advance(sim: SimulatedExchange, duration_us: int) -> None:
    sim.exchange.clock.advance(duration_us)
    sim.exchange.catch_up()


async def copied(real: HistoryReads, start_us: int, clock: ManualClock) -> FakePast:
    """A fake that knows what the real one tells of every market."""
    cutoff = await real.cutoff()
    fake = FakePast(page_size=1_000, border_us=cutoff.markets_us)
    page = await real.event_page(EventQuery(series_ticker=FED))
    fake.events = {each.event_ticker: each for each in page.events}
    for is_archived in (False, True):
        listed = await real.record_page(RecordQuery(series_ticker=FED, is_archived=is_archived))
        fake.records |= {each.ticker: each for each in listed.markets}
        for each in listed.markets:
            trades = TradeQuery(
                ticker=each.ticker, min_us=start_us, max_us=clock.now_us(), is_archived=is_archived
            )
            fake.held_trades += (await real.trade_page(trades)).trades
            fake.held_candles += (
                await real.candles(of_hour(each, is_archived=is_archived))
            ).candles
    return fake


def of_hour(record, *, is_archived: bool) -> CandleQuery:
    return CandleQuery(
        tickers=(record.ticker,),
        start_us=record.open_us,
        end_us=record.open_us + 5 * HOUR_US,
        period_minutes=1,
        is_archived=is_archived,
    )


async def test_the_world_has_both_tiers(pair) -> None:
    _, fake, _ = pair
    assert set(fake.records) == set(TICKERS)
    assert len(fake.held_trades) >= 9
    assert len(fake.held_candles) >= 9
    assert await fake.cutoff() == await pair[0].cutoff()


@pytest.mark.parametrize("status", [None, "open", "settled", "unopened"])
async def test_events_by_status(pair, status) -> None:
    real, fake, _ = pair
    query = EventQuery(series_ticker=FED, status=status)
    told, said = await real.event_page(query), await fake.event_page(query)
    assert {each.event_ticker for each in told.events} >= {
        each.event_ticker for each in said.events
    }
    live = [one for one in TICKERS if one != OLD]
    assert {one.ticker for one in told.markets} <= set(live)
    by_ticker = EventQuery(tickers=(EventTicker("KXFED-26NOV"),))
    told, said = await real.event_page(by_ticker), await fake.event_page(by_ticker)
    assert (
        [each.ticker for each in told.markets] == [each.ticker for each in said.markets] == [OPEN]
    )


@pytest.mark.parametrize("is_archived", [False, True])
@pytest.mark.parametrize("tickers", [(), TICKERS, (OLD,), (MarketTicker("KXNONE-1"),)])
async def test_markets_by_tier_and_ticker(pair, is_archived, tickers) -> None:
    real, fake, _ = pair
    query = RecordQuery(series_ticker=FED, tickers=tickers, is_archived=is_archived)
    told, said = await real.record_page(query), await fake.record_page(query)
    assert {each.ticker: each for each in told.markets} == {
        each.ticker: each for each in said.markets
    }


async def test_changes_since(pair) -> None:
    real, fake, _ = pair
    since_us = fake.records[OPEN].updated_us
    query = RecordQuery(series_ticker=FED, min_updated_us=since_us)
    told, said = await real.record_page(query), await fake.record_page(query)
    assert {one.ticker for one in told.markets} == {one.ticker for one in said.markets} == {OPEN}


async def test_live_candles_leave_out_what_is_archived_or_unknown(pair) -> None:
    real, fake, _ = pair
    opens_us = fake.records[LIVE].open_us
    query = CandleQuery(
        tickers=(*TICKERS, MarketTicker("KXNONE-1")),
        start_us=opens_us,
        end_us=opens_us + DAY_US,
        period_minutes=1,
    )
    told, said = await real.candles(query), await fake.candles(query)
    assert told.known == said.known == {LIVE, OPEN}
    shown = [each for each in told.candles if each in fake.held_candles]
    assert {each.end_us for each in shown} >= {each.end_us for each in said.candles}


async def test_the_archive_knows_its_own_alone(pair) -> None:
    real, fake, _ = pair
    query = of_hour(fake.records[OLD], is_archived=True)
    assert (await real.candles(query)).candles == (await fake.candles(query)).candles
    wrong = of_hour(fake.records[LIVE], is_archived=True)
    for one in (real, fake):
        with pytest.raises(RequestRefused) as refusal:
            await one.candles(wrong)
        assert refusal.value.status == 404


@pytest.mark.parametrize("ticker", TICKERS)
@pytest.mark.parametrize("is_archived", [False, True])
async def test_trades_newest_first_bounds_included(pair, ticker, is_archived) -> None:
    real, fake, _ = pair
    own = sorted(each.executed_us for each in fake.held_trades if each.ticker == ticker)
    query = TradeQuery(ticker=ticker, min_us=own[1], max_us=own[-1], is_archived=is_archived)
    told, said = await real.trade_page(query), await fake.trade_page(query)
    assert [one.executed_us for one in told.trades] == [one.executed_us for one in said.trades]
    assert {one.trade_id for one in told.trades} == {one.trade_id for one in said.trades}
    assert bool(told.trades) == ((ticker == OLD) == is_archived)
