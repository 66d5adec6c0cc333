"""The monitor: what is watched, what the engine hears, and that one failing task stops no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from bot.domain.errors import ExchangeUnavailable
from bot.domain.events import (
    ApiCallsCounted,
    BooksDistrusted,
    ClockCompared,
    Event,
    ExchangeStatusRead,
    FeedLost,
    MarketsDropped,
    MarketsListed,
    QuoteChanged,
    TimeAdvanced,
)
from bot.domain.listing import Listing
from bot.domain.market import FeeTerms
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import BookDelta
from bot.engine.monitor import MarketMonitor, MonitorSettings
from bot.marketdata.universe import MarketFilter
from bot.ports.exchange import FeedDown, ListedMarket
from tests.fakes.exchange import FakeExchange
from tests.fakes.listing import listed, page
from tests.fakes.loop_clock import LoopClock
from tests.fakes.paper import TICKER, ScriptedFeed, snapshot

HOUR = 3_600_000_000
FEES = FeeTerms(fee_type="quadratic", multiplier_e6=1_000_000)
RULES = MarketFilter(liquidity_min_e6=1, volume_24h_min_e6=1)


def offered(ticker: str = TICKER) -> ListedMarket:
    close_us = LoopClock().now_us() + HOUR
    return listed(ticker, bid=9_000, ask=9_100, close_us=close_us)


class Watch:
    """A monitor over fakes, and all that it told the engine."""

    def __init__(self) -> None:
        self.exchange = FakeExchange()
        self.feed = ScriptedFeed()
        self.told: list[Event] = []
        self.held: frozenset[str] = frozenset()
        self.counted = [(3, 1)]
        self.known: list[Listing] = []
        self.monitor = MarketMonitor(
            self.exchange,
            self.feed,
            LoopClock(),
            MonitorSettings(series=("KXCPI",)),
            RULES,
            submit=self.told.append,
            held=lambda: self.held,
            api_calls=lambda: self.counted.pop(0) if self.counted else (0, 0),
            known=self.read_before,
        )

    async def read_before(self) -> list[Listing]:
        return self.known

    def offer(self, *markets: ListedMarket) -> None:
        self.exchange.pages["KXCPI", ""] = page(*markets)

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.told if isinstance(event, kind)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.monitor.run())
            await asyncio.sleep(0.5)
            yield
            task.cancel()


async def test_open_markets_are_listed_and_watched_and_time_passes() -> None:
    watch = Watch()
    watch.offer(offered())
    async with watch.running():
        await asyncio.sleep(10)
    (news,) = watch.of(MarketsListed)
    assert [one.market.ticker for one in news.listings] == [TICKER]
    assert watch.feed.watched == (TICKER,)
    assert len(watch.of(TimeAdvanced)) == 11
    assert [(one.calls, one.failed) for one in watch.of(ApiCallsCounted)] == [
        (3, 1),
        (0, 0),
        (0, 0),
    ]


async def test_listings_read_before_are_watched_at_once_and_read_anew_when_due() -> None:
    watch = Watch()
    watch.offer(offered(), offered("KXCPI-27-T9"))

    watch.known = [Listing(market=offered().market, fees=FEES, is_exclusive=False)]
    async with watch.running():
        assert watch.feed.watched == (TICKER,)
        assert watch.exchange.named("market_page") == []
        await asyncio.sleep(61)
    assert len(watch.feed.watched) == 2


async def test_books_become_quotes_and_a_lost_feed_becomes_distrust() -> None:
    watch = Watch()
    async with watch.running():
        watch.feed.push(
            snapshot([(9_000, 100)], [(9_200, 100)]), FeedDown(received_us=1, reason="")
        )
        await asyncio.sleep(0.1)
    (quoted,) = watch.of(QuoteChanged)
    assert (quoted.quote.bid, quoted.quote.ask) == (9_000, 9_200)
    assert [one.tickers for one in watch.of(BooksDistrusted)] == [(TICKER,)]
    assert len(watch.of(FeedLost)) == 1


async def test_a_book_that_does_not_add_up_is_asked_for_anew() -> None:
    watch = Watch()
    take = BookDelta(
        ticker=TICKER, side=BookSide.BID, price=Price(9_000), change=Quantity(-60), received_us=2
    )
    async with watch.running():
        watch.feed.push(snapshot([(9_000, 100)], [(9_200, 100)]), take)
        await asyncio.sleep(0.1)
        assert watch.feed.refreshed == []
        watch.feed.push(take)
        await asyncio.sleep(0.1)
    assert watch.feed.refreshed == [TICKER]
    assert [one.tickers for one in watch.of(BooksDistrusted)] == [(TICKER,)]


async def test_a_market_that_leaves_the_listing_is_dropped() -> None:
    watch = Watch()
    watch.offer(offered(), offered("KXCPI-2"))
    async with watch.running():
        watch.offer(offered())
        await asyncio.sleep(60)
    assert [one.tickers for one in watch.of(MarketsDropped)] == [("KXCPI-2",)]
    assert watch.feed.watched == (TICKER,)


async def test_a_held_market_that_leaves_the_listing_stays_watched_under_its_terms() -> None:
    watch = Watch()
    watch.offer(offered(), offered("KXCPI-2"))
    async with watch.running():
        watch.held = frozenset({"KXCPI-2"})
        watch.offer(offered())
        await asyncio.sleep(180)
        assert watch.of(MarketsDropped) == []
        assert set(watch.feed.watched) == {TICKER, "KXCPI-2"}
        assert [len(one.listings) for one in watch.of(MarketsListed)] == [2, 1, 1, 1]
        watch.held = frozenset()
        await asyncio.sleep(60)
    assert [one.tickers for one in watch.of(MarketsDropped)] == [("KXCPI-2",)]


async def test_what_is_held_and_was_never_listed_is_read_by_name() -> None:
    watch = Watch()
    watch.exchange.pages[None, ""] = page(offered("FOREIGN"))
    async with watch.running():
        watch.held = frozenset({"FOREIGN"})
        watch.monitor.look_again()
        await asyncio.sleep(1)
    assert watch.feed.watched == ("FOREIGN",)
    assert [one.market.ticker for one in watch.of(MarketsListed)[-1].listings] == ["FOREIGN"]


async def test_what_is_held_and_watched_already_is_not_read_again() -> None:
    watch = Watch()
    watch.offer(offered())
    async with watch.running():
        watch.held = frozenset({TICKER})
        watch.monitor.look_again()
        await asyncio.sleep(1)
    assert len(watch.exchange.named("market_page")) == 1


async def test_an_exchange_that_cannot_be_read_drops_nothing_and_stops_nothing() -> None:
    watch = Watch()
    watch.offer(offered())
    async with watch.running():
        watch.exchange.faults["fee_terms"] = [ExchangeUnavailable("down")] * 3
        watch.exchange.faults["status"] = [ExchangeUnavailable("down")] * 3
        ticks = len(watch.of(TimeAdvanced))
        await asyncio.sleep(150)
        assert len(watch.of(TimeAdvanced)) == ticks + 150
        assert watch.of(MarketsDropped) == []
        assert watch.feed.watched == (TICKER,)
        await asyncio.sleep(120)
    assert len(watch.of(MarketsListed)) > 1


@pytest.mark.parametrize(
    ("ahead_us", "skew_us"),
    [(0, 0), (999_999, 0), (1_500_000, 500_000), (-2_000_000, -2_000_000)],
)
async def test_the_clocks_are_compared_as_far_as_the_servers_goes(ahead_us, skew_us) -> None:
    watch = Watch()
    watch.exchange.state = replace(
        watch.exchange.state, server_us=LoopClock().now_us() - ahead_us, resume_us=5
    )
    async with watch.running():
        pass
    assert watch.of(ClockCompared)[0].skew_us == pytest.approx(skew_us, abs=1_000)
    assert watch.of(ExchangeStatusRead)[0].resume_us == 5


async def test_a_feed_that_ends_is_a_fault() -> None:
    class Ending(ScriptedFeed):
        async def run(self, listener):
            """Return at once."""

    watch = Watch()
    watch.monitor._feed = Ending()
    with pytest.raises(ExceptionGroup, match="unhandled") as caught:
        await watch.monitor.run()
    assert "the feed ended" in str(caught.value.exceptions)


def test_a_monitor_without_series_or_with_no_pause_is_refused() -> None:
    with pytest.raises(ValueError, match="series"):
        MonitorSettings(series=())
    with pytest.raises(ValueError, match="above 0"):
        MonitorSettings(series=("A",), tick_us=0)
