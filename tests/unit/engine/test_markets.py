"""What the engine knows of markets, and how far it trusts it."""

from bot.domain.events import (
    BooksDistrusted,
    MarketPhaseChanged,
    MarketsDropped,
    MarketsListed,
)
from bot.domain.ids import MarketTicker
from bot.domain.market import MarketStatus
from bot.domain.money import Price, Quantity
from bot.domain.quotes import Quote
from bot.engine.markets import Markets
from tests.support.trading import START_US, TICKER, a_listing

OTHER = MarketTicker("KXCPI-26DEC-T0.3")


def listed() -> Markets:
    markets = Markets()
    markets.listed(MarketsListed(received_us=START_US, listings=(a_listing(), a_listing(OTHER))))
    return markets


def quote() -> Quote:
    return Quote(
        ticker=TICKER,
        bid=Price(9_500),
        ask=Price(9_600),
        bid_size=Quantity(1),
        ask_size=Quantity(1),
        received_us=START_US,
    )


def test_a_book_is_trusted_from_its_first_quote_to_the_next_distrust() -> None:
    markets = listed()
    assert markets.trust(START_US) == (2, 2)
    market = markets.quoted(quote(), START_US)
    assert market is not None
    assert market.live_quote == quote()
    markets.distrusted(BooksDistrusted(received_us=START_US, tickers=(TICKER,), reason="gap"))
    assert market.live_quote is None
    assert market.quote == quote(), "the last one is kept for valuation"


def test_the_stream_is_newer_than_a_listing_that_did_not_change() -> None:
    markets = listed()
    closed = MarketPhaseChanged(
        received_us=START_US, ticker=TICKER, status=MarketStatus.INACTIVE, close_us=5, value=None
    )
    markets.phase(closed)
    markets.listed(MarketsListed(received_us=START_US, listings=(a_listing(),)))
    market = markets.get(TICKER)
    assert market is not None
    assert (market.status, market.close_us) == (MarketStatus.INACTIVE, 5)
    changed = a_listing(updated_us=START_US + 1)
    markets.listed(MarketsListed(received_us=START_US, listings=(changed,)))
    assert market.status is MarketStatus.ACTIVE


def test_a_market_is_open_until_its_close() -> None:
    market = listed().get(TICKER)
    assert market is not None
    assert market.is_open(market.close_us - 1)
    assert not market.is_open(market.close_us)


def test_a_market_we_hold_something_in_is_not_dropped() -> None:
    markets = listed()
    markets.dropped(
        MarketsDropped(received_us=START_US, tickers=(TICKER, OTHER)), frozenset({TICKER})
    )
    assert set(markets.by_ticker) == {TICKER}
    assert markets.quoted(quote(), START_US) is not None
