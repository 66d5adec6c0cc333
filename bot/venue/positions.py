"""One signed number per account and market, its cost, and what it has earned.

Fills net through zero: they first close what is held, then open the other way.
The cost of what is closed is the average's share, rounded down, so that cash,
exposure and realized profit always add up exactly.
"""

from dataclasses import dataclass

from bot.domain.ids import EventTicker, MarketTicker
from bot.domain.money import PAYOUT, Money, Price, Quantity
from bot.domain.orders import BookSide
from bot.venue.accounts import AccountId
from bot.venue.collateral import closable, unit_cost
from bot.venue.fees import NO_MONEY
from bot.venue.groups import NO_QUANTITY


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


@dataclass(slots=True, kw_only=True, eq=False)
class Position:
    """The live position. At every moment: cash paid in = exposure - realized (+ fees)."""

    account: AccountId
    ticker: MarketTicker
    event_ticker: EventTicker
    exchange_index: int
    quantity: Quantity = NO_QUANTITY
    exposure: Money = NO_MONEY
    realized: Money = NO_MONEY
    fees: Money = NO_MONEY
    traded: Money = NO_MONEY
    volume: Quantity = NO_QUANTITY
    is_settled: bool = False
    updated_us: int = 0

    def apply(self, side: BookSide, price: Price, quantity: Quantity) -> Money:
        """Net one fill in and return the change of free cash before fees.

        Opening pays the full cost. Closing brings a dollar less that cost,
        because the opposite contract cancels the held one.
        """
        closing = min(closable(side, self.quantity), quantity)
        opening = quantity - closing
        cost = unit_cost(side, price) * opening
        proceeds = (PAYOUT - unit_cost(side, price)) * closing
        released = self.exposure * closing // abs(self.quantity) if closing else 0
        self.exposure = Money(self.exposure - released + cost)
        self.realized = Money(self.realized + proceeds - released)
        self.traded = Money(self.traded + cost + proceeds)
        self.volume = Quantity(self.volume + quantity)
        signed = quantity if side is BookSide.BID else -quantity
        self.quantity = Quantity(self.quantity + signed)
        return Money(proceeds - cost)

    def charge(self, fee: Money) -> None:
        """Add a fee to what this position has cost."""
        self.fees = Money(self.fees + fee)

    def settle(self, payout: Money) -> None:
        """Turn all that is held into ``payout``."""
        self.realized = Money(self.realized + payout - self.exposure)
        self.exposure = NO_MONEY
        self.quantity = NO_QUANTITY
        self.is_settled = True

    def value_at(self, price: Price) -> Money:
        """What the position is worth when one YES is worth ``price``."""
        worth = price if self.quantity >= 0 else PAYOUT - price
        return Money(worth * abs(self.quantity))

    def view(self) -> PositionView:
        """A frozen picture of the position now."""
        return PositionView(
            account=self.account,
            ticker=self.ticker,
            event_ticker=self.event_ticker,
            exchange_index=self.exchange_index,
            quantity=self.quantity,
            exposure=self.exposure,
            realized=self.realized,
            fees=self.fees,
            traded=self.traded,
            volume=self.volume,
            is_settled=self.is_settled,
            updated_us=self.updated_us,
        )
