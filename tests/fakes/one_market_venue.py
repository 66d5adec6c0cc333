"""A tiny exchange for one market, whose every answer can be delayed, lost or repeated."""

from dataclasses import dataclass, field

from bot.domain.ids import ClientOrderId, FillId, OrderId
from bot.domain.money import Money, Quantity
from bot.domain.orders import BookSide, Fill, Order, OrderAck, OrderIntent, OrderStatus, TimeInForce


@dataclass
class VenueOrder:
    intent: OrderIntent
    order_id: OrderId
    filled: int = 0
    is_open: bool = True

    @property
    def remaining(self) -> int:
        return self.intent.quantity - self.filled if self.is_open else 0


@dataclass
class VenueModel:
    """Position and orders as the exchange knows them. Fills are produced on demand."""

    position: int = 0
    orders: dict[ClientOrderId, VenueOrder] = field(default_factory=dict)
    fills: list[tuple[ClientOrderId, Fill]] = field(default_factory=list)

    def accept(self, intent: OrderIntent, liquidity: int) -> OrderAck:
        """Take an order; an immediate one meets ``liquidity`` contracts and is over."""
        assert intent.client_order_id not in self.orders, "an id is never used twice"
        order = VenueOrder(intent, OrderId(f"v{len(self.orders)}"))
        self.orders[intent.client_order_id] = order
        if intent.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL:
            assert intent.reduce_only
            self.fill(intent.client_order_id, min(liquidity, self._closable(intent)))
            order.is_open = False
        else:
            assert not intent.reduce_only, "reduce_only works with immediate-or-cancel only"
        return OrderAck(
            order_id=order.order_id,
            client_order_id=intent.client_order_id,
            filled=Quantity(order.filled),
            remaining=Quantity(order.remaining),
            acknowledged_us=0,
        )

    def fill(self, mine: ClientOrderId, quantity: int) -> None:
        """Execute up to ``quantity`` of a resting order."""
        order = self.orders[mine]
        quantity = min(quantity, order.remaining)
        if quantity <= 0:
            return
        order.filled += quantity
        if order.remaining == 0:
            order.is_open = False
        intent = order.intent
        self.position += quantity if intent.side is BookSide.BID else -quantity
        fill = Fill(
            fill_id=FillId(f"f{len(self.fills)}"),
            order_id=order.order_id,
            ticker=intent.ticker,
            side=intent.side,
            price=intent.price,
            quantity=Quantity(quantity),
            fee=Money(0),
            is_taker=intent.reduce_only,
            executed_us=0,
        )
        self.fills.append((mine, fill))

    def cancel(self, order_id: OrderId) -> int | None:
        """By how much it was reduced, or ``None`` for not found."""
        order = next(one for one in self.orders.values() if one.order_id == order_id)
        if not order.is_open:
            return None
        reduced = order.remaining
        order.is_open = False
        return reduced

    def report(self, mine: ClientOrderId) -> Order | None:
        """How it lists an order."""
        order = self.orders.get(mine)
        if order is None:
            return None
        status = OrderStatus.RESTING
        if not order.is_open:
            done = order.filled >= order.intent.quantity
            status = OrderStatus.EXECUTED if done else OrderStatus.CANCELED
        return Order(
            order_id=order.order_id,
            client_order_id=mine,
            ticker=order.intent.ticker,
            exchange_index=0,
            side=order.intent.side,
            status=status,
            price=order.intent.price,
            initial=order.intent.quantity,
            filled=Quantity(order.filled),
            remaining=Quantity(order.remaining),
            order_group_id=None,
            created_us=order.intent.decided_us,
            updated_us=0,
        )

    def _closable(self, intent: OrderIntent) -> int:
        held = -self.position if intent.side is BookSide.BID else self.position
        return max(0, min(held, intent.quantity))
