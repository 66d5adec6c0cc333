"""Orders as the venue takes and shows them.

Prices are of the YES leg for both sides, quantities and money in the units of
``domain.money``. ``OrderView`` is a frozen picture; the live order is
``WorkingOrder``, which never leaves this package.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.ids import ClientOrderId, EventTicker, MarketTicker, OrderGroupId, OrderId
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide, OrderStatus, SelfTradePrevention, TimeInForce
from bot.venue.accounts import AccountId
from bot.venue.fees import NO_MONEY, RoundingAccumulator
from bot.venue.groups import NO_QUANTITY


class UpdateReason(StrEnum):
    """The venue's ``last_update_reason``."""

    DECREASE = "Decrease"
    AMEND = "Amend"
    MARGIN_CANCEL = "MarginCancel"
    SELF_TRADE_CANCEL = "SelfTradeCancel"
    EXPIRY_CANCEL = "ExpiryCancel"
    CLOSE_CANCEL = "CloseCancel"
    HALT_CANCEL = "HaltCancel"
    TRADE = "Trade"
    POST_ONLY_CROSS_CANCEL = "PostOnlyCrossCancel"
    REDUCE_ONLY_CANCEL = "ReduceOnlyCancel"
    SETTLEMENT_BOUNDS_CANCEL = "SettlementBoundsCancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What a create carries.

    ``exchange_index`` is ``None`` for routing by ticker; a shard that is not
    the market's finds no market. ``expires_us`` needs good-till-canceled,
    ``reduce_only`` needs immediate-or-cancel.
    """

    ticker: MarketTicker
    side: BookSide
    price: Price
    quantity: Quantity
    time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCELED
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.TAKER_AT_CROSS
    client_order_id: ClientOrderId | None = None
    post_only: bool = False
    reduce_only: bool = False
    cancel_on_pause: bool = False
    expires_us: int | None = None
    order_group_id: OrderGroupId | None = None
    exchange_index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendRequest:
    """A change of price, size or expiry of a resting order.

    ``quantity`` is the new total: what is filled plus what shall remain.
    ``expires_us`` ``None`` keeps the expiry and 0 removes it.
    """

    ticker: MarketTicker
    side: BookSide
    price: Price
    quantity: Quantity
    client_order_id: ClientOrderId | None = None
    updated_client_order_id: ClientOrderId | None = None
    expires_us: int | None = None
    exchange_index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReceipt:
    """The answer to a create or amend: what this act filled and what rests after it.

    ``remaining`` is 0 for everything that does not rest. ``fill_cost`` is the
    YES price times quantity, ``fees`` the net fees, both of this act.
    """

    order_id: OrderId
    client_order_id: ClientOrderId | None
    filled: Quantity
    remaining: Quantity
    fill_cost: Money
    fees: Money
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelReceipt:
    """The answer to a cancel."""

    order_id: OrderId
    client_order_id: ClientOrderId | None
    reduced_by: Quantity
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecreaseReceipt:
    """The answer to a decrease."""

    order_id: OrderId
    client_order_id: ClientOrderId | None
    remaining: Quantity
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """An order as a read or a private event shows it.

    ``status`` is only ever resting, canceled or executed. Fill costs are YES
    price times quantity; fees are net. ``initial`` follows an amend's total and
    stays through a decrease.
    """

    account: AccountId
    order_id: OrderId
    client_order_id: ClientOrderId | None
    ticker: MarketTicker
    event_ticker: EventTicker
    exchange_index: int
    side: BookSide
    status: OrderStatus
    price: Price
    initial: Quantity
    filled: Quantity
    remaining: Quantity
    taker_fill_cost: Money
    maker_fill_cost: Money
    taker_fees: Money
    maker_fees: Money
    time_in_force: TimeInForce
    self_trade_prevention: SelfTradePrevention
    post_only: bool
    reduce_only: bool
    cancel_on_pause: bool
    expires_us: int | None
    order_group_id: OrderGroupId | None
    created_us: int
    updated_us: int
    last_reason: UpdateReason | None


@dataclass(slots=True, kw_only=True, eq=False)
class WorkingOrder:
    """The live order. Its place in the queue is the book's to know."""

    account: AccountId
    order_id: OrderId
    client_order_id: ClientOrderId | None
    ticker: MarketTicker
    event_ticker: EventTicker
    exchange_index: int
    side: BookSide
    price: Price
    initial: Quantity
    remaining: Quantity
    time_in_force: TimeInForce
    self_trade_prevention: SelfTradePrevention
    post_only: bool
    reduce_only: bool
    cancel_on_pause: bool
    expires_us: int | None
    order_group_id: OrderGroupId | None
    created_us: int
    updated_us: int
    status: OrderStatus = OrderStatus.RESTING
    filled: Quantity = NO_QUANTITY
    taker_fill_cost: Money = NO_MONEY
    maker_fill_cost: Money = NO_MONEY
    taker_fees: Money = NO_MONEY
    maker_fees: Money = NO_MONEY
    last_reason: UpdateReason | None = None
    rounding: RoundingAccumulator = field(default_factory=RoundingAccumulator)

    def view(self) -> OrderView:
        """A frozen picture of the order now."""
        return OrderView(
            account=self.account,
            order_id=self.order_id,
            client_order_id=self.client_order_id,
            ticker=self.ticker,
            event_ticker=self.event_ticker,
            exchange_index=self.exchange_index,
            side=self.side,
            status=self.status,
            price=self.price,
            initial=self.initial,
            filled=self.filled,
            remaining=self.remaining,
            taker_fill_cost=self.taker_fill_cost,
            maker_fill_cost=self.maker_fill_cost,
            taker_fees=self.taker_fees,
            maker_fees=self.maker_fees,
            time_in_force=self.time_in_force,
            self_trade_prevention=self.self_trade_prevention,
            post_only=self.post_only,
            reduce_only=self.reduce_only,
            cancel_on_pause=self.cancel_on_pause,
            expires_us=self.expires_us,
            order_group_id=self.order_group_id,
            created_us=self.created_us,
            updated_us=self.updated_us,
            last_reason=self.last_reason,
        )
