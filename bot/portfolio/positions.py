"""Positions as the fold of fills; nothing else makes one.

The venue nets inside a market: one signed number, and a sale beyond zero
closes first and opens the other side with the rest. Costs are kept in the held
side's own prices, as the venue books them.
"""

from dataclasses import dataclass, replace

from bot.domain.ids import MarketTicker
from bot.domain.money import Money, Price, Quantity, cost
from bot.domain.orders import BookSide, Fill, own_price
from bot.domain.records import PositionRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One market. ``quantity`` above zero is YES, below is NO; ``realized`` is before fees."""

    ticker: MarketTicker
    quantity: Quantity
    cost: Money
    realized: Money
    fees: Money
    updated_us: int

    @property
    def side(self) -> BookSide:
        """The side that gains: bid for YES, ask for NO."""
        return BookSide.BID if self.quantity >= 0 else BookSide.ASK

    @property
    def size(self) -> Quantity:
        """Contracts held, whichever side."""
        return Quantity(abs(self.quantity))

    def record(self) -> PositionRecord:
        """What is stored."""
        return PositionRecord(
            ticker=self.ticker,
            quantity=self.quantity,
            cost=self.cost,
            realized=self.realized,
            fees=self.fees,
            updated_us=self.updated_us,
        )


def flat(ticker: MarketTicker) -> Position:
    """No position."""
    return Position(
        ticker=ticker,
        quantity=Quantity(0),
        cost=Money(0),
        realized=Money(0),
        fees=Money(0),
        updated_us=0,
    )


def restored(record: PositionRecord) -> Position:
    """A position read back."""
    return Position(
        ticker=record.ticker,
        quantity=record.quantity,
        cost=record.cost,
        realized=record.realized,
        fees=record.fees,
        updated_us=record.updated_us,
    )


def folded(position: Position, fill: Fill) -> Position:
    """The position after one more fill. The caller drops repeats."""
    after = replace(
        position,
        fees=Money(position.fees + fill.fee),
        updated_us=max(position.updated_us, fill.executed_us),
    )
    closing = Quantity(0)
    if position.quantity and position.side is not fill.side:
        closing = Quantity(min(position.size, fill.quantity))
        after = _reduced(after, closing, own_price(position.side, fill.price))
    opening = Quantity(fill.quantity - closing)
    if not opening:
        return after
    signed = opening if fill.side is BookSide.BID else -opening
    return replace(
        after,
        quantity=Quantity(after.quantity + signed),
        cost=Money(after.cost + cost(own_price(fill.side, fill.price), opening)),
    )


def paid_out(position: Position, value: Price, at_us: int) -> Position:
    """The market settled: every YES contract was worth ``value``."""
    if not position.quantity:
        return position
    after = _reduced(position, position.size, own_price(position.side, value))
    return replace(after, updated_us=max(position.updated_us, at_us))


def cash_change(before: Position, after: Position) -> Money:
    """What a fold or a payout did to the cash."""
    return Money(
        before.cost - after.cost
        + after.realized - before.realized
        + before.fees - after.fees
    )  # fmt: skip


def _reduced(position: Position, closing: Quantity, own: Price) -> Position:
    """Sell at this own price. The last contract takes the whole rest of the cost."""
    released = Money(position.cost * closing // position.size)
    sign = 1 if position.quantity > 0 else -1
    return replace(
        position,
        quantity=Quantity(position.quantity - sign * closing),
        cost=Money(position.cost - released),
        realized=Money(position.realized + cost(own, closing) - released),
    )
