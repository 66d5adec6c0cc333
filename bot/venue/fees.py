"""What a fill costs, exact to the micro-dollar, and the rounding an order carries along.

From the venue's fee page as of 2026-10: the model fee is rounded up to $0.000001,
the cash change is rounded down to the member's balance grid, and what the
rounding took is paid back per order as soon as it adds up to one grid step.
"""

from dataclasses import dataclass

from bot.domain.market import FeeTerms
from bot.domain.money import PAYOUT, Money, Price, Quantity

DIRECT_MEMBER_GRID = Money(100)
"""Balances of direct members move in $0.0001."""
BROKER_MEMBER_GRID = Money(10_000)
"""Balances of members behind a broker move in whole cents."""

NO_MONEY = Money(0)

STANDARD_FEES = FeeTerms(fee_type="quadratic", multiplier_e6=1_000_000)

_TAKER_E4 = 700
_FLAT_TAKER_E4 = 350
_MAKER_E4 = {"quadratic": 0, "flat": 0, "quadratic_with_combo_maker_fees": 350}
# The venue adds fee types; one we do not know is charged like the dearer common one.
_OTHER_MAKER_E4 = 175
# multiplier 1e6, coefficient 1e4, count 1e2, price 1e4 twice, less the 1e6 of the result.
_SCALE = 10**14


def trade_fee(terms: FeeTerms, price: Price, quantity: Quantity, *, is_taker: bool) -> Money:
    """The model fee of one fill, rounded up to $0.000001."""
    coefficient_e4 = _coefficient_e4(terms.fee_type, is_taker=is_taker)
    exact = terms.multiplier_e6 * coefficient_e4 * quantity * price * (PAYOUT - price)
    return Money(-(-exact // _SCALE))


def _coefficient_e4(fee_type: str, *, is_taker: bool) -> int:
    if is_taker:
        return _FLAT_TAKER_E4 if fee_type == "flat" else _TAKER_E4
    return _MAKER_E4.get(fee_type, _OTHER_MAKER_E4)


@dataclass(frozen=True, slots=True, kw_only=True)
class FillFee:
    """The parts of one fill's fee. ``net`` is what the account pays in the end."""

    model: Money
    rounding: Money
    rebate: Money

    @property
    def net(self) -> Money:
        """Model fee plus rounding less rebate; never negative."""
        return Money(self.model + self.rounding - self.rebate)


@dataclass(slots=True)
class RoundingAccumulator:
    """What rounding has taken from one order so far, over its taker and maker fills."""

    held: Money = NO_MONEY

    def charge(self, *, revenue: Money, model: Money, grid: Money) -> FillFee:
        """Round one fill. ``revenue`` is negative for a buyer."""
        raw = revenue - model
        rounding = raw % grid
        self.held = Money(self.held + rounding)
        steps = min(self.held // grid, (model + rounding) // grid)
        rebate = Money(steps * grid)
        self.held = Money(self.held - rebate)
        return FillFee(model=model, rounding=Money(rounding), rebate=rebate)
