"""Near-expiry favourites: which markets it wants, at what price, and why not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.fees import estimate_fee
from bot.domain.money import PAYOUT, Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import Quote
from bot.domain.signals import Signal
from bot.kit.times import HOUR_US, MINUTE_US, SECOND_US
from bot.strategies.base import MarketView, Opinion, Skip
from bot.strategies.near_expiry import NearExpiry, NearExpiryParams
from tests.support.trading import START_US, TICKER, a_listing

PARAMS = NearExpiryParams()
STRATEGY = NearExpiry(PARAMS)


def opinion(
    bid: int | None, ask: int | None, *, size: int = 50_000, left_us: int = HOUR_US
) -> Opinion:
    quote = Quote(
        ticker=TICKER,
        bid=Price(bid) if bid is not None else None,
        ask=Price(ask) if ask is not None else None,
        bid_size=Quantity(size),
        ask_size=Quantity(size),
        received_us=START_US,
    )
    view = MarketView(
        listing=a_listing(), quote=quote, close_us=START_US + left_us, now_us=START_US
    )
    return STRATEGY.on_quote(view)


def test_a_yes_favourite_is_bought_at_its_best_bid() -> None:
    signal = opinion(9_500, 9_600)
    assert isinstance(signal, Signal)
    assert (signal.side, signal.price) == (BookSide.BID, 9_500)
    assert (signal.target_price, signal.stop_price) == (9_900, 8_500)
    assert signal.chance_e6 == 963_000


def test_a_no_favourite_is_the_mirror_image() -> None:
    signal = opinion(400, 500)
    assert isinstance(signal, Signal)
    assert (signal.side, signal.price) == (BookSide.ASK, 500)
    assert (signal.target_price, signal.stop_price) == (100, 1_500)
    assert signal.chance_e6 == 963_000


@pytest.mark.parametrize(
    ("bid", "ask", "options", "reason"),
    [
        (9_500, 9_600, {"left_us": 15 * MINUTE_US - 1}, "closes too soon"),
        (9_500, 9_600, {"left_us": 6 * HOUR_US + 1}, "closes too late"),
        (8_999, 9_100, {}, "no favourite in the band"),
        (9_810, 9_900, {}, "no favourite in the band"),
        (9_500, None, {}, "one-sided book"),
        (9_500, 9_701, {}, "spread too wide"),
        (9_500, 9_600, {"size": 9_999}, "too little at the best bid"),
    ],
)
def test_the_first_reason_against_is_named(
    bid: int, ask: int | None, options: dict[str, int], reason: str
) -> None:
    assert opinion(bid, ask, **options) == Skip(reason)


def test_an_edge_that_fees_eat_is_no_edge() -> None:
    strict = NearExpiry(NearExpiryParams(edge_min_e6=13_001))
    view = MarketView(
        listing=a_listing(),
        quote=Quote(
            ticker=TICKER,
            bid=Price(9_500),
            ask=Price(9_600),
            bid_size=Quantity(50_000),
            ask_size=Quantity(50_000),
            received_us=0,
        ),
        close_us=START_US + HOUR_US,
        now_us=START_US,
    )
    assert strict.on_quote(view) == Skip("no edge after fees")


@given(st.integers(1, 9_998), st.integers(1, 400), st.integers(0, 7 * HOUR_US))
def test_every_signal_is_a_favourite_with_an_edge_and_sane_exits(
    bid: int, spread: int, left_us: int
) -> None:
    signal = opinion(bid, min(bid + spread, 9_999), left_us=left_us)
    if isinstance(signal, Skip):
        return
    is_yes = signal.side is BookSide.BID
    own = signal.price if is_yes else PAYOUT - signal.price
    assert PARAMS.bid_min_e4 <= own <= PARAMS.bid_max_e4
    assert signal.price in (bid, min(bid + spread, 9_999)), "it joins, it never crosses"
    fee = estimate_fee(a_listing().fees, Price(own), Quantity(100), is_taker=False)
    assert signal.chance_e6 - own * 100 - fee >= PARAMS.edge_min_e6
    assert signal.chance_e6 < 1_000_000
    assert signal.stop_price is not None
    assert signal.target_price is not None
    stop = signal.stop_price if is_yes else PAYOUT - signal.stop_price
    target = signal.target_price if is_yes else PAYOUT - signal.target_price
    assert 0 < stop < own < target < PAYOUT


@pytest.mark.parametrize(
    "wrong",
    [
        {"bid_min_e4": 9_900},
        {"stop_below_e4": 9_500},
        {"closes_after_us": 7 * HOUR_US},
        {"lifetime_us": 10 * SECOND_US},
    ],
)
def test_parameters_that_make_no_sense_are_refused_by_name(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        NearExpiryParams(**wrong)
