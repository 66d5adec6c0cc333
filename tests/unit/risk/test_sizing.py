"""How many contracts: never negative, never above a cap, never without an edge."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.market import FeeTerms
from bot.domain.money import Money, Price, Quantity
from bot.risk.sizing import CONTRACT, Offer, kelly_stake, size

FREE = FeeTerms(fee_type="quadratic", multiplier_e6=0)
USUAL = FeeTerms(fee_type="quadratic", multiplier_e6=1_000_000)


def offer(price: int, chance_e6: int, *, is_taker: bool = False) -> Offer:
    return Offer(own_price=Price(price), chance_e6=chance_e6, fees=USUAL, is_taker=is_taker)


def test_the_documented_example_of_kelly() -> None:
    """Q .6 at P .5: .20 of the bankroll without a fee, .171 with the taker's."""
    bankroll = Money(1_000_000_000)
    free = Offer(own_price=Price(5_000), chance_e6=600_000, fees=FREE, is_taker=True)
    assert kelly_stake(free, bankroll, 10_000) == 200_000_000
    paid = kelly_stake(offer(5_000, 600_000, is_taker=True), bankroll, 10_000)
    assert 170_000_000 < paid < 172_000_000
    assert kelly_stake(free, bankroll, 2_500) == 50_000_000


prices, chances = st.integers(1, 9_999), st.integers(0, 1_000_000)
money = st.integers(-(10**9), 10**12)


@given(prices, chances, money, st.integers(1, 10_000), st.booleans())
def test_a_stake_is_the_exact_fraction_rounded_down_or_nothing(
    price: int, chance: int, bankroll: int, fraction: int, is_taker: bool
) -> None:
    wanted = offer(price, chance, is_taker=is_taker)
    stake = kelly_stake(wanted, Money(bankroll), fraction)
    unit = wanted.unit_cost
    if chance <= unit or bankroll <= 0 or unit >= 1_000_000:
        assert stake == 0
        return
    exact = Fraction(bankroll * (chance - unit) * fraction, (1_000_000 - unit) * 10_000)
    assert 0 <= exact - stake < 1
    assert stake <= bankroll


@given(
    prices,
    chances,
    st.integers(0, 10**10),
    st.lists(money, max_size=4),
    st.lists(st.integers(-1_000, 10**7), max_size=2),
)
def test_a_size_is_whole_contracts_within_every_cap(
    price: int, chance: int, stake: int, rooms: list[int], counts: list[int]
) -> None:
    wanted = offer(price, chance)
    sized = size(
        wanted,
        Money(stake),
        [("money", Money(room)) for room in rooms],
        [("depth", Quantity(count)) for count in counts],
    )
    assert sized.quantity >= 0
    assert sized.quantity % CONTRACT == 0
    cost = wanted.unit_cost * sized.quantity // CONTRACT
    for room in (stake, *rooms):
        assert cost <= max(0, room)
    for count in counts:
        assert sized.quantity <= max(0, count)


@pytest.mark.parametrize(
    ("stake", "cap", "decided"), [(960_000, 10**9, "kelly"), (10**9, 960_000, "cash")]
)
def test_what_decided_the_number_is_named(stake: int, cap: int, decided: str) -> None:
    sized = size(offer(9_500, 990_000), Money(stake), [("cash", Money(cap))], [])
    assert (sized.quantity, sized.decided_by) == (100, decided)
