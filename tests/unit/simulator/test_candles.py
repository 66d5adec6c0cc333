"""Candles from minutes."""

from dataclasses import replace

from bot.domain.ids import FillId
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import PublicTrade
from bot.kit.times import parse_rfc3339
from bot.simulator.candles import Candles
from bot.venue.markets import MarketView
from tests.support.exchange import TICKER, stand

START = parse_rfc3339("2026-11-21T13:00:10Z")
MINUTE = 60_000_000


def view(bid: int, ask: int) -> MarketView:
    found = stand().exchange.market(TICKER)
    assert found is not None
    return replace(found, yes_bid=Price(bid), yes_ask=Price(ask))


def trade(price: int, contracts: int, at_us: int) -> PublicTrade:
    return PublicTrade(
        trade_id=FillId("t"), ticker=TICKER, price=Price(price),
        quantity=Quantity(contracts * 100), taker_side=BookSide.BID, is_block=False,
        executed_us=at_us, received_us=at_us,
    )  # fmt: skip


def filled() -> Candles:
    candles = Candles()
    candles.quote(view(4_000, 4_200), START)
    candles.trade(trade(4_200, 1, START + 1))
    candles.trade(trade(4_000, 3, START + 2))
    candles.quote(view(3_900, 4_300), START + 3)
    candles.quote(view(4_100, 4_200), START + 3 * MINUTE)
    return candles


def test_a_minute_knows_open_high_low_close_and_mean() -> None:
    end_s = parse_rfc3339("2026-11-21T13:01:00Z") // 1_000_000
    found = filled().read(TICKER, end_s - 60, end_s + 600, 1)
    assert [candle.end_s for candle in found] == [end_s, end_s + 180]
    body = found[0].body()
    assert body["price"] == {
        "open_dollars": "0.4200", "high_dollars": "0.4200", "low_dollars": "0.4000",
        "close_dollars": "0.4000", "mean_dollars": "0.4050",
    }  # fmt: skip
    assert body["volume_fp"] == "4.00"
    assert body["yes_bid"]["low_dollars"] == "0.3900"
    assert body["yes_ask"]["high_dollars"] == "0.4300"
    quiet = found[1].body()
    assert quiet["price"] == {"previous_dollars": "0.4000"}
    assert quiet["yes_bid"]["open_dollars"] == "0.3900"


def test_hours_and_days_join_their_minutes() -> None:
    hour_s = parse_rfc3339("2026-11-21T14:00:00Z") // 1_000_000
    hours = filled().read(TICKER, hour_s - 3_600, hour_s, 60)
    assert [(candle.end_s, candle.volume) for candle in hours] == [(hour_s, 400)]
    midnight_s = parse_rfc3339("2026-11-22T05:00:00Z") // 1_000_000
    days = filled().read(TICKER, hour_s, midnight_s, 1_440)
    assert [candle.end_s for candle in days] == [midnight_s]
    assert days[0].bid.close == 4_100


def test_reading_changes_nothing() -> None:
    candles = filled()
    hour_s = parse_rfc3339("2026-11-21T14:00:00Z") // 1_000_000
    first = [candle.body() for candle in candles.read(TICKER, 0, hour_s, 60)]
    assert [candle.body() for candle in candles.read(TICKER, 0, hour_s, 60)] == first


def test_the_latest_before_a_moment_is_found() -> None:
    candles = filled()
    end_s = parse_rfc3339("2026-11-21T13:01:00Z") // 1_000_000
    found = candles.latest_before(TICKER, end_s + 1)
    assert found is not None
    assert found.end_s == end_s
    assert candles.latest_before(TICKER, end_s) is None
    assert Candles().read(TICKER, 0, end_s, 1) == []


def test_the_historical_tier_has_its_own_names() -> None:
    end_s = parse_rfc3339("2026-11-21T13:01:00Z") // 1_000_000
    body = filled().read(TICKER, end_s, end_s, 1)[0].historical_body()
    assert set(body) == {
        "end_period_ts", "yes_bid", "yes_ask", "price", "volume", "open_interest",
    }  # fmt: skip
    assert body["price"]["mean"] == "0.4050"
    assert body["yes_bid"]["close"] == "0.3900"
