"""Sides, intents, orders, fills, positions: what is ours at the exchange."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from bot.domain.ids import (
    BracketId,
    ClientOrderId,
    Epoch,
    EventTicker,
    FillId,
    MarketTicker,
    OrderGroupId,
    OrderId,
    SignalId,
    StrategyId,
)
from bot.domain.money import Money, Price, Quantity, complement


class BookSide(StrEnum):
    """Side of the YES book. A bid gains from YES, an ask gains from NO."""

    BID = "bid"
    ASK = "ask"

    @property
    def opposite(self) -> "BookSide":
        """The other side."""
        return BookSide.ASK if self is BookSide.BID else BookSide.BID


def own_price(side: BookSide, price: Price) -> Price:
    """A YES-leg price as the price of the held side, and back: it is its own inverse."""
    return price if side is BookSide.BID else complement(price)


class TimeInForce(StrEnum):
    """How long an order may work, in the venue's words."""

    GOOD_TILL_CANCELED = "good_till_canceled"
    IMMEDIATE_OR_CANCEL = "immediate_or_cancel"
    FILL_OR_KILL = "fill_or_kill"


class SelfTradePrevention(StrEnum):
    """Which of two own orders gives way when they would meet."""

    TAKER_AT_CROSS = "taker_at_cross"
    MAKER = "maker"


class Purpose(StrEnum):
    """Why an order exists. Only an entry opens risk."""

    ENTRY = "entry"
    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"
    FLATTEN = "flatten"


class OrderStatus(StrEnum):
    """Life of one of our orders. The first and the last three are ours, the rest the venue's."""

    SUBMITTING = "submitting"
    RESTING = "resting"
    PARTIALLY_FILLED = "partially_filled"
    EXECUTED = "executed"
    CANCELING = "canceling"
    CANCELED = "canceled"
    REJECTED = "rejected"
    DENIED = "denied"
    UNKNOWN = "unknown"
    ABANDONED = "abandoned"

    @property
    def is_final(self) -> bool:
        """Whether nothing can happen to the order any more."""
        return self in _FINAL


_FINAL = frozenset(
    {
        OrderStatus.EXECUTED,
        OrderStatus.CANCELED,
        OrderStatus.REJECTED,
        OrderStatus.DENIED,
        OrderStatus.ABANDONED,
    }
)


class OrderIntent(msgspec.Struct, frozen=True, kw_only=True):
    """What we mean to do, fixed and stored under ``epoch`` before anything is sent.

    ``price`` is the YES leg's for both sides. ``expires_us`` needs
    good-till-canceled; ``reduce_only`` needs immediate-or-cancel (the venue
    refuses it on a resting order). ``bracket_id`` and ``signal_id`` are absent
    only for what an operator orders by hand.
    """

    client_order_id: ClientOrderId
    epoch: Epoch
    strategy_id: StrategyId
    signal_id: SignalId | None
    bracket_id: BracketId | None
    purpose: Purpose
    ticker: MarketTicker
    exchange_index: int
    side: BookSide
    price: Price
    quantity: Quantity
    time_in_force: TimeInForce
    post_only: bool
    reduce_only: bool
    expires_us: int | None
    decided_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAck:
    """The venue's answer to a create: what filled at once and what is left to rest."""

    order_id: OrderId
    client_order_id: ClientOrderId
    filled: Quantity
    remaining: Quantity
    acknowledged_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAck:
    """The venue's answer to a cancel: by how much the order was reduced."""

    order_id: OrderId
    reduced_by: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as the venue lists it. ``client_order_id`` may be foreign or empty."""

    order_id: OrderId
    client_order_id: ClientOrderId | None
    ticker: MarketTicker
    exchange_index: int
    side: BookSide
    status: OrderStatus
    price: Price
    initial: Quantity
    filled: Quantity
    remaining: Quantity
    order_group_id: OrderGroupId | None
    created_us: int
    updated_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution the venue reported. Fills are facts; positions are sums of them."""

    fill_id: FillId
    order_id: OrderId
    ticker: MarketTicker
    side: BookSide
    price: Price
    quantity: Quantity
    fee: Money
    is_taker: bool
    executed_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VenuePosition:
    """A position as the venue states it: ``quantity`` above zero is YES, below is NO."""

    ticker: MarketTicker
    exchange_index: int
    quantity: Quantity
    exposure: Money
    realized: Money
    fees: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Cash and the venue's mark of the positions. ``by_shard`` is empty for a single pot."""

    cash: Money
    portfolio_value: Money
    by_shard: tuple[tuple[int, Money], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The payout of one finalised market. ``value`` is what one YES contract paid."""

    ticker: MarketTicker
    event_ticker: EventTicker
    result: str
    value: Price | None
    revenue: Money
    fee: Money
    settled_us: int
