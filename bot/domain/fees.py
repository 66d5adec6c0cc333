"""What a fill will cost, before it happens.

An estimate for sizing and filters only: after a fill, the fee the venue
reports is the fee. The model is the venue's (quadratic in price, maker share by
``fee_type``), rounded up to $0.0001 per fill: exactly what a direct member pays
for whole contracts. A fraction of a contract may cost up to $0.0001 more.
"""

from bot.domain.errors import InvalidAmount
from bot.domain.market import FeeTerms
from bot.domain.money import PAYOUT, Money, Price, Quantity

FEE_GRID = 100
"""Fees move the balance in steps of $0.0001, in ``Money`` units."""

_SHARE_ONE = 4
_TAKER_RATE_PERCENT = 7
_FLAT = "flat"
_MAKER_SHARE = {
    "quadratic": 0,
    "quadratic_with_maker_fees": 1,
    "quadratic_with_combo_maker_fees": 2,
    _FLAT: _SHARE_ONE,
}
"""The maker's share of the taker fee, in quarters."""


def estimate_fee(terms: FeeTerms, price: Price, quantity: Quantity, *, is_taker: bool) -> Money:
    """The fee of one fill, rounded up; the same for a YES price and its complement.

    A fee type we do not know is taken as a taker's fee on both sides: too much,
    never too little.

    Raises:
        InvalidAmount: the quantity is negative or the price is not between $0 and $1.
    """
    if quantity < 0 or not 0 <= price <= PAYOUT:
        raise InvalidAmount(f"no fee for {quantity} at {price}")
    share = _SHARE_ONE if is_taker else _MAKER_SHARE.get(terms.fee_type, _SHARE_ONE)
    halves = 1 if terms.fee_type == _FLAT else 2
    # Dollars: multiplier * share/4 * 0.07 * C * P * (1-P), the flat type half of that.
    # Units: (e6 * 2/8 * 1/100 * e2 * e4 * e4) = 8 * 10**18 per dollar, and Money is e6.
    numerator = (
        terms.multiplier_e6 * share * halves * _TAKER_RATE_PERCENT
        * quantity * price * (PAYOUT - price)
    )  # fmt: skip
    return Money(-(-numerator // (8 * 10**12 * FEE_GRID)) * FEE_GRID)
