"""The account: balance, positions, orders, fills, settlements, groups, and answers to writes.

A page with one unreadable item is refused whole: what is ours must be known
completely or not at all.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from bot.adapters.kalshi.wire.fields import (
    count_of,
    decode,
    instant_of,
    micros_of_ms,
    micros_of_seconds,
    money_of,
    optional_instant,
    price_of,
    quantity_of,
    side_of,
)
from bot.domain.errors import InvalidMessage
from bot.domain.ids import ClientOrderId, EventTicker, FillId, MarketTicker, OrderGroupId, OrderId
from bot.domain.money import PAYOUT, Money, Price, money_of_cents
from bot.domain.orders import (
    Balance,
    CancelAck,
    Fill,
    Order,
    OrderAck,
    OrderStatus,
    Settlement,
    VenuePosition,
)

T = TypeVar("T")
_CENTS_MAX = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Items of one page; ``cursor`` is empty on the last."""

    items: tuple[T, ...]
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderGroupRow:
    """A group and the shard it lives on."""

    order_group_id: OrderGroupId
    exchange_index: int


class _ShardBalance(msgspec.Struct):
    exchange_index: int
    balance: str


class _Balance(msgspec.Struct):
    balance: int
    portfolio_value: int
    balance_dollars: str = ""
    balance_breakdown: list[_ShardBalance] | None = None


class _Position(msgspec.Struct):
    ticker: str
    position_fp: str
    market_exposure_dollars: str
    realized_pnl_dollars: str
    fees_paid_dollars: str
    exchange_index: int = 0


class _Positions(msgspec.Struct):
    market_positions: list[_Position] | None
    cursor: str = ""


class _Order(msgspec.Struct):
    order_id: str
    ticker: str
    status: str
    yes_price_dollars: str
    initial_count_fp: str
    fill_count_fp: str
    remaining_count_fp: str
    client_order_id: str | None = None
    book_side: str | None = None
    outcome_side: str | None = None
    side: str | None = None
    action: str | None = None
    exchange_index: int = 0
    order_group_id: str | None = None
    created_time: str | None = None
    last_update_time: str | None = None


class _Orders(msgspec.Struct):
    orders: list[_Order] | None
    cursor: str = ""


class _Fill(msgspec.Struct):
    order_id: str
    count_fp: str
    yes_price_dollars: str
    is_taker: bool
    fee_cost: str
    fill_id: str = ""
    trade_id: str = ""
    ticker: str = ""
    market_ticker: str = ""
    book_side: str | None = None
    outcome_side: str | None = None
    side: str | None = None
    action: str | None = None
    created_time: str | None = None
    ts: int = 0


class _Fills(msgspec.Struct):
    fills: list[_Fill] | None
    cursor: str = ""


class _Settlement(msgspec.Struct):
    ticker: str
    event_ticker: str
    market_result: str
    revenue: int
    settled_time: str
    fee_cost: str
    value: int | None = None


class _Settlements(msgspec.Struct):
    settlements: list[_Settlement] | None
    cursor: str = ""


class _Created(msgspec.Struct):
    order_id: str
    fill_count: str
    remaining_count: str
    ts_ms: int
    client_order_id: str = ""


class _Canceled(msgspec.Struct):
    order_id: str
    reduced_by: str


class _Group(msgspec.Struct):
    id: str
    exchange_index: int = 0


class _Groups(msgspec.Struct):
    order_groups: list[_Group] | None = None


class _GroupCreated(msgspec.Struct):
    order_group_id: str


_BALANCE = msgspec.json.Decoder(_Balance)
_POSITIONS = msgspec.json.Decoder(_Positions)
_ORDERS = msgspec.json.Decoder(_Orders)
_FILLS = msgspec.json.Decoder(_Fills)
_SETTLEMENTS = msgspec.json.Decoder(_Settlements)
_CREATED = msgspec.json.Decoder(_Created)
_CANCELED = msgspec.json.Decoder(_Canceled)
_GROUPS = msgspec.json.Decoder(_Groups)
_GROUP_CREATED = msgspec.json.Decoder(_GroupCreated)


def read_balance(body: bytes) -> Balance:
    """``GET /portfolio/balance``: cash to six places where sent, else the truncated cents."""
    wire = decode(_BALANCE, body)
    cash = money_of(wire.balance_dollars) if wire.balance_dollars else _cents(wire.balance)
    return Balance(
        cash=cash,
        portfolio_value=_cents(wire.portfolio_value),
        by_shard=tuple(
            (one.exchange_index, money_of(one.balance)) for one in wire.balance_breakdown or ()
        ),
    )


def read_positions(body: bytes) -> Page[VenuePosition]:
    """``GET /portfolio/positions``; flat markets are left out."""
    wire = decode(_POSITIONS, body)
    positions = (_position(one) for one in wire.market_positions or ())
    return Page(items=tuple(one for one in positions if one.quantity), cursor=wire.cursor)


def read_orders(body: bytes) -> Page[Order]:
    """``GET /portfolio/orders`` and ``/historical/orders``."""
    wire = decode(_ORDERS, body)
    return Page(items=tuple(_order(one) for one in wire.orders or ()), cursor=wire.cursor)


def read_fills(body: bytes) -> Page[Fill]:
    """``GET /portfolio/fills`` and ``/historical/fills``."""
    wire = decode(_FILLS, body)
    return Page(items=tuple(_fill(one) for one in wire.fills or ()), cursor=wire.cursor)


