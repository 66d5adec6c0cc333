"""One market's book of resting orders: price levels, first come first served within each.

Keys are prices for bids and negated prices for asks, so that on both sides the
best key is the greatest one and sits last, where a list is cheap to pop.
"""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import BookLevel
from bot.venue.orders import WorkingOrder

if TYPE_CHECKING:
    from bot.domain.ids import OrderId


class Level:
    """The orders at one price, oldest first, and their sum."""

    __slots__ = ("orders", "quantity")

    def __init__(self) -> None:
        self.quantity = 0
        # Linked, so that the oldest is found in constant time however many left before it.
        self.orders: OrderedDict[OrderId, WorkingOrder] = OrderedDict()

    def first(self) -> WorkingOrder:
        """The order to be matched next."""
        return next(iter(self.orders.values()))


class Ladder:
    """One side of a book."""

    __slots__ = ("_keys", "_levels", "_sign")

    def __init__(self, side: BookSide) -> None:
        self._sign = 1 if side is BookSide.BID else -1
        self._keys: list[int] = []
        self._levels: dict[int, Level] = {}

    def best(self) -> Price | None:
        """The best resting price."""
        return Price(self._keys[-1] * self._sign) if self._keys else None

    def best_level(self) -> Level | None:
        """The orders at the best price."""
        return self._levels[self._keys[-1]] if self._keys else None

    def is_met_by(self, price: Price) -> bool:
        """Whether an order of the other side at ``price`` would trade with this one."""
        return bool(self._keys) and self._keys[-1] >= price * self._sign

    def add(self, order: WorkingOrder) -> None:
        """Put an order behind all others at its price."""
        key = order.price * self._sign
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = Level()
            insort(self._keys, key)
        level.orders[order.order_id] = order
        level.quantity += order.remaining

    def shrink(self, order: WorkingOrder, quantity: Quantity) -> None:
        """Take ``quantity`` off an order that keeps its place. The caller lowers ``remaining``."""
        self._levels[order.price * self._sign].quantity -= quantity

    def remove(self, order: WorkingOrder) -> None:
        """Take an order out with all it has left."""
        key = order.price * self._sign
        level = self._levels[key]
        level.quantity -= order.remaining
        del level.orders[order.order_id]
        if not level.orders:
            del self._levels[key]
            del self._keys[bisect_left(self._keys, key)]

    def levels(self, depth: int = 0) -> Iterator[BookLevel]:
        """Price levels, best first; ``depth`` 0 gives all."""
        keys = self._keys[-depth:] if depth else self._keys
        for key in reversed(keys):
            yield BookLevel(Price(key * self._sign), Quantity(self._levels[key].quantity))

    def best_size(self) -> Quantity:
        """What rests at the best price."""
        return Quantity(self._levels[self._keys[-1]].quantity if self._keys else 0)

    def orders_meeting(self, price: Price) -> Iterator[WorkingOrder]:
        """The resting orders that an order at ``price`` would meet, in matching order."""
        limit = price * self._sign
        for key in reversed(self._keys):
            if key < limit:
                return
            yield from self._levels[key].orders.values()

    def orders(self) -> Iterator[WorkingOrder]:
        """Every resting order in matching order."""
        for key in reversed(self._keys):
            yield from self._levels[key].orders.values()

    def ahead_of(self, order: WorkingOrder) -> Quantity:
        """Contracts that must trade before ``order`` does."""
        own = order.price * self._sign
        ahead = 0
        for key in reversed(self._keys):
            if key == own:
                break
            ahead += self._levels[key].quantity
        for other in self._levels[own].orders.values():
            if other is order:
                break
            ahead += other.remaining
        return Quantity(ahead)


class Book:
    """Both sides of one market."""

    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        self.bids = Ladder(BookSide.BID)
        self.asks = Ladder(BookSide.ASK)

    def side(self, side: BookSide) -> Ladder:
        """The ladder where orders of ``side`` rest."""
        return self.bids if side is BookSide.BID else self.asks
