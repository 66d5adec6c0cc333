"""What resting orders may cost: every order is paid in full, closing ones out of the position.

Of the orders on one side, as many contracts as the position holds will close it
and bring a dollar less their cost; the rest will open. Which of them close makes
no difference to the sum. Both sides are assumed to trade, neither to help the other.
"""

from dataclasses import dataclass

from bot.domain.ids import OrderId
from bot.domain.money import PAYOUT, Money, Price, Quantity
from bot.domain.orders import BookSide
from bot.venue.fees import NO_MONEY


@dataclass(frozen=True, slots=True)
class Hold:
    """An order as the collateral check sees it."""

    side: BookSide
    price: Price
    quantity: Quantity
    fee: Money

    @property
    def full_cost(self) -> int:
        """Cost when all of it opens."""
        return unit_cost(self.side, self.price) * self.quantity + self.fee


def unit_cost(side: BookSide, price: Price) -> int:
    """What one contract costs to open: the price for YES, its complement for NO."""
    return price if side is BookSide.BID else PAYOUT - price


def closable(side: BookSide, position: int) -> int:
    """How much of ``position`` an order of ``side`` can close."""
    return max(0, -position if side is BookSide.BID else position)


def cost_to_open(hold: Hold, position: int) -> Money:
    """What an order costs on its own, less what it brings by closing; below zero it brings."""
    closing = min(closable(hold.side, position), hold.quantity)
    return Money(hold.full_cost - closing * PAYOUT)


class Desk:
    """One account's resting orders in one market."""

    __slots__ = ("_costs", "_quantities", "holds", "reserved")

    def __init__(self) -> None:
        self.holds: dict[OrderId, Hold] = {}
        self.reserved = NO_MONEY
        self._costs = {BookSide.BID: 0, BookSide.ASK: 0}
        self._quantities = {BookSide.BID: 0, BookSide.ASK: 0}

    def put(self, order_id: OrderId, hold: Hold) -> None:
        """Add or replace an order."""
        self.drop(order_id)
        self.holds[order_id] = hold
        self._count(hold, 1)

    def drop(self, order_id: OrderId) -> None:
        """Forget an order; unknown ones are fine."""
        hold = self.holds.pop(order_id, None)
        if hold is not None:
            self._count(hold, -1)

    def worst_cost(self, position: int) -> Money:
        """The most cash that these orders can come to need."""
        return Money(sum(self._side_cost(side, position) for side in BookSide))

    def worst_cost_with(self, hold: Hold, position: int, replaced: OrderId | None = None) -> Money:
        """The same with one more order, and without the one it replaces."""
        gone = self.holds.get(replaced) if replaced is not None else None
        if gone is not None:
            self._count(gone, -1)
        self._count(hold, 1)
        needed = self.worst_cost(position)
        self._count(hold, -1)
        if gone is not None:
            self._count(gone, 1)
        return needed

    def _side_cost(self, side: BookSide, position: int) -> int:
        closing = min(closable(side, position), self._quantities[side])
        return max(0, self._costs[side] - closing * PAYOUT)

    def _count(self, hold: Hold, sign: int) -> None:
        self._costs[hold.side] += hold.full_cost * sign
        self._quantities[hold.side] += hold.quantity * sign