def read_settlements(body: bytes) -> Page[Settlement]:
    """``GET /portfolio/settlements``."""
    wire = decode(_SETTLEMENTS, body)
    return Page(items=tuple(_settlement(one) for one in wire.settlements or ()), cursor=wire.cursor)


def read_created(body: bytes, expected: ClientOrderId) -> OrderAck:
    """The answer to a create. An answer about another order is no answer."""
    wire = decode(_CREATED, body)
    if wire.client_order_id not in ("", expected):
        raise InvalidMessage(f"answer is about {wire.client_order_id!r}")
    return OrderAck(
        order_id=OrderId(_named(wire.order_id)),
        client_order_id=expected,
        filled=count_of(wire.fill_count),
        remaining=count_of(wire.remaining_count),
        acknowledged_us=micros_of_ms(wire.ts_ms),
    )


def read_canceled(body: bytes, expected: OrderId) -> CancelAck:
    """The answer to a cancel."""
    wire = decode(_CANCELED, body)
    if wire.order_id != expected:
        raise InvalidMessage(f"answer is about {wire.order_id!r}")
    return CancelAck(order_id=expected, reduced_by=count_of(wire.reduced_by))


def read_groups(body: bytes) -> tuple[OrderGroupRow, ...]:
    """``GET /portfolio/order_groups``."""
    return tuple(
        OrderGroupRow(
            order_group_id=OrderGroupId(_named(one.id)), exchange_index=one.exchange_index
        )
        for one in decode(_GROUPS, body).order_groups or ()
    )


def read_group_created(body: bytes) -> OrderGroupId:
    """The answer to ``POST /portfolio/order_groups/create``."""
    return OrderGroupId(_named(decode(_GROUP_CREATED, body).order_group_id))


def order_status_of(text: str) -> OrderStatus:
    """The venue's three words; anything else is a status we have to look up, not guess."""
    match text:
        case "resting":
            return OrderStatus.RESTING
        case "canceled":
            return OrderStatus.CANCELED
        case "executed":
            return OrderStatus.EXECUTED
        case _:
            return OrderStatus.UNKNOWN


def _position(wire: _Position) -> VenuePosition:
    return VenuePosition(
        ticker=MarketTicker(_named(wire.ticker)),
        exchange_index=wire.exchange_index,
        quantity=quantity_of(wire.position_fp),
        exposure=money_of(wire.market_exposure_dollars),
        realized=money_of(wire.realized_pnl_dollars),
        fees=money_of(wire.fees_paid_dollars),
    )


def _order(wire: _Order) -> Order:
    updated_us = optional_instant(wire.last_update_time)
    created_us = optional_instant(wire.created_time)
    return Order(
        order_id=OrderId(_named(wire.order_id)),
        client_order_id=ClientOrderId(wire.client_order_id) if wire.client_order_id else None,
        ticker=MarketTicker(_named(wire.ticker)),
        exchange_index=wire.exchange_index,
        side=side_of(wire.book_side, wire.outcome_side or wire.side, _action(wire)),
        status=order_status_of(wire.status),
        price=price_of(wire.yes_price_dollars),
        initial=count_of(wire.initial_count_fp),
        filled=count_of(wire.fill_count_fp),
        remaining=count_of(wire.remaining_count_fp),
        order_group_id=OrderGroupId(wire.order_group_id) if wire.order_group_id else None,
        # Both may be null in the specification; an order without times sorts first.
        created_us=created_us or updated_us or 0,
        updated_us=updated_us or created_us or 0,
    )


def _fill(wire: _Fill) -> Fill:
    if wire.created_time:
        executed_us = instant_of(wire.created_time)
    elif wire.ts:
        executed_us = micros_of_seconds(wire.ts)
    else:
        raise InvalidMessage("a fill without a time")
    return Fill(
        fill_id=FillId(_named(wire.fill_id or wire.trade_id)),
        order_id=OrderId(_named(wire.order_id)),
        ticker=MarketTicker(_named(wire.ticker or wire.market_ticker)),
        side=side_of(wire.book_side, wire.outcome_side or wire.side, _action(wire)),
        price=price_of(wire.yes_price_dollars),
        quantity=count_of(wire.count_fp),
        fee=money_of(wire.fee_cost),
        is_taker=wire.is_taker,
        executed_us=executed_us,
    )


def _settlement(wire: _Settlement) -> Settlement:
    return Settlement(
        ticker=MarketTicker(_named(wire.ticker)),
        event_ticker=EventTicker(wire.event_ticker),
        result=wire.market_result,
        value=None if wire.value is None else _value_of_cents(wire.value),
        revenue=_cents(wire.revenue),
        fee=money_of(wire.fee_cost),
        settled_us=instant_of(wire.settled_time),
    )


def _action(wire: _Order | _Fill) -> str | None:
    """``outcome_side`` already says who gains; only the older ``side`` needs the action."""
    return None if wire.outcome_side else wire.action


def _value_of_cents(cents: int) -> Price:
    if not 0 <= cents <= PAYOUT // 100:
        raise InvalidMessage(f"settlement value {cents} is not between 0 and 100 cents")
    return Price(cents * 100)


def _cents(cents: int) -> Money:
    if abs(cents) > _CENTS_MAX:
        raise InvalidMessage(f"{cents} cents is out of range")
    return money_of_cents(cents)


def _named(text: str) -> str:
    if not text:
        raise InvalidMessage("an empty identifier")
    return text
