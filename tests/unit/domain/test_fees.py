"""The fee model against observed fees and its own laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import InvalidAmount
from bot.domain.fees import FEE_GRID, estimate_fee
from bot.domain.market import FeeTerms
from bot.domain.money import PAYOUT, Price, Quantity, complement

USUAL = FeeTerms(fee_type="quadratic", multiplier_e6=1_000_000)
MAKER = FeeTerms(fee_type="quadratic_with_maker_fees", multiplier_e6=1_000_000)


@pytest.mark.parametrize(
    ("price", "quantity", "fee"),
    [
        (5_200, 100, 17_500),
        (9_900, 100, 700),
        (7_100, 100, 14_500),
        (9_290, 100, 4_700),
        (2_500, 100, 13_200),
        (500, 10_000, 332_500),
        (9_990, 10_000, 7_000),
    ],
)
def test_fees_seen_on_the_wire(price: int, quantity: int, fee: int) -> None:
    assert estimate_fee(USUAL, Price(price), Quantity(quantity), is_taker=True) == fee


def test_the_makers_share_depends_on_the_series() -> None:
    price, quantity = Price(100), Quantity(100)
    assert estimate_fee(USUAL, price, quantity, is_taker=False) == 0
    assert estimate_fee(MAKER, price, quantity, is_taker=False) == 200
    flat = FeeTerms(fee_type="flat", multiplier_e6=1_000_000)
    assert estimate_fee(flat, Price(5_000), quantity, is_taker=True) == 8_800
    half = FeeTerms(fee_type="quadratic", multiplier_e6=500_000)
    assert estimate_fee(half, Price(5_000), quantity, is_taker=True) == 8_800


def test_a_fee_type_we_do_not_know_costs_a_maker_as_much_as_a_taker() -> None:
    new = FeeTerms(fee_type="cubic", multiplier_e6=1_000_000)
    fees = {
        estimate_fee(new, Price(5_000), Quantity(100), is_taker=taker) for taker in (True, False)
    }
    assert fees == {17_500}


@given(st.integers(0, 10_000), st.integers(0, 10**7), st.booleans())
def test_it_is_symmetric_on_its_grid_and_never_negative(
    price: int, quantity: int, is_taker: bool
) -> None:
    fee = estimate_fee(MAKER, Price(price), Quantity(quantity), is_taker=is_taker)
    mirror = estimate_fee(MAKER, complement(Price(price)), Quantity(quantity), is_taker=is_taker)
    assert fee == mirror >= 0
    assert fee % FEE_GRID == 0


@pytest.mark.parametrize(("price", "quantity"), [(-1, 1), (PAYOUT + 1, 1), (1, -1)])
def test_amounts_that_cannot_be_are_refused(price: int, quantity: int) -> None:
    with pytest.raises(InvalidAmount):
        estimate_fee(USUAL, Price(price), Quantity(quantity), is_taker=True)
