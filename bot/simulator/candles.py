"""Candlesticks: quotes and trades folded into minutes, and minutes into hours and days.

Minutes in which nothing changed have no candle, as at the venue. Days end at
midnight in New York.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from bot.domain.ids import MarketTicker
from bot.domain.money import PAYOUT, Price, Quantity, format_price, format_quantity
from bot.domain.quotes import PublicTrade
from bot.kit.times import MINUTE_US, SECOND_US, to_datetime
from bot.simulator.bodies import Json
from bot.venue.markets import MarketView

_MINUTE_S = 60
_HOUR_S = 3_600
_NEW_YORK = ZoneInfo("America/New_York")


@dataclass(slots=True)
class Span:
    """Open, high, low and close of one price."""

    open: Price
    high: Price
    low: Price
    close: Price

    def add(self, price: Price) -> None:
        """Take in the next price."""
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price

    def join(self, later: "Span") -> "Span":
        """Both spans as one, the other being later."""
        high, low = max(self.high, later.high), min(self.low, later.low)
        return Span(self.open, high, low, later.close)

    def body(self) -> Json:
        """The four prices of an answer."""
        return {
            "open_dollars": format_price(self.open),
            "high_dollars": format_price(self.high),
            "low_dollars": format_price(self.low),
            "close_dollars": format_price(self.close),
        }


def flat(price: Price) -> Span:
    """A span of one price."""
    return Span(price, price, price, price)


@dataclass(slots=True, kw_only=True)
class Candle:
    """One period, named by the second it ends at. ``paid`` sums price times quantity."""

    end_s: int
    bid: Span
    ask: Span
    price: Span | None
    previous: Price | None
    paid: int
    volume: Quantity
    open_interest: Quantity

    def join(self, later: "Candle", end_s: int) -> "Candle":
        """Both candles as one period that ends at ``end_s``, the other being later."""
        price = self.price
        if later.price is not None:
            price = later.price if price is None else price.join(later.price)
        return Candle(
            end_s=end_s,
            bid=self.bid.join(later.bid),
            ask=self.ask.join(later.ask),
            price=price,
            previous=self.previous,
            paid=self.paid + later.paid,
            volume=Quantity(self.volume + later.volume),
            open_interest=later.open_interest,
        )

    def body(self) -> Json:
        """A live candlestick; without trades ``price`` knows the previous one only."""
        price: Json = {}
        if self.price is not None:
            price = self.price.body()
            price["mean_dollars"] = format_price(Price(self.paid // self.volume))
        if self.previous is not None:
            price["previous_dollars"] = format_price(self.previous)
        return {
            "end_period_ts": self.end_s,
            "yes_bid": self.bid.body(),
            "yes_ask": self.ask.body(),
            "price": price,
            "volume_fp": format_quantity(self.volume),
            "open_interest_fp": format_quantity(self.open_interest),
        }

    def historical_body(self) -> Json:
        """The same with the unsuffixed keys of the historical endpoint."""
        live = self.body()
        prices = ("open", "high", "low", "close", "mean", "previous")
        return {
            "end_period_ts": self.end_s,
            "yes_bid": {key.removesuffix("_dollars"): v for key, v in live["yes_bid"].items()},
            "yes_ask": {key.removesuffix("_dollars"): v for key, v in live["yes_ask"].items()},
            "price": {key: live["price"].get(f"{key}_dollars") for key in prices},
            "volume": live["volume_fp"],
            "open_interest": live["open_interest_fp"],
        }


class Candles:
    """The minutes of every market."""

    def __init__(self) -> None:
        self._minutes: dict[MarketTicker, list[Candle]] = {}

    def quote(self, view: MarketView, at_us: int) -> None:
        """Take in a market's quotes."""
        bid = Price(0) if view.yes_bid is None else view.yes_bid
        ask = PAYOUT if view.yes_ask is None else view.yes_ask
        candle = self._current(view.ticker, at_us, bid, ask)
        candle.bid.add(bid)
        candle.ask.add(ask)
        candle.open_interest = view.open_interest

    def trade(self, trade: PublicTrade) -> None:
        """Take in a trade."""
        minutes = self._minutes.get(trade.ticker)
        quotes = minutes[-1] if minutes else None
        bid = quotes.bid.close if quotes else Price(0)
        ask = quotes.ask.close if quotes else PAYOUT
        candle = self._current(trade.ticker, trade.executed_us, bid, ask)
        if candle.price is None:
            candle.price = flat(trade.price)
        candle.price.add(trade.price)
        candle.paid += trade.price * trade.quantity
        candle.volume = Quantity(candle.volume + trade.quantity)

    def put(self, ticker: MarketTicker, candles: Sequence[Candle]) -> None:
        """Give a market minutes of the time before the simulation, oldest first."""
        self._minutes[ticker] = [*candles, *self._minutes.get(ticker, [])]

    def read(self, ticker: MarketTicker, start_s: int, end_s: int, period_min: int) -> list[Candle]:
        """The candles whose period ends within the span, both ends included."""
        end_of = _period_end(period_min)
        minutes = self._minutes.get(ticker, [])
        first = bisect_left(minutes, start_s - _DAY_AND_HOUR_S, key=lambda candle: candle.end_s)
        last = bisect_right(minutes, end_s, key=lambda candle: candle.end_s)
        periods: list[Candle] = []
        for minute in minutes[first:last]:
            ends = end_of(minute.end_s)
            if periods and periods[-1].end_s == ends:
                periods[-1] = periods[-1].join(minute, ends)
            else:
                periods.append(_copy(minute, ends))
        return [candle for candle in periods if start_s <= candle.end_s <= end_s]

    def latest_before(self, ticker: MarketTicker, start_s: int) -> Candle | None:
        """The last minute that ended before ``start_s``."""
        minutes = self._minutes.get(ticker, [])
        at = bisect_left(minutes, start_s, key=lambda candle: candle.end_s)
        return minutes[at - 1] if at else None

    def _current(self, ticker: MarketTicker, at_us: int, bid: Price, ask: Price) -> Candle:
        minutes = self._minutes.setdefault(ticker, [])
        end_s = (at_us // MINUTE_US + 1) * _MINUTE_S
        if minutes and minutes[-1].end_s >= end_s:
            return minutes[-1]
        last = minutes[-1] if minutes else None
        candle = Candle(
            end_s=end_s,
            bid=flat(last.bid.close if last else bid),
            ask=flat(last.ask.close if last else ask),
            price=None,
            previous=_last_price(last),
            paid=0,
            volume=Quantity(0),
            open_interest=last.open_interest if last else Quantity(0),
        )
        minutes.append(candle)
        return candle


_DAY_AND_HOUR_S = 25 * _HOUR_S


def _last_price(candle: Candle | None) -> Price | None:
    if candle is None:
        return None
    return candle.price.close if candle.price is not None else candle.previous


def _copy(minute: Candle, end_s: int) -> Candle:
    return Candle(
        end_s=end_s,
        bid=minute.bid,
        ask=minute.ask,
        price=minute.price,
        previous=minute.previous,
        paid=minute.paid,
        volume=minute.volume,
        open_interest=minute.open_interest,
    )


def _period_end(period_min: int) -> Callable[[int], int]:
    """The end of the period that holds the minute which ends at a given second."""
    if period_min == 1_440:  # noqa: PLR2004 - minutes of a day
        return _day_end
    length_s = period_min * _MINUTE_S
    return lambda end_s: -(-end_s // length_s) * length_s


def _day_end(end_s: int) -> int:
    moment = to_datetime((end_s - 1) * SECOND_US).astimezone(_NEW_YORK)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return int(midnight.timestamp())
