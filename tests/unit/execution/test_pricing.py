"""Limit prices: on the grid, never worse for what rests, never less willing for what must go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.market import CENT_GRID, PriceBand, PriceGrid
from bot.domain.money import PAYOUT, Money, Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import Quote
from bot.execution.pricing import (
    entry_limit,
    exit_limit,
    own_ask,
    own_bid,
    own_price,
    own_value,
    take_profit_limit,
)

TAPERED = PriceGrid(
    (
        PriceBand(Price(0), Price(1_000), Price(10)),
        PriceBand(Price(1_000), Price(9_000), Price(100)),
        PriceBand(Price(9_000), PAYOUT, Price(10)),
    )
)
grids = st.sampled_from([CENT_GRID, TAPERED])
sides = st.sampled_from(list(BookSide))
prices = st.integers(1, 9_999).map(Price)


@given(grids, sides, prices)
def test_what_rests_is_on_the_grid_and_never_worse_than_asked(
    grid: PriceGrid, side: BookSide, own: Price
) -> None:
    entry, target = entry_limit(grid, side, own), take_profit_limit(grid, side, own)
    if entry is not None:
        assert grid.accepts(entry)
        assert own_price(side, entry) <= own
    if target is not None:
        assert grid.accepts(target)
        assert own_price(side, target) >= own


@given(grids, sides, st.integers(-500, 9_999))
def test_an_exit_always_has_a_price_and_is_never_less_willing(
    grid: PriceGrid, side: BookSide, own: int
) -> None:
    price = exit_limit(grid, side, Price(own))
    assert grid.accepts(price)
    lowest = 10 if grid is TAPERED else 100
    assert own_price(side, price) <= max(own, lowest)


@given(sides, prices, st.integers(0, 10_000))
def test_own_prices_and_values_turn_back(side: BookSide, price: Price, quantity: int) -> None:
    assert own_price(side, own_price(side, price)) == price
    yes_value = Money(price * quantity)
    assert own_value(side, yes_value, Quantity(quantity)) == own_price(side, price) * quantity


@pytest.mark.parametrize(
    ("side", "bid", "ask", "size"),
    [(BookSide.BID, 4_000, 4_500, 7), (BookSide.ASK, 5_500, 6_000, 9)],
)
def test_each_side_sees_its_own_market(side: BookSide, bid: int, ask: int, size: int) -> None:
    quote = Quote(
        ticker="T",
        bid=Price(4_000),
        ask=Price(4_500),
        bid_size=Quantity(7),
        ask_size=Quantity(9),
        received_us=0,
    )
    assert own_bid(side, quote) == (bid, size)
    assert own_ask(side, quote) == ask


def test_an_empty_side_has_no_price() -> None:
    empty = Quote(
        ticker="T", bid=None, ask=None, bid_size=Quantity(0), ask_size=Quantity(0), received_us=0
    )
    for side in BookSide:
        assert own_bid(side, empty)[0] is None
        assert own_ask(side, empty) is None
