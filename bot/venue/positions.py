"""One signed number per account and market, its cost, and what it has earned.

Fills net through zero: they first close what is held, then open the other way.
The cost of what is closed is the average's share, rounded down, so that cash,
exposure and realized profit always add up exactly.
"""

from dataclasses import dataclass

from bot.domain.ids import EventTicker, MarketTicker
from bot.domain.money import Money, Price, Quantity
from bot.venue.accounts import AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionView:
    """A position as a read or a private event shows it.

    ``quantity`` above zero is YES, below is NO. ``exposure`` is the cost of what
    is open; ``realized`` excludes fees; ``traded`` sums what every fill cost to
    open or brought to close; ``volume`` counts contracts traded.
    """

    account: AccountId
    ticker: MarketTicker
    event_ticker: EventTicker
    exchange_index: int
    quantity: Quantity
    exposure: Money
    realized: Money
    fees: Money
    traded: Money
    volume: Quantity
    is_settled: bool
    updated_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementView:
    """The payout of one market to one account.

    ``value`` is what one YES contract paid. ``revenue`` is what reached the
    account after rounding down to its grid; ``residue`` is what that rounding
    took, shown as a fee. ``fees`` includes it and the position's trading fees.
    """

    account: AccountId
    ticker: MarketTicker
    event_ticker: EventTicker
    exchange_index: int
    result: str
    value: Price
    yes_count: Quantity
    yes_cost: Money
    no_count: Quantity
    no_cost: Money
    revenue: Money
    residue: Money
    fees: Money
    settled_us: int
