"""Fees to the micro-dollar: figures seen on the wire, published tables, and an exact model."""

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.market import FeeTerms
from bot.domain.money import Money, Price, Quantity
from bot.venue.fees import (
    BROKER_MEMBER_GRID,
    DIRECT_MEMBER_GRID,
    STANDARD_FEES,
    RoundingAccumulator,
    trade_fee,
)

QUARTER = FeeTerms(fee_type="quadratic_with_maker_fees", multiplier_e6=1_000_000)
COMBO = FeeTerms(fee_type="quadratic_with_combo_maker_fees", multiplier_e6=1_000_000)
FLAT = FeeTerms(fee_type="flat", multiplier_e6=1_000_000)
HALF = FeeTerms(fee_type="quadratic", multiplier_e6=500_000)
FREE = FeeTerms(fee_type="quadratic", multiplier_e6=0)


def net(price, quantity, *, terms=STANDARD_FEES, maker=False, grid=DIRECT_MEMBER_GRID, buys=True):
    """The fee of one fill of a fresh order."""
    revenue = Money(price * quantity * (-1 if buys else 1))
    model = trade_fee(terms, Price(price), Quantity(quantity), is_taker=not maker)
    return RoundingAccumulator().charge(revenue=revenue, model=model, grid=grid).net


@pytest.mark.parametrize(
    ("price", "quantity", "fee"),
    [
        (5_200, 100, 17_500),
        (9_900, 100, 700),
        (7_100, 100, 14_500),
        (9_290, 100, 4_700),
        (2_500, 100, 13_200),
        (500, 10_000, 332_500),
        (5_000, 50, 8_800),
        (5_000, 10_000, 1_750_000),
        (9_990, 10_000, 7_000),
        (1_000, 1_000, 63_000),
        (100, 100, 700),
    ],
)
def test_taker_fees_of_single_fills(price: int, quantity: int, fee: int) -> None:
    assert net(price, quantity) == fee


@pytest.mark.parametrize(
    ("terms", "price", "quantity", "fee"),
    [
        (STANDARD_FEES, 5_000, 10_000, 0),
        (QUARTER, 5_000, 10_000, 437_500),
        (QUARTER, 100, 100, 200),
        (COMBO, 5_000, 10_000, 875_000),
        (FLAT, 5_000, 10_000, 0),
    ],
)
def test_maker_fees_by_fee_type(terms: FeeTerms, price: int, quantity: int, fee: int) -> None:
    assert net(price, quantity, terms=terms, maker=True) == fee


def test_an_unknown_fee_type_is_charged_like_the_dearer_common_one() -> None:
    unknown = FeeTerms(fee_type="something_new", multiplier_e6=1_000_000)
    for maker in (True, False):
        assert net(5_000, 100, terms=unknown, maker=maker) == net(
            5_000, 100, terms=QUARTER, maker=maker
        )


def test_multiplier_and_flat_scale_the_taker_fee() -> None:
    assert net(5_000, 100, terms=HALF) == 8_800
    assert net(5_000, 100, terms=FLAT) == 8_800
    assert net(5_000, 100, terms=FREE) == 0


def test_a_member_behind_a_broker_pays_to_the_cent() -> None:
    assert net(100, 10_000, grid=BROKER_MEMBER_GRID) == 70_000
    assert net(5_200, 100, grid=BROKER_MEMBER_GRID) == 20_000


def test_what_rounding_took_comes_back_once_it_fills_a_grid_step() -> None:
    order = RoundingAccumulator()
    model = trade_fee(STANDARD_FEES, Price(3_301), Quantity(3), is_taker=True)
    fills = [
        order.charge(revenue=Money(-9_903), model=model, grid=DIRECT_MEMBER_GRID) for _ in range(3)
    ]
    assert [(fill.model, fill.rounding, fill.rebate) for fill in fills] == [
        (465, 32, 0),
        (465, 32, 0),
        (465, 32, 0),
    ]
    assert order.held == 96
    last = order.charge(revenue=Money(-9_903), model=model, grid=DIRECT_MEMBER_GRID)
    assert (last.rebate, last.net, order.held) == (100, 397, 28)


def test_a_rebate_never_makes_a_fee_negative() -> None:
    order = RoundingAccumulator(Money(950))
    fill = order.charge(revenue=Money(33), model=Money(0), grid=DIRECT_MEMBER_GRID)
    assert (fill.rounding, fill.rebate, fill.net) == (33, 0, 33)


COEFFICIENTS = {
    ("quadratic", False): Fraction(7, 100),
    ("quadratic", True): Fraction(0),
    ("quadratic_with_maker_fees", False): Fraction(7, 100),
    ("quadratic_with_maker_fees", True): Fraction(7, 400),
    ("quadratic_with_combo_maker_fees", False): Fraction(7, 100),
    ("quadratic_with_combo_maker_fees", True): Fraction(7, 200),
}
fills = st.lists(
    st.tuples(st.integers(1, 9_999), st.integers(1, 10**7), st.booleans()), min_size=1, max_size=8
)


@given(
    fills=fills,
    fee_type=st.sampled_from(sorted({name for name, _ in COEFFICIENTS})),
    multiplier_e6=st.integers(0, 2_000_000),
    grid=st.sampled_from([DIRECT_MEMBER_GRID, BROKER_MEMBER_GRID]),
    buys=st.booleans(),
)
def test_an_orders_fees_agree_with_the_documented_formula(
    fills: list, fee_type: str, multiplier_e6: int, grid: Money, buys: bool
) -> None:
    terms = FeeTerms(fee_type=fee_type, multiplier_e6=multiplier_e6)
    order, held = RoundingAccumulator(), Fraction(0)
    step = Fraction(grid, 10**6)
    for price, quantity, maker in fills:
        p, c = Fraction(price, 10**4), Fraction(quantity, 100)
        k = COEFFICIENTS[fee_type, maker]
        exact = k * Fraction(multiplier_e6, 10**6) * c * p * (1 - p)
        model = Fraction(ceil(exact * 10**6), 10**6)
        revenue = p * c * (-1 if buys else 1)
        aligned = floor((revenue - model) / step) * step
        rounding = revenue - model - aligned
        held += rounding
        rebate = min(floor(held / step), floor((model + rounding) / step)) * step
        held -= rebate

        ours = trade_fee(terms, Price(price), Quantity(quantity), is_taker=not maker)
        fill = order.charge(revenue=Money(int(revenue * 10**6)), model=ours, grid=grid)
        assert Fraction(fill.model, 10**6) == model
        assert Fraction(fill.net, 10**6) == model + rounding - rebate
        assert fill.net >= 0
        assert (int(revenue * 10**6) - fill.net) % grid == 0
    assert Fraction(order.held, 10**6) == held
