"""Amounts read well and never lie about what is unknown."""

import pytest

from bot.console.amounts import contracts, dollars, price, share, signed_dollars
from bot.domain.money import Money, Price, Quantity


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "$0.00"), (1_234_560_000, "+$1,234.56"), (-5_000, "-$0.01"), (-4_000, "$0.00")],
)
def test_gains_and_losses_carry_their_sign(value, text):
    assert signed_dollars(Money(value)) == text


def test_what_is_unknown_is_called_unknown():
    assert [dollars(None), signed_dollars(None), price(None)] == ["unknown"] * 3
    assert share(Money(5), None) == ""
    assert share(Money(5), Money(0)) == ""


@pytest.mark.parametrize(
    ("value", "text"), [(5_600, "$0.56"), (5_625, "$0.5625"), (10_000, "$1.00"), (10, "$0.001")]
)
def test_prices_lose_only_zeros(value, text):
    assert price(Price(value)) == text


@pytest.mark.parametrize(("value", "text"), [(1_000, "10"), (250, "2.50"), (-100, "-1")])
def test_contracts_show_fractions_only_where_there_are_some(value, text):
    assert contracts(Quantity(value)) == text


@pytest.mark.parametrize(
    ("part", "text"), [(31_234, "3.12 %"), (-50_000, "-5.00 %"), (-4, "0.00 %")]
)
def test_shares_are_cut_towards_zero(part, text):
    assert share(Money(part), Money(1_000_000)) == text
