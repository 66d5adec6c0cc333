"""The example strategy does what its text says."""

import pytest

from bot.domain.money import Price, Quantity
from bot.domain.quotes import Quote
from bot.domain.signals import Signal
from bot.kit.times import HOUR_US
from bot.strategies.base import MarketView, Opinion, Skip
from bot.strategies.wide_spread import WideSpread, WideSpreadParams
from tests.support.trading import START_US, TICKER, a_listing


def opinion(bid: int, ask: int | None, left_us: int = 3 * HOUR_US) -> Opinion:
    quote = Quote(
        ticker=TICKER,
        bid=Price(bid),
        ask=Price(ask) if ask is not None else None,
        bid_size=Quantity(1),
        ask_size=Quantity(1),
        received_us=0,
    )
    view = MarketView(
        listing=a_listing(), quote=quote, close_us=START_US + left_us, now_us=START_US
    )
    return WideSpread(WideSpreadParams()).on_quote(view)


def test_it_joins_the_bid_and_sells_at_the_ask() -> None:
    signal = opinion(4_000, 4_600)
    assert isinstance(signal, Signal)
    assert (signal.price, signal.target_price, signal.stop_price) == (4_000, 4_600, 3_200)
    assert signal.chance_e6 == 430_000


@pytest.mark.parametrize(
    ("bid", "ask", "left_us", "reason"),
    [
        (4_000, None, 3 * HOUR_US, "one-sided book"),
        (4_000, 4_600, HOUR_US, "closes too soon"),
        (1_900, 4_600, 3 * HOUR_US, "bid is outside the band"),
        (4_000, 4_599, 3 * HOUR_US, "spread too narrow"),
    ],
)
def test_it_says_why_not(bid: int, ask: int | None, left_us: int, reason: str) -> None:
    assert opinion(bid, ask, left_us) == Skip(reason)


def test_its_parameters_are_checked() -> None:
    with pytest.raises(ValueError, match="stop_below_e4"):
        WideSpreadParams(stop_below_e4=2_000)
    with pytest.raises(ValueError, match="bid_min_e4"):
        WideSpreadParams(bid_min_e4=8_100)
