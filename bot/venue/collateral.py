"""What resting orders may cost: every order is paid in full, closing ones out of the position.

Orders of one side trade best price first, so the worst that can happen to the
cash is found by walking them in that order: while the position lasts they bring
money, after that they cost it. Both sides are assumed to trade, neither to
help the other.
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
    priority: int
    fee: Money

    @property
    def full_cost(self) -> int:
        """Cost when all of it opens."""
        return unit_cost(self.side, self.price) * self.quantity + self.fee

    @property
    def rank(self) -> tuple[int, int]:
        """Sorts the orders of one side as they trade."""
        sign = -1 if self.side is BookSide.BID else 1
        return (self.price * sign, self.priority)


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

    __slots__ = ("_full", "holds", "reserved")

    def __init__(self) -> None:
        self.holds: dict[OrderId, Hold] = {}
        self.reserved = NO_MONEY
        self._full = {BookSide.BID: 0, BookSide.ASK: 0}

    def put(self, order_id: OrderId, hold: Hold) -> None:
        """Add or replace an order."""
        self.drop(order_id)
        self.holds[order_id] = hold
        self._full[hold.side] += hold.full_cost

    def drop(self, order_id: OrderId) -> None:
        """Forget an order; unknown ones are fine."""
        hold = self.holds.pop(order_id, None)
        if hold is not None:
            self._full[hold.side] -= hold.full_cost

    def worst_cost(self, position: int) -> Money:
        """The most cash that these orders can come to need."""
        return Money(sum(self._side_cost(side, position) for side in BookSide))

    def worst_cost_with(self, hold: Hold, position: int, replaced: OrderId | None = None) -> Money:
        """The same with one more order, and without the one it replaces."""
        without = self.holds.get(replaced) if replaced is not None else None
        total = 0
        for side in BookSide:
            if closable(side, position):
                kept = [other for other in self.holds.values() if other is not without]
                total += _walk([*_of(side, kept), *_of(side, [hold])], position)
            else:
                total += self._full[side]
                total += hold.full_cost if hold.side is side else 0
                total -= without.full_cost if without and without.side is side else 0
        return Money(total)

    def _side_cost(self, side: BookSide, position: int) -> int:
        if not closable(side, position):
            return self._full[side]
        return _walk(_of(side, list(self.holds.values())), position)


def _of(side: BookSide, holds: list[Hold]) -> list[Hold]:
    return [hold for hold in holds if hold.side is side]


def _walk(holds: list[Hold], position: int) -> int:
    if not holds:
        return 0
    closing_left = closable(holds[0].side, position)
    running = worst = 0
    for hold in sorted(holds, key=lambda hold: hold.rank):
        closing = min(closing_left, hold.quantity)
        closing_left -= closing
        running += hold.full_cost - closing * PAYOUT
        worst = max(worst, running)
    return worst
