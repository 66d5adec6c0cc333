"""When a resting order of ours would have traded, judged to the safe side.

It trades when the opposite best moves *through* its price, for what is
displayed there, or when public trades print: through its price for the printed
quantity, at its price for what the print leaves after the quantity that was
displayed ahead of the order. Cancels ahead help only as far as the level proves
them: no more can be ahead than is displayed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.adapters.paper.depth import Depth
from bot.domain.ids import OrderId
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.domain.quotes import PublicTrade
from bot.venue.orders import OrderView

_GRAIN_US = 1_000
"""The venue stamps trades and deltas in milliseconds."""


@dataclass(slots=True)
class _Place:
    ahead: int
    known_us: int
    """Trades up to then are in ``ahead`` already, whenever we are told of them."""


class Queue:
    """The places of our resting orders in the real queues."""

    def __init__(self) -> None:
        self._places: dict[OrderId, _Place] = {}

    def keep(self, orders: Iterable[OrderView]) -> None:
        """Forget the places of all other orders."""
        wanted = {order.order_id for order in orders}
        for order_id in [each for each in self._places if each not in wanted]:
            del self._places[order_id]

    def see_book(self, order: OrderView, depth: Depth, at_us: int) -> None:
        """A new order goes behind all that is displayed; an old one is never behind more."""
        size = depth.size(order.side, order.price)
        place = self._places.get(order.order_id)
        if place is None:
            known_us = max(order.created_us, at_us)
            self._places[order.order_id] = _Place(ahead=size, known_us=known_us)
        elif size < place.ahead:
            place.ahead = size
            place.known_us = max(place.known_us, at_us)

    def share_of(self, order: OrderView, trade: PublicTrade, left: int) -> Quantity:
        """What a public trade gives this order, of the ``left`` that earlier ones left it."""
        place = self._places.get(order.order_id)
        if place is None or trade.is_block or trade.taker_side is order.side:
            return Quantity(0)
        if trade.executed_us // _GRAIN_US <= place.known_us // _GRAIN_US:
            return Quantity(0)
        better_by = _better_by(order.side, order.price, trade.price)
        if better_by < 0:
            return Quantity(0)
        ahead = place.ahead if better_by == 0 else 0
        place.ahead = max(0, ahead - trade.quantity)
        return Quantity(min(order.remaining, left, max(0, trade.quantity - ahead)))


def by_priority(orders: Iterable[OrderView], side: BookSide) -> list[OrderView]:
    """Those of one side as the venue would match them; the input is oldest first."""
    sign = -1 if side is BookSide.BID else 1
    mine = (order for order in orders if order.side is side)
    return sorted(mine, key=lambda order: order.price * sign)


def _better_by(side: BookSide, ours: Price, traded: Price) -> int:
    """How much our price offers more than the one traded at; below zero it offers less."""
    return ours - traded if side is BookSide.BID else traded - ours
